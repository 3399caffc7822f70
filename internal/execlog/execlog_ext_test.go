// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package execlog_test

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/internal/execlog"
)

// asWriter makes this test binary a process that notes ids: its value is
// "PATH FIRST COUNT".
const asWriter = "ROLLCALL_TEST_EXECLOG"

func TestMain(m *testing.M) {
	if spec := os.Getenv(asWriter); spec != "" {
		if err := write(strings.Fields(spec)); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

func write(spec []string) error {
	log, err := execlog.Open(spec[0])
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(spec[1])
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(spec[2])
	if err != nil {
		return err
	}
	for i := range count {
		if err := log.Note(uint64(first + i)); err != nil {
			return err
		}
	}
	return log.Close()
}

// Lines of several processes neither mix nor get lost.
func TestProcesses(t *testing.T) {
	const processes, each = 4, 2000
	path := filepath.Join(t.TempDir(), "log")
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0])
			// Every process begins with the last id of the one before.
			spec := path + " " + strconv.Itoa(i*(each-1)) + " " + strconv.Itoa(each)
			cmd.Env = append(os.Environ(), asWriter+"="+spec)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	counts, err := execlog.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := processes*(each-1) + 1; len(counts) != want {
		t.Errorf("%d ids, want %d", len(counts), want)
	}
	if diff := cmp.Diff([]uint64{each - 1, 2 * (each - 1), 3 * (each - 1)}, execlog.Twice(counts)); diff != "" {
		t.Errorf("noted twice: want -, got +:\n%s", diff)
	}
}

func TestReadEveryID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	log, err := execlog.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for _, id := range []uint64{0, 1, math.MaxUint64, 1} {
		if err := log.Note(id); err != nil {
			t.Fatal(err)
		}
	}
	counts, err := execlog.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[uint64]int{0: 1, 1: 2, math.MaxUint64: 1}, counts); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// What Note did not write proves nothing, and is not taken for a note.
func TestReadRefuses(t *testing.T) {
	const good = "0000000000000001\n"
	for name, text := range map[string]string{
		"half a line": good + "00000000",
		"no end":      good + "0000000000000002",
		"mixed lines": "00000000\n" + good,
		"no number":   good + "00000000000000xy\n",
		"upper case":  "000000000000000A\n",
	} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if counts, err := execlog.Read(path); err == nil {
			t.Errorf("%s: read as %v", name, counts)
		}
	}
	if _, err := execlog.Read(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("a log that is not there is read")
	}
}
