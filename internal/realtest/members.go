// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package realtest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const peerClass = "org.apache.zookeeper.server.quorum.QuorumPeerMain"

// A Member is an Apache ZooKeeper server that somebody else starts and kills.
type Member struct {
	Addr    string // where it serves clients
	Command string // for a shell; it stays in the foreground
}

// Members returns n Apache ZooKeeper servers, not started yet: one alone, or an
// ensemble, on free ports of the loopback interface. Their data lasts as long as
// the test.
func Members(t testing.TB, n int) []Member {
	t.Helper()
	requireServer(t)
	ports := freePorts(t, 3*n) // of each: for clients, for peers, for elections
	var peers strings.Builder
	for i := 0; i < n && n > 1; i++ {
		fmt.Fprintf(&peers, "server.%d=127.0.0.1:%d:%d\n", i+1, ports[n+2*i], ports[n+2*i+1])
	}
	var members []Member
	for i := range n {
		data := t.TempDir()
		config := filepath.Join(data, "zoo.cfg")
		text := fmt.Sprintf("tickTime=500\ninitLimit=20\nsyncLimit=10\ndataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\n"+
			"admin.enableServer=false\nmaxClientCnxns=0\n%s", data, ports[i], peers.String())
		for path, text := range map[string]string{config: text, filepath.Join(data, "myid"): strconv.Itoa(i + 1)} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		members = append(members, Member{
			Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[i])),
			Command: "java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp " + serverJar + ":" + loggerJar +
				" " + peerClass + " " + config,
		})
	}
	return members
}

// freePorts returns n ports that nobody listens on, all different.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // after the last one is taken
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}
