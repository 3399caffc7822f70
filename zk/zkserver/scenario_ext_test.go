// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// rewrite records anew what both servers answer. Read the difference before
// committing it: lines that begin with "<" are where ours is not like 3.8.0.
var rewrite = flag.Bool("rewrite", false, "record the scenarios' answers from this server and Apache ZooKeeper")

// A scenario is a script in a directory of testdata, a command per line, each
// followed by what is answered:
//
//	a create /x data=1
//	> ok /x
//	b exists /x
//	> noauth
//	< ok …
//
// "a" and "b" name connections, opened at their first command. ">" is the answer
// of both servers, or of ours if lines with "<" follow, which are Apache
// ZooKeeper 3.8.0's. What cannot be equal is made so: paths are below a node of
// the scenario's own, zxids are replaced by their rank, sessions by the names of
// their connections. A name that begins with 0raw stands for a scenario on a
// fresh server, whose paths are as they are.
//
// Where the servers differ, testdata/divergences.txt says why.
type scenario struct {
	file   string
	steps  []step
	played int // how often on the server at hand
}

type step struct {
	comment      []string // lines before it, verbatim
	lines        []string // the command, and the operations of a multi
	ours, theirs []string
}

// command returns the command and its operations in one line.
func (st *step) command() string {
	lines := make([]string, len(st.lines))
	for i, line := range st.lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(lines, "; ")
}

func loadScenario(t *testing.T, file string) *scenario {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sc := &scenario{file: file}
	var comment []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		last := len(sc.steps) - 1
		switch {
		case strings.HasPrefix(line, "> "):
			sc.steps[last].ours = append(sc.steps[last].ours, line[2:])
		case strings.HasPrefix(line, "< "):
			sc.steps[last].theirs = append(sc.steps[last].theirs, line[2:])
		case strings.HasPrefix(line, "  "):
			sc.steps[last].lines = append(sc.steps[last].lines, line)
		case line == "" || line[0] == '#':
			comment = append(comment, line)
		default:
			sc.steps = append(sc.steps, step{comment: comment, lines: []string{line}})
			comment = nil
		}
	}
	return sc
}

