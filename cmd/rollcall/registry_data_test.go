// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk"
)

// startRegistry starts a registry on a directory and waits until it is ready.
func startRegistry(t *testing.T, dir, listen string, more ...string) *child {
	t.Helper()
	args := append([]string{"registry", "--data", dir, "--listen", listen}, more...)
	return startChild(t, asCommand, "registry ready on ", args...)
}

func newZKClient(t *testing.T, addr string) *zk.Client {
	t.Helper()
	client, err := zk.New([]string{addr}, zk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() }) // the registry may be gone
	return client
}

// smallDisk returns a directory on a file system of that size, until the test ends.
func smallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	mounted := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "none", dir).Run()
	realtest.Require(t, "a small disk", mounted == nil, "run as root on Linux, where a tmpfs can be mounted")
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// When the disk is full the registry ends with status 1 and the reason. It can be
// started again, and has what it acknowledged; when there is room again, it goes on.
func TestRegistryDiskFull(t *testing.T) {
	dir := smallDisk(t, "2m")
	registry := startRegistry(t, filepath.Join(dir, "data"), "127.0.0.1:0")
	t.Cleanup(func() { registry.kill() })
	client := newZKClient(t, registry.addr)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	acked := 0
	for ; acked < 100; acked++ {
		path := fmt.Sprintf("/n%d", acked)
		if _, err := client.Create(ctx, path, make([]byte, 100<<10), zk.ModePersistent, zk.WorldAnyone()); err != nil {
			break
		}
	}
	err := registry.cmd.Wait()
	if code := registry.cmd.ProcessState.ExitCode(); code != statusFailure || !strings.Contains(registry.stderr.String(), "no space left") {
		t.Fatalf("%d acknowledged, then %v; want exit status %d and the reason; stderr:\n%s", acked, err, statusFailure, registry.stderr.String())
	}
	for _, full := range []bool{true, false} {
		if !full {
			registry.kill()
			if out, err := exec.Command("mount", "-o", "remount,size=64m", dir).CombinedOutput(); err != nil {
				t.Fatalf("remount: %v: %s", err, out)
			}
		}
		registry = startRegistry(t, filepath.Join(dir, "data"), registry.addr)
		list, _, err := newZKClient(t, registry.addr).Children(t.Context(), "/")
		if err != nil {
			t.Fatalf("full %t: %v; stderr:\n%s", full, err, registry.stderr.String())
		}
		for i := range acked {
			if !slices.Contains(list, fmt.Sprintf("n%d", i)) {
				t.Errorf("full %t: node %d of %d that were acknowledged is not there", full, i, acked)
			}
		}
		if acked < 10 || len(list) > acked+2 { // and /zookeeper, and one that was not acknowledged
			t.Errorf("full %t: %d acknowledged, %d there", full, acked, len(list))
		}
	}
	if _, err := newZKClient(t, registry.addr).Create(ctx, "/again", nil, zk.ModePersistent, zk.WorldAnyone()); err != nil {
		t.Error(err)
	}
}

// A registry with a small tree works on a disk that is smaller than the log may become
// by default: if it ends because of that, it can be started, and goes on.
func TestRegistryFullOfItsOwnLog(t *testing.T) {
	const each, total = 100 << 10, 80 << 20
	dir := smallDisk(t, "24m")
	registry := startRegistry(t, filepath.Join(dir, "data"), "127.0.0.1:0")
	t.Cleanup(func() { registry.kill() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := newZKClient(t, registry.addr)
	if _, err := client.Create(ctx, "/n", nil, zk.ModePersistent, zk.WorldAnyone()); err != nil {
		t.Fatal(err)
	}
	starts, acked := 1, int32(0)
	for acked < total/each {
		stat, err := client.Set(ctx, "/n", make([]byte, each), zk.AnyVersion)
		if err == nil {
			acked = stat.Version
			continue
		}
		registry.cmd.Wait() //nolint:errcheck // the reason is in what it said
		if !strings.Contains(registry.stderr.String(), "no space left") || starts == 20 {
			t.Fatalf("start %d, behind %d MiB: %v; stderr:\n%s", starts, int(acked)*each>>20, err, registry.stderr.String())
		}
		registry = startRegistry(t, filepath.Join(dir, "data"), registry.addr)
		starts++
		stat, _, err = client.Exists(ctx, "/n")
		if err != nil {
			t.Fatal(err)
		}
		if stat.Version < acked {
			t.Fatalf("version %d is there, %d was acknowledged", stat.Version, acked)
		}
	}
	t.Logf("%d starts for %d MiB", starts, total>>20)
}

func TestRegistryCheckAndBackup(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no locks")
	}
	dir, out := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "backup")
	command(t, "registry", "check", dir).check(t, statusFailure, nil, []string{"registry check: store: " + dir, "no data"})
	command(t, "registry", "backup", "--data", dir, out).check(t, statusFailure, nil, []string{"registry backup: ", "no data"})

	registry := begin(t, "registry", "--data", dir, "--listen", "127.0.0.1:0")
	go registry.stderr.WriteTo(discard{}) //nolint:errcheck // it ends with the command
	addr := strings.TrimPrefix(line(t, registry.stdout), "registry ready on ")
	client := newZKClient(t, addr)
	if err := client.EnsurePath(t.Context(), "/a/b"); err != nil {
		t.Fatal(err)
	}
	command(t, "registry", "--data", dir, "--listen", "127.0.0.1:0").check(t, statusFailure, nil, []string{"rollcall: registry: store: " + dir, "another process has it open"})
	command(t, "registry", "check", dir).check(t, statusFailure, nil, []string{"another process has it open", "back it up and check the copy"})
	command(t, "registry", "backup", "--data", dir, out).check(t, statusOK, []string{out + ": 6 znodes, 1 sessions"}, nil)
	command(t, "registry", "backup", "--data", dir, out).check(t, statusFailure, nil, []string{"exists: name a new directory"})
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	registry.stop()
	if got := registry.status(); got != statusOK {
		t.Fatalf("exit status %d, want %d", got, statusOK)
	}

	command(t, "registry", "check", dir).check(t, statusOK, []string{"znodes", "closed in order"}, nil)
	got := command(t, "registry", "check", out, "-o", "json")
	got.check(t, statusOK, nil, nil)
	var doc struct {
		Znodes   int
		Restored bool
	}
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || doc.Znodes != 6 || !doc.Restored {
		t.Errorf("got %+v, %v, want 6 znodes, restored", doc, err)
	}
	flip(t, out, "mark", 520)
	command(t, "registry", "check", out).check(t, statusFailure, []string{"znodes"}, []string{"would start in spite of this", out + "/mark is damaged at offset 512"})
	flip(t, out, "mark", 520)
	flip(t, out, "snapshot.", 40)
	command(t, "registry", "check", out).check(t, statusFailure, nil, []string{out + "/snapshot.", "is damaged at offset"})
	flip(t, dir, "log.", 60)
	command(t, "registry", "check", dir).check(t, statusFailure, nil, []string{dir + "/log.", "is damaged at offset 36"})
	command(t, "registry", "--data", dir, "--listen", "127.0.0.1:0").check(t, statusFailure, nil, []string{dir + "/log.", "is damaged at offset 36", "restore a backup"})
}

// flip changes a byte of the first file with that beginning.
func flip(t *testing.T, dir, prefix string, offset int) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s in %s: %v", prefix, dir, err)
	}
	b, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	b[offset] ^= 1
	if err := os.WriteFile(found[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
}
