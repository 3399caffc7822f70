// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
)

var (
	javaEvent = regexp.MustCompile(`^WatchedEvent state:(\w+) type:(\w+) path:(.*)$`)
	// What differs from run to run, and what stands for it.
	javaVaries = []struct {
		from *regexp.Regexp
		to   string
	}{
		{regexp.MustCompile(`^([cmp]Zxid) = 0x[1-9a-f][0-9a-f]*$`), "$1 = ZXID"},
		{regexp.MustCompile(`^([cm]time) = .*$`), "$1 = TIME"},
		{regexp.MustCompile(`^(ephemeralOwner) = 0x[1-9a-f][0-9a-f]*$`), "$1 = SESSION"},
		{regexp.MustCompile(`^(ZooKeeper CLI version): .*$`), "$1: VERSION"},
	}
	javaDialect = dialect{
		mark: func(n int) (command, end string) {
			return fmt.Sprintf("ls /mark-%d", n), fmt.Sprintf("Node does not exist: /mark-%d", n)
		},
		clean: cleanJava,
		order: func(command string, answer []string) {
			if command == "whoami" { // a set of identities
				slices.Sort(answer)
			}
			if strings.HasPrefix(command, "getEphemerals") { // a set of paths
				for i, line := range answer {
					paths := strings.Split(strings.Trim(line, "[]"), ", ")
					slices.Sort(paths)
					answer[i] = "[" + strings.Join(paths, ", ") + "]"
				}
			}
		},
	}
)

func cleanJava(line string) (string, lineKind) {
	if line == "" || line == "WATCHER::" {
		return "", noise
	}
	if m := javaEvent.FindStringSubmatch(line); m != nil {
		if m[2] == "None" {
			return m[1], state
		}
		return m[2] + " " + m[3], event
	}
	for _, v := range javaVaries {
		line = v.from.ReplaceAllString(line, v.to)
	}
	return line, text
}

// TestJavaCLI plays a transcript of ZooKeeper's command line in Java.
func TestJavaCLI(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		c := startConsole(t, realtest.JavaCLI(t, s.Addr()), javaDialect)
		_, apache := s.(*realtest.ZooKeeper)
		playTranscript(t, c, "javacli.txt", s.Addr(), *update && apache)
	})
}

// TestJavaCLIRestart has watches of the Java client outlive a restart: once
// there are persistent ones, it sends them all in its second form of setWatches.
func TestJavaCLIRestart(t *testing.T) {
	eachDurable(t, func(t *testing.T, s server) {
		p := newProxy(t, s.Addr())
		c, other := startConsole(t, realtest.JavaCLI(t, p.Addr()), javaDialect), dialGo(t, s.Addr(), longSession)
		c.awaitState(t, "SyncConnected")
		for _, command := range []string{
			"create /r", "create /r/data", "create /r/dir", "create -e /r/own", "create /tree",
			"get -w /r/data", "ls -w /r/dir", "stat -w /r/missing", "addWatch -m PERSISTENT /r", "addWatch -m PERSISTENT_RECURSIVE /tree",
		} {
			c.run(t, command)
		}
		p.Refuse()
		s.Stop()
		c.awaitState(t, "Disconnected")
		other.await(t, zk.StateDisconnected)
		s.Start()
		other.await(t, zk.StateHasSession)
		_, err := other.Set("/r/data", []byte("x"), -1)
		check(t, "set", err, nil)
		other.add(t, "/r/dir/n", "", 0)
		other.add(t, "/tree/missed", "", 0)
		p.Admit()
		c.awaitState(t, "SyncConnected")
		c.wantEvent(t, "NodeDataChanged /r/data")
		c.wantEvent(t, "NodeChildrenChanged /r/dir")
		for _, path := range []string{"/r/new", "/tree/deep", "/tree/deep/er"} {
			other.add(t, path, "", 0)
		}
		for _, want := range []string{"NodeChildrenChanged /r", "NodeCreated /tree/deep", "NodeCreated /tree/deep/er"} {
			c.wantEvent(t, want)
		}
		if got := c.run(t, "getEphemerals"); !slices.Equal(got, []string{"[/r/own]"}) {
			t.Errorf("ephemeral nodes after the restart: %q, want /r/own", got)
		}
	})
}

// TestJavaCLIWiped has the registry lose everything.
func TestJavaCLIWiped(t *testing.T) {
	t.Parallel()
	s := startRegistry(t, false)
	c := startConsole(t, realtest.JavaCLI(t, s.Addr()), javaDialect)
	c.awaitState(t, "SyncConnected")
	c.run(t, "create /gone")
	s.Wipe()
	c.awaitState(t, "Disconnected")
	c.awaitState(t, "Expired")
	c.run(t, "connect "+s.Addr())
	if got := c.run(t, "ls /"); !slices.Equal(got, []string{"[zookeeper]"}) {
		t.Errorf("ls / printed %q, want an empty tree", got)
	}
}