func (sc *scenario) save(t *testing.T) {
	t.Helper()
	var b strings.Builder
	for _, st := range sc.steps {
		for _, line := range slices.Concat(st.comment, st.lines) {
			fmt.Fprintln(&b, line)
		}
		for _, line := range st.ours {
			fmt.Fprintln(&b, "> "+line)
		}
		if !slices.Equal(st.ours, st.theirs) {
			for _, line := range st.theirs {
				fmt.Fprintln(&b, "< "+line)
			}
		}
	}
	if err := os.WriteFile(sc.file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// base is the node below which the scenario is played.
func (sc *scenario) base() string {
	if sc.played > 1 {
		return fmt.Sprintf("/%s-%d", sc.name(), sc.played)
	}
	return "/" + sc.name()
}

// timed reports whether the scenario goes wrong where steps take too long.
func (sc *scenario) timed() bool {
	return slices.ContainsFunc(sc.steps, func(st step) bool {
		return strings.Contains(st.lines[0], " least=") || strings.HasSuffix(st.lines[0], " restart")
	})
}

// waits reports whether a step takes its time.
func (st *step) waits() bool {
	verb := strings.Fields(st.lines[0])[1]
	return verb == "wait" || verb == "eof" || strings.Contains(st.lines[0], " retry=")
}

func (sc *scenario) name() string { return strings.TrimSuffix(filepath.Base(sc.file), ".txt") }

// A suite is a directory of scenarios for servers with the same settings, ours
// and Apache ZooKeeper's.
type suite struct {
	dir            string
	opts           zkserver.Options
	kept           bool     // this server has a disk, as Apache ZooKeeper's always has
	apacheSettings []string // what makes Apache ZooKeeper's the same
}

var suites = []suite{
	{dir: "scenarios"},
	{
		dir: "extended",
		opts: zkserver.Options{
			ExtendedTypes: true, EnforceQuota: true, ContainerCheckInterval: 200 * time.Millisecond,
			SuperDigest: zkserver.Digest([]byte("super:secret")),
		},
		apacheSettings: []string{
			"extendedTypesEnabled=true", "enforceQuota=true", "-Dznode.container.checkIntervalMs=200",
			"-Dzookeeper.DigestAuthenticationProvider.superDigest=" + zkserver.Digest([]byte("super:secret")),
		},
	},
	{
		dir:  "nodigest",
		opts: zkserver.Options{DigestDisabled: true, SuperDigest: zkserver.Digest([]byte("super:secret"))},
		apacheSettings: []string{
			"DigestAuthenticationProvider.enabled=false",
			"-Dzookeeper.DigestAuthenticationProvider.superDigest=" + zkserver.Digest([]byte("super:secret")),
		},
	},
	{
		dir: "providers",
		opts: zkserver.Options{
			DigestAlgorithm: zkserver.DigestSHA3256, SuperDigest: zkserver.DigestSHA3256.Digest([]byte("super:secret")),
			EnsembleNames: []string{"one", "two"}, ReconfigEnabled: true, MaxPacketBytes: 200,
			FourLetterWords: []string{},
		},
		apacheSettings: []string{
			"DigestAuthenticationProvider.digestAlg=SHA3-256",
			"-Dzookeeper.DigestAuthenticationProvider.superDigest=" + zkserver.DigestSHA3256.Digest([]byte("super:secret")),
			"authProvider.1=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider", "ensembleAuthName=one,two",
			"reconfigEnabled=true", "-Djute.maxbuffer=200", "4lw.commands.whitelist=",
		},
	},
	{
		dir:  "skipacl",
		kept: true,
		opts: zkserver.Options{
			SkipACL: true, MaxConnectionsPerHost: 6, HandshakeTimeout: 3 * time.Second,
			DigestAlgorithm: zkserver.DigestSHA512, EnsembleNames: []string{},
		},
		apacheSettings: []string{
			"-Dzookeeper.skipACL=yes", "maxClientCnxns=6", "nio.sessionlessCnxnTimeout=3000",
			"DigestAuthenticationProvider.digestAlg=SHA-512",
			"authProvider.1=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider",
		},
	},
}

func (su *suite) files(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", su.dir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in %s: %v", su.dir, err)
	}
	return files
}

func (su *suite) ours(t *testing.T) place {
	t.Helper()
	opts := su.opts
	opts.TickTime = 500 * time.Millisecond
	if opts.FourLetterWords == nil {
		opts.FourLetterWords = []string{"*"}
	}
	if su.kept {
		opts.DataDir = t.TempDir()
	}
	s, addr := startServer(t, opts)
	return place{addr: addr, restart: func() string {
		s.Close()
		s, addr = startServer(t, opts)
		return addr
	}}
}

func (su *suite) apache(t *testing.T) place {
	t.Helper()
	z := realtest.Apache(t, su.apacheSettings...)
	return place{addr: z.Addr(), restart: func() string {
		z.Kill() // it may take 10 s to stop, and sessions end meanwhile
		z.Start()
		return z.Addr()
	}}
}

// loadScenarios returns all scenarios of all suites.
func loadScenarios(t *testing.T) []*scenario {
	t.Helper()
	var all []*scenario
	for _, su := range suites {
		for _, file := range su.files(t) {
			all = append(all, loadScenario(t, file))
		}
	}
	return all
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, su := range suites {
		if *rewrite {
			rewriteScenarios(t, &su)
			continue
		}
		for _, file := range su.files(t) {
			sc := loadScenario(t, file)
			t.Run(su.dir+"/"+sc.name(), func(t *testing.T) {
				t.Parallel()
				sc.play(t, su.ours(t), func(st *step) []string { return st.ours })
			})
		}
	}
}

// TestApache demands that the recorded answers are those of Apache ZooKeeper, one
// server for each suite, and that it does what this one does.
func TestApache(t *testing.T) {
	if *rewrite {
		t.Skip("recording")
	}
	t.Parallel()
	for _, su := range suites {
		t.Run(su.dir, func(t *testing.T) {
			t.Parallel()
			at := su.apache(t)
			for _, file := range su.files(t) {
				sc := loadScenario(t, file)
				t.Run(sc.name(), func(t *testing.T) { sc.play(t, at, (*step).apache) })
			}
			switch su.dir {
			case "scenarios":
				testRandom(t, su.ours(t), at)
			case "extended":
				testBoth(t, func(*testing.T) place { return at })
			}
		})
	}
}

