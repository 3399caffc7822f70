// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/zk/internal/hook"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

var rewriteWords = flag.Bool("rewrite-words", false, "record anew what the four-letter words answer")

// A steppedClock shows what it was told. Nothing falls due by it.
type steppedClock struct{ nanos atomic.Int64 }

func newSteppedClock() *steppedClock {
	c := &steppedClock{}
	c.step(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Sub(time.Unix(0, 0)))
	return c
}

func (c *steppedClock) step(d time.Duration)                 { c.nanos.Add(int64(d)) }
func (c *steppedClock) Now() time.Time                       { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *steppedClock) After(time.Duration) <-chan time.Time { return nil }

// What a word answers of a state that is known is the same to the byte, but for
// what the system chooses.
func TestFourLetterWordsGolden(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere mntr does not tell of open files")
	}
	var slot hook.Slot
	clock := newSteppedClock()
	slot.Set(func(r *hook.Request) hook.Verdict { // every create takes 3.25 ms, and those of /slow more
		switch r.Op {
		case jute.OpCreate:
			clock.step(3250 * time.Microsecond)
			if r.Paths[0] == "/slow" {
				clock.step(40 * time.Millisecond)
			}
		case jute.OpGetData:
			clock.step(999 * time.Microsecond)
		}
		return hook.Verdict{}
	})
	s, addr := startServerIn(hook.NewContext(context.Background(), &slot), t, zkserver.Options{
		Clock: clock, Epoch: 7, FourLetterWords: []string{"*"}, MaxConnectionsPerHost: -1,
	})
	clock.step(1500 * time.Millisecond)
	a := open(t, addr, 10*time.Second)
	clock.step(time.Second)
	b := open(t, addr, 30*time.Second)
	b.must(jute.OpAddWatch, &jute.PathModeRequest{Path: "/", Mode: jute.WatchPersistentRecursive}, nil)
	for _, path := range []string{"/e1", "/e2", "/slow"} {
		a.create(path, 1)
		b.message()
	}
	b.create("/e3", 1)
	a.must(jute.OpGetData, &jute.PathWatchRequest{Path: "/e3", Watch: true}, nil)
	a.must(jute.OpGetChildren, &jute.PathWatchRequest{Path: "/", Watch: true}, nil)
	ping(a)
	idle := dialRaw(t, addr)
	waitFor(t, "count of what the owner has sent, and of a connection that says nothing", func() bool {
		mntr := word(t, addr, "mntr")
		return field(t, mntr, "zk_packets_sent") == "14" && field(t, mntr, "zk_num_alive_connections") == "4"
	})
	clock.step(1234567 * time.Microsecond)
	var got strings.Builder
	for _, w := range []string{
		"ruok", "isro", "srvr", "stat", "cons", "dump", "conf", "dirs", "mntr", "wchs", "wchp", "wchc", "gtmk", "hash",
		"crst", "cons", "srst", "srvr", "mntr",
	} {
		waitFor(t, "end of the connection of the word before", func() bool {
			_, conns := s.Held()
			return conns == 3
		})
		fmt.Fprintf(&got, "== %s\n%s\n", w, chosen(word(t, addr, w), addr, idle.nc.LocalAddr().String(), a.nc.LocalAddr().String(), b.nc.LocalAddr().String()))
	}
	golden := filepath.Join("testdata", "words.golden")
	if *rewriteWords {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got.String(), string(want)); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

// chosen puts names in the place of what the system has chosen.
func chosen(text, addr, idle, a, b string) string {
	_, port, _ := strings.Cut(addr, ":")
	text = strings.NewReplacer(idle, "IDLE", a, "A", b, "B", "clientPort="+port, "clientPort=PORT").Replace(text)
	text = regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(text, "SELF")
	return regexp.MustCompile(`(zk_\w+_file_descriptor_count)\t\d+`).ReplaceAllString(text, "$1\tN")
}
