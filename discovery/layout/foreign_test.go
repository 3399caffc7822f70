// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// Each file of testdata/foreign is an entry as somebody else writes it: its name,
// what comes of it ("skipped FIELD" or an address), and then its data. Other
// packages put them beside entries of ours.
func TestForeignEntries(t *testing.T) {
	files, err := filepath.Glob("testdata/foreign/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.SplitN(string(text), "\n", 3)
			if len(parts) != 3 {
				t.Fatal("a file has a name, an outcome and data")
			}
			in, err := Decode(parts[0], []byte(parts[2]))
			field, skipped := strings.CutPrefix(parts[1], "skipped ")
			if !skipped {
				if err != nil || in.Addr() != parts[1] {
					t.Errorf("got %+v, %v, want %s", in, err, parts[1])
				}
				return
			}
			var typed *FieldError
			if !errors.As(err, &typed) || typed.Field != field || typed.Fix == "" {
				t.Errorf("got %+v, %v, want an error of %s with a fix", in, err, field)
			}
		})
	}
}

// TestPlainReader: a program that knows host and port alone, as the Python ones
// do, reads what is written here, whatever else that says.
func TestPlainReader(t *testing.T) {
	data, err := Encode(discovery.Instance{
		ID: "a", Host: "10.1.2.3", Port: 7001, Protocols: []string{"x"}, TLS: true, Weight: 1, Zone: "z", Version: "v",
		Metadata: map[string]string{"k": "v"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var entry struct {
		Host string
		Port int
	}
	if err := json.Unmarshal(data, &entry); err != nil || entry.Host != "10.1.2.3" || entry.Port != 7001 {
		t.Errorf("got %+v, %v of %s, want 10.1.2.3 and 7001", entry, err, data)
	}
}
