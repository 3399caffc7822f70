// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package loglimit_test

import (
	"bytes"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/loglimit"
)

// lines returns a logger and what it wrote, a line each, without the time.
func lines() (*slog.Logger, func() []string) {
	var b bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	return logger, func() []string { return strings.Split(strings.TrimSpace(b.String()), "\n") }
}

func TestOneLinePerMessageAndSecond(t *testing.T) {
	now := time.Unix(1_000, 0)
	logger, written := lines()
	log := loglimit.New(logger, func() time.Time { return now })
	for _, step := range []struct {
		after time.Duration
		do    func()
	}{
		{0, func() { log.Warn("a", "n", 1) }},
		{0, func() { log.Error("b", "n", 2) }}, // another message has its own second
		{0, func() { log.Warn("a", "n", 3) }},
		{loglimit.Every - 1, func() { log.Warn("a", "n", 4) }},
		{1, func() { log.Warn("a", "n", 5) }},
		{0, func() { log.Warn("a", "n", 6) }},
		{loglimit.Every, func() { log.Warn("a", "n", 7) }},
		{loglimit.Every, func() { log.Warn("a", "n", 8) }},
		{time.Hour, func() { log.Error("b", "n", 9) }},
	} {
		now = now.Add(step.after)
		step.do()
	}
	want := []string{
		"level=WARN msg=a n=1",
		"level=ERROR msg=b n=2",
		"level=WARN msg=a n=5 left_out_before=2",
		"level=WARN msg=a n=7 left_out_before=1",
		"level=WARN msg=a n=8",
		"level=ERROR msg=b n=9",
	}
	if got := written(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Nothing is lost between many goroutines: written and left out add up.
func TestManyGoroutines(t *testing.T) {
	var mu sync.Mutex
	now := time.Unix(1_000, 0)
	logger, written := lines()
	log := loglimit.New(logger, func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(loglimit.Every / 10)
		return now
	})
	const goroutines, each = 8, 100
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				log.Warn("m")
			}
		})
	}
	wg.Wait()
	now = now.Add(loglimit.Every)
	log.Warn("m")
	total := 0
	number := regexp.MustCompile(`left_out_before=(\d+)`)
	for _, line := range written() {
		total++
		if m := number.FindStringSubmatch(line); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			total += n
		}
	}
	if want := goroutines*each + 1; total != want {
		t.Errorf("%d lines were written or left out, want %d", total, want)
	}
	if n, most := len(written()), goroutines*each/10+2; n > most {
		t.Errorf("%d lines were written, want at most %d", n, most)
	}
}

// Where there is nobody to tell, nothing happens.
func TestNobodyIsTold(*testing.T) {
	var none *loglimit.Limiter
	none.Warn("m")
	none.Error("m")
	loglimit.New(nil, nil).Warn("m")
}
