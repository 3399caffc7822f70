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
	cEvent  = regexp.MustCompile(`^Watcher (\w+) state = (\w+)(?: for path (.*))?$`)
	cNoise  = regexp.MustCompile(`^$|^time = \d+ msec$|^Got a new session id: |:ZOO_[A-Z]+@`)
	cVaries = []struct {
		from *regexp.Regexp
		to   string
	}{
		{regexp.MustCompile(`^\t([cm]zxid)=[1-9a-f][0-9a-f]*$`), "\t$1=ZXID"},
		{regexp.MustCompile(`^\t([cm]time) ?= ?.*$`), "\t$1=TIME"},
		{regexp.MustCompile(`^\t(ephemeralOwner) = [1-9a-f][0-9a-f]*$`), "\t$1 = SESSION"},
	}
	cDialect = dialect{
		mark: func(n int) (command, end string) {
			return fmt.Sprintf("ls /mark-%d", n), fmt.Sprintf("/mark-%d: rc = -101", n)
		},
		clean: cleanC,
		order: orderC,
	}
)

// orderC sorts the children that ls and ls2 print before the parent's stat.
func orderC(command string, answer []string) {
	if !strings.HasPrefix(command, "ls") || len(answer) == 0 {
		return
	}
	children := answer[1:]
	if end := slices.IndexFunc(children, func(line string) bool { return strings.Contains(line, "=") }); end >= 0 {
		children = children[:end]
	}
	slices.Sort(children)
}

func cleanC(line string) (string, lineKind) {
	if cNoise.MatchString(line) {
		return "", noise
	}
	if m := cEvent.FindStringSubmatch(line); m != nil {
		if m[1] == "SESSION_EVENT" {
			return m[2], state
		}
		return m[1] + " " + m[3], event
	}
	for _, v := range cVaries {
		line = v.from.ReplaceAllString(line, v.to)
	}
	return strings.TrimRight(line, " "), text
}

// TestCCLI plays a transcript of the C client's command line.
func TestCCLI(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		c := startConsole(t, realtest.CCLI(t, s.Addr()), cDialect)
		_, apache := s.(*realtest.ZooKeeper)
		playTranscript(t, c, "ccli.txt", s.Addr(), *update && apache)
	})
}

// TestCCLIRestart has watches of the C client outlive a restart.
func TestCCLIRestart(t *testing.T) {
	eachDurable(t, func(t *testing.T, s server) {
		p := newProxy(t, s.Addr())
		c, other := startConsole(t, realtest.CCLI(t, p.Addr()), cDialect), dialGo(t, s.Addr(), longSession)
		c.awaitState(t, "CONNECTED_STATE")
		for _, command := range []string{
			"create /r", "create /r/data", "create /r/dir", "create /quiet",
			"get /r/data", "ls /r/dir", "wexists /r/missing", "get /quiet",
		} {
			c.run(t, command)
		}
		p.Refuse()
		s.Stop()
		c.awaitState(t, "CONNECTING_STATE")
		other.await(t, zk.StateDisconnected)
		s.Start()
		other.await(t, zk.StateHasSession)
		_, err := other.Set("/r/data", []byte("x"), -1)
		check(t, "set", err, nil)
		other.add(t, "/r/missing", "", 0)
		other.add(t, "/r/dir/n", "", 0)
		p.Admit()
		c.awaitState(t, "CONNECTED_STATE")
		for _, want := range []string{"CHANGED_EVENT /r/data", "CREATED_EVENT /r/missing", "CHILD_EVENT /r/dir"} {
			c.wantEvent(t, want)
		}
		check(t, "delete", other.Delete("/quiet", -1), nil)
		c.wantEvent(t, "DELETED_EVENT /quiet")
	})
}
