// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/zk/zkserver"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

func TestParseConfig(t *testing.T) {
	const text = `
# The number of milliseconds of each tick
tickTime=1500
  ! another comment
dataDir = /var/lib/\
          zookeeper
clientPort 2182
clientPortAddress: ::1
maxClientCnxns=0
maxCnxns=500
globalOutstandingLimit=2000
snapCount=5000
rollcall.snapshotBytes=2000000
rollcall.segmentBytes=0x100000
minSessionTimeout=-1
maxSessionTimeout=060000
jute.maxbuffer=0x3fffff
4lw.commands.whitelist=ruok, stat ,mntr
zookeeper.extendedTypesEnabled=true
enforceQuota=TRUE
skipACL=yes
zookeeper.DigestAuthenticationProvider.superDigest=super:lK75jTNcA+U9vtVEw5vB51mj/w4=
zookeeper.DigestAuthenticationProvider.digestAlg=sha3-256
nio.sessionlessCnxnTimeout=3000
authProvider.1=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider
ensembleAuthName=one,two
reconfigEnabled=true
znode.container.checkIntervalMs=5000
znode.container.maxPerMinute=100
znode.container.maxNeverUsedIntervalMs=3600000
enforce.auth.enabled=false
DigestAuthenticationProvider.enabled=false
datadir.autocreate=true
`
	got, warnings, err := zkserver.ParseConfig(strings.NewReader(text))
	if err != nil || len(warnings) > 0 {
		t.Fatalf("got warnings %v, error %v, want none", warnings, err)
	}
	want := zkserver.Config{
		Address: "[::1]:2182",
		Options: zkserver.Options{
			TickTime: 1500 * time.Millisecond, MaxSessionTimeout: time.Minute, MaxConnectionsPerHost: -1,
			MaxConnections: 500, MaxOutstanding: 2000,
			MaxPacketBytes: 0x3fffff, FourLetterWords: []string{"ruok", "stat", "mntr"},
			ExtendedTypes: true, EnforceQuota: true, SkipACL: true, DigestDisabled: true, DigestAlgorithm: "sha3-256", HandshakeTimeout: 3 * time.Second,
			EnsembleNames: []string{"one", "two"}, ReconfigEnabled: true, SuperDigest: "super:lK75jTNcA+U9vtVEw5vB51mj/w4=",
			DataDir: "/var/lib/zookeeper", Store: store.Options{SnapshotRecords: 5000, SnapshotBytes: 2_000_000, SegmentBytes: 1 << 20},
			ContainerCheckInterval: 5 * time.Second, ContainerMaxPerMinute: 100, ContainerMaxNeverUsed: time.Hour,
		},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("differs (-got +want):\n%s", diff)
	}
	if got.Options.SuperDigest != zkserver.Digest([]byte("super:secret")) {
		t.Error("the digest of super:secret is another")
	}
	got.Options.DataDir = "" // not in a test
	s, err := zkserver.New(got.Options)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestParseConfigEmpty(t *testing.T) {
	got, warnings, err := zkserver.ParseConfig(strings.NewReader(""))
	if diff := cmp.Diff(got, zkserver.Config{Address: ":2181"}); diff != "" || len(warnings) > 0 || err != nil {
		t.Errorf("got %v, %v, differs (-got +want):\n%s", warnings, err, diff)
	}
}

// What the files that come with ZooKeeper say is followed or warned of.
func TestParseConfigSample(t *testing.T) {
	const text = "tickTime=2000\r\ninitLimit=10\r\nsyncLimit=5\r\ndataDir=/tmp/zookeeper\r\nclientPort=2181\r\n" +
		"#maxClientCnxns=60\r\nautopurge.snapRetainCount=3\r\nautopurge.purgeInterval=1\r\n" +
		"metricsProvider.httpPort=7000\r\nadmin.serverPort=8080\r\nserver.1=localhost:2888:3888\r\nsnapCount=100\r\nfoo=bar\r\n" +
		"4lw.commands.whitelist=ruok,lsnp,sysp\r\ntickTime=3000\r\nssl.keyStore.password=hush\r\nauthProvider.1=x\r\n"
	got, warnings, err := zkserver.ParseConfig(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if got.Options.TickTime != 3*time.Second || got.Address != ":2181" || got.Options.DataDir != "/tmp/zookeeper" {
		t.Errorf("got %+v", got)
	}
	var lines []string
	for _, w := range warnings {
		lines = append(lines, fmt.Sprintf("%d %s", w.Line, w.Key))
		if !strings.Contains(w.String(), w.Key+"=") || w.Why == "" || strings.Contains(w.String(), "hush") {
			t.Errorf("%v: want the key, a reason, and no secret", w)
		}
	}
	want := []string{
		"1 tickTime", "2 initLimit", "3 syncLimit", "7 autopurge.snapRetainCount", "8 autopurge.purgeInterval",
		"9 metricsProvider.httpPort", "10 admin.serverPort", "11 server.1", "13 foo",
		"14 4lw.commands.whitelist", "14 4lw.commands.whitelist", "16 ssl.keyStore.password", "17 authProvider.1",
	}
	if diff := cmp.Diff(lines, want); diff != "" {
		t.Errorf("warnings (-got +want):\n%s", diff)
	}
}

// Where clients connect is said by clientPort, or behind the semicolon of the one
// member, as the official container image says it.
func TestParseConfigAddress(t *testing.T) {
	for text, want := range map[string]string{
		"server.1=localhost:2888:3888;2181":                                       ":2181",
		"server.1=127.0.0.1:2888:3888;127.0.0.1:31337":                            "127.0.0.1:31337",
		"server.1=localhost:2888:3888:participant;[::1]:02182":                    "[::1]:2182",
		"server.1=[::1]:2888:3888;[::1]:2182\nclientPort=2182":                    "[::1]:2182",
		"server.1=a:1:2|b:1:2;c:2182\nclientPort=2182\nclientPortAddress=0.0.0.0": "c:2182",
		"server.1=a:1:2;C:2182\nclientPort=2182\nclientPortAddress=c":             "C:2182",
		"clientPort=0\nserver.1=a:1:2;2182":                                       ":2182",
		"clientPort=2182\nserver.1=a:1:2;":                                        ":2182",
		"clientPort=2182\nserver.1=a:1:2":                                         ":2182",
		"server.1=a:1:2":                                                          ":2181",
	} {
		got, _, err := zkserver.ParseConfig(strings.NewReader(text))
		if err != nil || got.Address != want {
			t.Errorf("%q: got %q, error %v, want %q", text, got.Address, err, want)
		}
	}
}

// The scheme ensemble is there where its provider is named, with the names that
// there are or with any.
func TestParseConfigEnsemble(t *testing.T) {
	const provider = "authProvider.ensemble=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider\n"
	for text, want := range map[string][]string{
		provider:                               {},
		"ensembleAuthName=x\n" + provider:      {"x"},
		provider + "ensembleAuthName=x,y":      {"x", "y"},
		"ensembleAuthName=x\nauthProvider.1=y": nil,
	} {
		got, _, err := zkserver.ParseConfig(strings.NewReader(text))
		if diff := cmp.Diff(got.Options.EnsembleNames, want); diff != "" || err != nil {
			t.Errorf("%q: error %v, differs (-got +want):\n%s", text, err, diff)
		}
	}
}

// A line that cannot be followed is named with its key, its value and the fix.
func TestParseConfigErrors(t *testing.T) {
	for text, want := range map[string]string{
		"tickTime=2_000":                                "line 1: tickTime=2_000: want a whole number from 1 ",
		"tickTime=fast":                                 "line 1: tickTime=fast: want a whole number from 1 ",
		"\n\ntickTime=0":                                "line 3: tickTime=0: want",
		"tickTime=":                                     "line 1: tickTime=: want",
		"clientPort=70000":                              "line 1: clientPort=70000: want a whole number from 0 to 65535",
		"maxClientCnxns=-1":                             "line 1: maxClientCnxns=-1: want",
		"minSessionTimeout=-2":                          "line 1: minSessionTimeout=-2: want",
		"maxSessionTimeout=10":                          "line 1: maxSessionTimeout=10: sessions of 4s to 10ms: let minSessionTimeout",
		"minSessionTimeout=100000":                      "line 1: minSessionTimeout=100000: sessions of 1m40s to 40s: let",
		"jute.maxbuffer=4GB":                            "line 1: jute.maxbuffer=4GB: want",
		"jute.maxbuffer=0":                              "line 1: jute.maxbuffer=0: want",
		"enforceQuota=maybe":                            "line 1: enforceQuota=maybe: want true or false",
		"znode.container.maxPerMinute=0":                "line 1: znode.container.maxPerMinute=0: want",
		"DigestAuthenticationProvider.superDigest=hush": "superDigest=***: want user:base64(hash(user:password))",
		"DigestAuthenticationProvider.digestAlg=MD5":    "digestAlg=MD5: want SHA1, SHA-256, SHA-512 or SHA3-256",
		"server.1=a:1:2\nserver.2=b:1:2":                "line 2: server.2=b:1:2: a second member of an ensemble, and this server is always alone: run Apache ZooKeeper",
		"server.1=a:1:2;2181;2182":                      "line 1: server.1=a:1:2;2181;2182: want host:port:port, or",
		"server.1=a:1:2;b:c":                            "want host:port:port, or",
		"server.1=a:1:2;b:1:2":                          "want host:port:port, or",
		"server.1=a:1:2;:1":                             "want host:port:port, or",
		"server.1=a:1:2;[::1:2181":                      "want host:port:port, or",
		"server.1=a:1:2;65536":                          "want host:port:port, or",
		"server.1=a:1:1":                                "want host:port:port, or",
		"server.1=a:1":                                  "want host:port:port, or",
		"server.1=a:1:2:3:4":                            "want host:port:port, or",
		"server.1=a:1:x":                                "want host:port:port, or",
		"server.1=:1:2":                                 "want host:port:port, or",
		"server.1=a:1:2:observer;2181":                  "want host:port:port, or",
		"server.1=a:1:2|b:1":                            "want host:port:port, or",
		"server.1=":                                     "want host:port:port, or",
		"server.a=a:1:2":                                "want a number behind server.",
		"clientPort=2182\nserver.1=a:1:2;2181": "line 2: server.1=a:1:2;2181: clients are to connect at port 2181 here, " +
			"and at 2182 by clientPort in line 1: leave one of them",
		"server.1=a:1:2;b:2181\nclientPortAddress=c\nclientPort=2181": `line 1: server.1=a:1:2;b:2181: clients are to connect ` +
			`at address "b" here, and at "c" by clientPortAddress in line 2: leave one of them`,
		"clientPortAddress=127.0.0.1\nclientPort=2181\nserver.1=a:1:2;2181": "by clientPortAddress in line 1: leave one of them",
		"datadir.autocreate=false":          "line 1: datadir.autocreate=false: a data directory that is missing is made",
		"dynamicConfigFile=/x":              "line 1: dynamicConfigFile=/x: it names the members of an ensemble",
		"secureClientPort=2281":             "line 1: secureClientPort=2281: TLS is not built in",
		"client.portUnification=true":       "TLS is not built in",
		"sessionRequireClientSASLAuth=true": "clients cannot be made to authenticate",
		"requireClientAuthScheme=sasl":      "clients cannot be made to authenticate",
		"enforce.auth.enabled=true":         "clients cannot be made to authenticate",
	} {
		got, _, err := zkserver.ParseConfig(strings.NewReader(text))
		var ce *zkserver.ConfigError
		if !errors.As(err, &ce) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
		if diff := cmp.Diff(got, zkserver.Config{}); diff != "" {
			t.Errorf("%q: got a configuration besides an error:\n%s", text, diff)
		}
	}
	_, _, err := zkserver.ParseConfig(strings.NewReader("clientPort=x\nok=1\ntickTime=y\nserver.3=x\nserver.4=y\nserver.5=z"))
	if n := strings.Count(fmt.Sprint(err), "zkserver: configuration line"); n != 5 {
		t.Errorf("got %d errors in %v, want 5", n, err)
	}
	if _, _, err := zkserver.ParseConfig(strings.NewReader(strings.Repeat("#", 1<<20+1))); err == nil {
		t.Error("a file of more than a MiB: got no error")
	}
}

// FuzzParseConfig reads any text: nothing panics, and what is accepted makes a
// server.
func FuzzParseConfig(f *testing.F) {
	f.Add("tickTime=2000\nclientPort=2181\nserver.1=x\n4lw.commands.whitelist=*\nmaxClientCnxns:5")
	f.Add("a\\\nb=c\\u0041\\\\\n = \n\\")
	f.Add("minSessionTimeout=1\nmaxSessionTimeout=2\n\\u00=\\u12345\r\n!x\n#y")
	f.Fuzz(func(t *testing.T, text string) {
		cfg, _, err := zkserver.ParseConfig(strings.NewReader(text))
		if err != nil {
			return
		}
		cfg.Options.DataDir = "" // wherever that may be
		s, err := zkserver.New(cfg.Options)
		if err != nil {
			t.Fatalf("%q was accepted, and New says %v", text, err)
		}
		s.Close()
	})
}
