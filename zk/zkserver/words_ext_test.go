// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk/jute"
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
	c.nc.Close()
	return string(b)
}

func everyWord(t *testing.T) (addr string) {
	t.Helper()
	_, addr = startServer(t, zkserver.Options{FourLetterWords: []string{"*"}})
	return addr
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
		"conf": `(?m)^clientPort=` + addr[strings.LastIndex(addr, ":")+1:] + `\n(.|\n)*^tickTime=2000\n(.|\n)*^minSessionTimeout=4000\nmaxSessionTimeout=40000\n`,
		"envi": `^Environment:\nzookeeper\.version=3\.8\.4-.*\nhost\.name=.*\njava\.version=none\n`,
		"dirs": `^datadir_size: \d+\nlogdir_size: \d+\n$`,
		"mntr": `(?m)^zk_ephemerals_count\t1\n(.|\n)*^zk_znode_count\t6\n`,
	} {
		if got := word(t, addr, w); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s: got %q, want a match of %s", w, got, want)
		}
	}
}

func TestFourLetterWordsNotListed(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{FourLetterWords: []string{"ruok"}})
	if got, want := word(t, addr, "stat"), "stat is not executed because it is not in the whitelist.\n"; got != want {
		t.Errorf("stat: got %q, want %q", got, want)
	}
	if got := word(t, addr, "srvr"); !strings.Contains(got, "Mode: standalone") {
		t.Errorf("srvr, which is always listed: got %q", got)
	}
	if got, want := word(t, addr, "ruok"), "imok"; got != want {
		t.Errorf("ruok: got %q, want %q", got, want)
	}
	// What is costly, or tells who the clients are, is not listed by default.
	_, addr = startServer(t, zkserver.Options{})
	for _, w := range []string{"cons", "crst", "dump", "gtmk", "hash", "srst", "stmk", "wchc", "wchp", "wchs"} {
		if got, want := word(t, addr, w), w+" is not executed because it is not in the whitelist.\n"; got != want {
			t.Errorf("%s: got %q, want %q", w, got, want)
		}
	}
	if got, want := word(t, everyWord(t), "gtmk"), "306"; got != want {
		t.Errorf("all listed: gtmk: got %q, want %q", got, want)
	}
}

// field returns the number behind a key, as "recved=4".
func field(t *testing.T, text, key string) string {
	t.Helper()
	m := regexp.MustCompile(key + `[=\t ]([^,)\s]+)`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in %q", key, text)
	}
	return m[1]
}

// line returns the line of the answer in which part is.
func lineOf(t *testing.T, text, part string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	t.Fatalf("no line with %q in %q", part, text)
	return ""
}

