// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/zk"
)

// A foreignEntry is an entry as somebody else writes it.
type foreignEntry struct {
	name, field string // field: which is wrong; empty: it is an instance
	addr        string
	data        []byte
}

// foreignEntries reads what the layout package holds of them, and adds one that
// is too large for a file.
func foreignEntries(t *testing.T) []foreignEntry {
	t.Helper()
	files, err := filepath.Glob("../layout/testdata/foreign/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	list := []foreignEntry{{name: "large", field: "data", data: []byte(`{"host":"10.1.2.3","port":1,"x":"` + strings.Repeat("x", 1<<20-300) + `"}`)}}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.SplitN(string(text), "\n", 3)
		e := foreignEntry{name: parts[0], data: []byte(parts[2])}
		var skipped bool
		if e.field, skipped = strings.CutPrefix(parts[1], "skipped "); !skipped {
			e.field, e.addr = "", parts[1]
		}
		list = append(list, e)
	}
	return list
}

// TestForeignLayouts puts an entry of every layout beside a good one: each is an
// instance or is skipped with the field that is wrong, is logged once, and hides
// nobody.
func TestForeignLayouts(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		var log warnings
		c, s := peer(t, n.Addr()), session(t, n.Addr(), func(o *Options) {
			o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		})
		sp := spectate(t, s, "/rpc")
		r := register(t, s, "/rpc", instance(8001))
		ready(t, r)
		sp.live(8001)
		entries := foreignEntries(t)
		want := []string{"127.0.0.1:8001"}
		skipped := map[string]string{}
		for _, e := range entries {
			if _, err := c.Create(within(t), "/rpc/"+e.name, e.data, zk.ModeEphemeral, nil); err != nil {
				t.Fatalf("%q: %v", e.name, err)
			}
			if e.field == "" {
				want = append(want, e.addr)
			} else {
				skipped[e.name] = e.field
			}
		}
		// A directory in the list is an entry that is none, and what lies in it is
		// nobody's business.
		if _, err := c.Create(within(t), "/rpc/dir", nil, zk.ModePersistent, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Create(within(t), "/rpc/dir/server0000000001", []byte(`{"host":"10.1.2.3","port":9}`), zk.ModeEphemeral, nil); err != nil {
			t.Fatal(err)
		}
		skipped["dir"] = "data"
		u := sp.until("every entry", func(u discovery.Update) bool {
			return len(u.Skipped) == len(skipped) && len(u.Instances) == len(want)
		})
		var addrs []string
		for i := range u.Instances {
			addrs = append(addrs, u.Instances[i].Addr())
		}
		slices.Sort(addrs)
		slices.Sort(want)
		if diff := cmp.Diff(addrs, want); diff != "" {
			t.Errorf("instances, got - want +:\n%s", diff)
		}
		got := map[string]string{}
		for _, e := range u.Skipped {
			var typed *discovery.FieldError
			if !errors.As(e.Err, &typed) || typed.Fix == "" {
				t.Errorf("%q: %v, want a *FieldError with a fix", e.Name, e.Err)
				continue
			}
			got[e.Name] = typed.Field
		}
		if diff := cmp.Diff(got, skipped); diff != "" {
			t.Errorf("skipped, got - want +:\n%s", diff)
		}
		if lines := log.take(); len(lines) != len(skipped) {
			t.Errorf("%d lines for %d skipped entries:\n%s", len(lines), len(skipped), strings.Join(lines, "\n"))
		}
		// The registration is undisturbed among them, and can be repaired.
		if st := r.Status(); !st.Registered {
			t.Errorf("got %+v, want registered", st)
		}
	})
}

// warnings is a log, a line each.
type warnings struct {
	mu    sync.Mutex // guards what follows
	lines []string
}

func (w *warnings) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, string(b))
	return len(b), nil
}

func (w *warnings) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	lines := w.lines
	w.lines = nil
	return lines
}

// TestProbablyGone: an entry that a silent registry has probably dropped is told
// once, and again only after it was back.
func TestProbablyGone(t *testing.T) {
	inBubble(t, func(b *bubble) {
		var log warnings
		b.session.opts.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		b.fake.connect()
		r, err := b.session.Registrar("/rpc").Register(instance(8001))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			b.after(time.Second)
			if !r.Status().Registered {
				t.Fatalf("got %+v, want registered", r.Status())
			}
			b.fake.disconnect()
			b.after(time.Hour)
			lines := log.take()
			if len(lines) != 1 || !strings.Contains(lines[0], "the registry does not answer") || !strings.Contains(lines[0], "path=/rpc") {
				t.Errorf("got %q, want one line that names the path", lines)
			}
			b.fake.connect()
		}
	})
}