// apache returns what Apache ZooKeeper answers.
func (st *step) apache() []string {
	if st.theirs != nil {
		return st.theirs
	}
	return st.ours
}

const (
	// tries is how often a scenario in which time counts is played when a step
	// that waits for nothing takes tooLong: sessions of a few seconds cannot be
	// kept on a machine that pauses that long.
	tries   = 3
	tooLong = time.Second
)

// play demands the answers on a server.
func (sc *scenario) play(t *testing.T, at place, want func(*step) []string) {
	t.Helper()
	for sc.played = 1; ; sc.played++ {
		got, slowest := runScenario(t, sc, at)
		wrong := false
		for i := range sc.steps {
			wrong = wrong || !slices.Equal(got[i], want(&sc.steps[i]))
		}
		if wrong && sc.timed() && slowest > tooLong && sc.played < tries {
			t.Logf("a step took %v: once more", slowest)
			continue
		}
		for i := range sc.steps {
			compareStep(t, sc, &sc.steps[i], got[i], want(&sc.steps[i]))
		}
		return
	}
}

// Every difference to Apache ZooKeeper is in the list with its reason, and the
// list has no others.
func TestDivergences(t *testing.T) {
	text, err := os.ReadFile("testdata/divergences.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed, reason := map[string]bool{}, false
	for line := range strings.Lines(string(text)) {
		switch line = strings.TrimSpace(line); {
		case line == "":
			reason = false
		case strings.HasPrefix(line, "#"):
			reason = true
		case !reason:
			t.Errorf("%q stands there without a reason above it", line)
		default:
			listed[line] = false
		}
	}
	for _, sc := range loadScenarios(t) {
		for _, st := range sc.steps {
			if st.theirs == nil {
				continue
			}
			name := sc.name() + ": " + st.command()
			if _, ok := listed[name]; !ok {
				t.Errorf("%s: Apache ZooKeeper answers something else, and testdata/divergences.txt does not say why", name)
			}
			listed[name] = true
		}
	}
	for name, found := range listed {
		if !found {
			t.Errorf("%s: in testdata/divergences.txt, and no scenario differs there", name)
		}
	}
}

// Every operation has a handler, a codec and a scenario.
func TestEveryOperation(t *testing.T) {
	used := map[jute.OpCode]bool{}
	p := &player{t: t, known: map[string]*rawConn{}}
	for _, sc := range loadScenarios(t) {
		for _, st := range sc.steps {
			for i, line := range st.lines {
				words := splitWords(t, line)
				if i == 0 {
					words = words[1:] // the connection's name
				}
				if connSteps[words[0]] == nil && words[0] != "op" {
					op, _ := p.request(words[0], p.parse(words[1:]))
					used[op] = true
				}
			}
		}
	}
	for _, op := range jute.Ops() {
		if !used[op.Code] {
			t.Errorf("%s: no scenario", op.Name)
		}
		if !zkserver.HasHandler(op.Code) {
			t.Errorf("%s: no handler", op.Name)
		}
		if op.NewRequest == nil || op.NewResponse == nil {
			t.Errorf("%s: no codec", op.Name)
		}
	}
}

func compareStep(t *testing.T, sc *scenario, st *step, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %s\ngot:\n  %s\nwant:\n  %s", sc.file, st.command(),
			strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func rewriteScenarios(t *testing.T, su *suite) {
	t.Helper()
	at := su.apache(t)
	for _, file := range su.files(t) {
		sc := loadScenario(t, file)
		ours, _ := runScenario(t, sc, su.ours(t))
		theirs, _ := runScenario(t, sc, at)
		for i := range sc.steps {
			sc.steps[i].ours, sc.steps[i].theirs = ours[i], theirs[i]
		}
		sc.save(t)
	}
}