// Every packet is counted once, for its connection and for the server.
func TestPacketsAreCounted(t *testing.T) {
	addr := everyWord(t)
	a, b := open(t, addr, 10*time.Second), open(t, addr, 10*time.Second)
	b.must(jute.OpAddWatch, &jute.PathModeRequest{Path: "/", Mode: 1}, nil)
	a.create("/n", 0) // and an event to b
	a.must(jute.OpGetData, &jute.PathWatchRequest{Path: "/n"}, nil)
	a.fails(jute.ErrNoNode, jute.OpGetData, &jute.PathWatchRequest{Path: "/missing"})
	ping(a)
	b.message()
	cons := word(t, addr, "cons")
	la, lb := lineOf(t, cons, fmt.Sprintf("sid=0x%x", a.id)), lineOf(t, cons, fmt.Sprintf("sid=0x%x", b.id))
	for _, tt := range []struct{ line, key, want string }{
		{la, "recved", "5"},
		{la, "sent", "5"},
		{la, "lop", "PING"},
		{la, "to", "10000"},
		{la, "queued", "0"},
		{lb, "recved", "2"},
		{lb, "sent", "3"},
		{lb, "lop", "ADDW"},
		{lb, "lcxid", "0x1"},
	} {
		if got := field(t, tt.line, tt.key); got != tt.want {
			t.Errorf("%s in %q: got %s, want %s", tt.key, tt.line, got, tt.want)
		}
	}
	mntr := word(t, addr, "mntr")
	// The owner counts for the server when replies may be on their way already.
	for range 1000 {
		if field(t, mntr, "zk_packets_sent") == "8" {
			break
		}
		mntr = word(t, addr, "mntr")
	}
	for key, want := range map[string]string{
		"zk_packets_received": "7", "zk_packets_sent": "8", "zk_watch_count": "1", "zk_connection_request_count": "2",
		"zk_global_sessions": "2", "zk_cnt_updatelatency": "3", "zk_cnt_readlatency": "4", "zk_approximate_data_size": "50",
	} {
		if got := field(t, mntr, key); got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
	if got, want := word(t, addr, "crst"), "Connection stats reset.\n"; got != want {
		t.Errorf("crst: got %q, want %q", got, want)
	}
	la = lineOf(t, word(t, addr, "cons"), fmt.Sprintf("sid=0x%x", a.id))
	if !strings.Contains(la, "recved=0,sent=0,") || !strings.Contains(la, "lop=NA,") || strings.Contains(la, "lcxid") {
		t.Errorf("cons after crst: got %q", la)
	}
	if got, want := word(t, addr, "srst"), "Server stats reset.\n"; got != want {
		t.Errorf("srst: got %q, want %q", got, want)
	}
	if got := word(t, addr, "srvr"); !strings.Contains(got, "min/avg/max: 0/0.0/0\nReceived: 0\nSent: 0\n") {
		t.Errorf("srvr after srst: got %q", got)
	}
}

// The trace mask is 8 bytes behind the word, and may come late.
func TestTraceMask(t *testing.T) {
	addr := everyWord(t)
	c := dialRaw(t, addr)
	c.write([]byte("stmk\x00\x00"))
	c.write([]byte("\x00\x00\x00\x00\x00\x07"))
	b, err := io.ReadAll(c.nc)
	if string(b) != "7" || err != nil {
		t.Errorf("stmk: got %q %v, want 7", b, err)
	}
	if got := word(t, addr, "gtmk"); got != "7" {
		t.Errorf("gtmk: got %q, want 7", got)
	}
}

// shapes replaces what differs from server to server by what it is.
var shapes = []struct{ from, to string }{
	{`(?m)^Zookeeper version: \d+\.\d+\.\d+-.*, built on .*$`, "VERSION"},
	{`expire at \w{3} \w{3} \d\d \d\d:\d\d:\d\d \w+ \d{4}`, "expire at DATE"},
	{`0x[0-9a-f]+`, "HEX"},
	{`\d+\.\d+\.\d+\.\d+:\d+`, "ADDR"},
	{`-?\d+\.\d+`, "FLOAT"},
	{`-?\d+`, "INT"},
}

// shape returns what a word is answered without what differs.
func shape(w, text string) string {
	for _, s := range shapes {
		text = regexp.MustCompile(s.from).ReplaceAllString(text, s.to)
	}
	if w == "dump" || w == "cons" || w == "stat" || w == "wchp" || w == "wchc" {
		lines := strings.Split(text, "\n")
		slices.Sort(lines) // their order is a table's
		text = strings.Join(slices.Compact(lines), "\n")
	}
	return text
}

func keysOf(text, sep string) map[string]bool {
	keys := map[string]bool{}
	for line := range strings.Lines(text) {
		key, _, _ := strings.Cut(line, sep)
		keys[key] = true
	}
	return keys
}

// What tools parse looks like what Apache ZooKeeper writes.
func TestFourLetterWordsApache(t *testing.T) {
	t.Parallel()
	z := realtest.Apache(t)
	all := map[string]map[string]string{}
	for name, addr := range map[string]string{"ours": everyWord(t), "theirs": z.Addr()} {
		a, b := open(t, addr, 10*time.Second), open(t, addr, 10*time.Second)
		a.create("/e1", 1)
		a.create("/e2", 1)
		b.create("/e3", 1)
		for _, c := range []*rawConn{a, b} {
			c.must(jute.OpGetData, &jute.PathWatchRequest{Path: "/e1", Watch: true}, nil)
			c.must(jute.OpGetData, &jute.PathWatchRequest{Path: "/e3", Watch: true}, nil)
			c.must(jute.OpGetChildren, &jute.PathWatchRequest{Path: "/", Watch: true}, nil)
		}
		waitFor(t, "count of two connections and that which asks", func() bool {
			return field(t, word(t, addr, "mntr"), "zk_num_alive_connections") == "3"
		})
		answers := map[string]string{}
		for _, w := range []string{
			"ruok", "ruok\n", "RUOK", "isro", "isro\n", "srvr", "stat", "conf", "cons", "dump", "wchs", "wchc", "wchp",
			"dirs", "gtmk", "hash", "mntr", "abcd",
			"stmk\x00\x00\x00\x00\x00\x00\x01\x32", "crst", "srst",
		} {
			answers[w] = word(t, addr, w)
		}
		all[name] = answers
	}
	for w, theirs := range all["theirs"] {
		ours := all["ours"][w]
		switch w {
		case "conf":
			if diff := cmp.Diff(keysOf(ours, "="), keysOf(theirs, "=")); diff != "" {
				t.Errorf("conf: keys (-ours +theirs):\n%s", diff)
			}
		case "mntr":
			compareMntr(t, ours, theirs)
		default:
			if diff := cmp.Diff(shape(w, ours), shape(w, theirs)); diff != "" {
				t.Errorf("%s (-ours +theirs):\n%s", w, diff)
			}
		}
	}
}

// compareMntr demands that there are no keys that ZooKeeper has not, none is missing
// that tools look for, and that they tell the same of the same state.
func compareMntr(t *testing.T, ours, theirs string) {
	t.Helper()
	mine, known := keysOf(ours, "\t"), keysOf(theirs, "\t")
	for key := range maps.Keys(mine) {
		if !known[key] {
			t.Errorf("mntr: %s is not a key of ZooKeeper's", key)
		}
	}
	for key := range strings.FieldsSeq(monitored) {
		if !mine["zk_"+key] {
			t.Errorf("mntr: no zk_%s", key)
		}
	}
	for key := range strings.FieldsSeq(counted) {
		if got, want := field(t, ours, "zk_"+key), field(t, theirs, "zk_"+key); got != want {
			t.Errorf("mntr: zk_%s: got %s, want %s", key, got, want)
		}
	}
}

// monitored are the keys of mntr that tools are known to look for, and counted
// those of which the values are those of a state that a test knows.
const (
	monitored = `version server_state ephemerals_count num_alive_connections avg_latency min_latency max_latency
		outstanding_requests znode_count watch_count packets_sent packets_received approximate_data_size
		open_file_descriptor_count max_file_descriptor_count global_sessions local_sessions uptime
		connection_drop_probability last_client_response_size max_client_response_size min_client_response_size
		outstanding_tls_handshake auth_failed_count non_mtls_remote_conn_count non_mtls_local_conn_count
		bytes_received_count response_bytes watch_bytes connection_rejected connection_request_count
		connection_drop_count connection_revalidate_count stale_sessions_expired snap_count commit_count
		sessionless_connections_expired throttled_ops unrecoverable_error_count large_requests_rejected
		avg_readlatency cnt_updatelatency sum_fsynctime max_snapshottime`
	counted = `server_state znode_count watch_count ephemerals_count global_sessions auth_failed_count
		local_sessions outstanding_requests approximate_data_size connection_rejected stale_sessions_expired
		large_requests_rejected`
)

// Where there is a disk, tools are told where and how much.
func TestDataDirIsTold(t *testing.T) {
	dir := t.TempDir()
	_, addr := startServer(t, zkserver.Options{DataDir: dir})
	size := func() (n int) {
		_, err := fmt.Sscanf(word(t, addr, "dirs"), "datadir_size: %d\n", &n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := size()
	c := open(t, addr, 10*time.Second)
	node := newNode("/n", 0)
	node.Data = make([]byte, 1<<19)
	c.must(jute.OpCreate, node, nil)
	if got := size(); got < before+1<<19 {
		t.Errorf("after half a MiB: got %d bytes, want more than %d", got, before+1<<19)
	}
	if got := word(t, addr, "conf"); !strings.Contains(got, "dataDir="+dir+"\n") {
		t.Errorf("conf: got %q, want dataDir=%s", got, dir)
	}
}
