// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// A workload is a shape of load.
type workload struct {
	Name        string
	Connections int
	Callers     int
	SizeBytes   int
}

func workloads() []workload {
	return []workload{
		{Name: "A", Connections: 1, Callers: 1, SizeBytes: 32},
		{Name: "B", Connections: 1, Callers: 100, SizeBytes: 1 << 10},
		{Name: "C", Connections: 8, Callers: 1000, SizeBytes: 1 << 10},
		{Name: "D", Connections: 1, Callers: 100, SizeBytes: 64 << 10},
		{Name: "E", Connections: 1, Callers: 100, SizeBytes: 16 << 10},
	}
}

func findWorkload(name string) (workload, error) {
	var known []string
	for _, w := range workloads() {
		if w.Name == name {
			return w, nil
		}
		known = append(known, w.Name)
	}
	return workload{}, fmt.Errorf("workload %q: give some of %s", name, strings.Join(known, ","))
}

func (w workload) String() string {
	size := fmt.Sprintf("%d B", w.SizeBytes)
	if w.SizeBytes >= 1<<10 {
		size = fmt.Sprintf("%d KiB", w.SizeBytes>>10)
	}
	return fmt.Sprintf("%s: %s, %s, %s", w.Name, plural(w.Connections, "connection"), plural(w.Callers, "caller"), size)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
