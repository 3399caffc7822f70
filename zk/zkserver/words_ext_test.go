// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"io"
	"regexp"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// word sends a four-letter word and returns all that comes back.
func word(t *testing.T, addr, w string) string {
	t.Helper()
	c := dialRaw(t, addr)
	c.write([]byte(w))
	if err := c.nc.SetReadDeadline(time.Now().Add(frameWait)); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c.nc)
	if err != nil {
		t.Fatalf("%s: %v", w, err)
	}
	return string(b)
}

func TestFourLetterWords(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{})
	c := open(t, addr, 4*time.Second)
	c.create("/e", 1)
	for w, want := range map[string]string{
		"ruok":   `^imok$`,
		"ruok\n": `^imok$`,
		"isro":   `^rw$`,
		"RUOK":   `^$`,
		"srvr": `^Zookeeper version: \d+\.\d+\.\d+-.*, built on .*\nLatency min/avg/max: \d+/\d+\.\d{1,4}/\d+\n` +
			`Received: \d+\nSent: \d+\nConnections: \d+\nOutstanding: \d+\nZxid: 0x[0-9a-f]+\nMode: standalone\nNode count: 6\n$`,
		"stat": `^Zookeeper version: .*\nClients:\n( /127\.0\.0\.1:\d+\[\d\]\(queued=\d+,recved=\d+,sent=\d+\)\n)+\nLatency `,
		"conf": `(?m)^tickTime=2000\n(.|\n)*^minSessionTimeout=4000\nmaxSessionTimeout=40000\n`,
		"envi": `^Environment:\nzookeeper\.version=3\.9\.`,
		"mntr": `(?m)^zk_ephemerals_count\t1\n(.|\n)*^zk_znode_count\t6\n`,
	} {
		if got := word(t, addr, w); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s: got %q, want a match of %s", w, got, want)
		}
	}
}

func TestFourLetterWordsNotListed(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{FourLetterWords: []string{"ruok"}})
	if got, want := word(t, addr, "srvr"), "srvr is not executed because it is not in the whitelist.\n"; got != want {
		t.Errorf("srvr: got %q, want %q", got, want)
	}
	if got, want := word(t, addr, "ruok"), "imok"; got != want {
		t.Errorf("ruok: got %q, want %q", got, want)
	}
	_, addr = startServer(t, zkserver.Options{FourLetterWords: []string{"*"}})
	if got, want := word(t, addr, "isro"), "rw"; got != want {
		t.Errorf("isro: got %q, want %q", got, want)
	}
}
