// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// unlimited are the lines that are logged by default, which are those of Info and more,
// and do not go through a loglimit.Limiter, and why no peer can cause them without end:
// each is written
//
//	once      in the life of what it tells of
//	change    when a state changes that no stranger can change at will
//	program   where the program itself does something, or an operator
//	own       under a limit of its own
var unlimited = map[string]map[string]string{
	"": {
		"calls in flight are cancelled":                          "once",
		"the entry could not be removed, the session's end will": "once",
		"the registrar does not return, it is left alone":        "once",
		"the server cannot register":                             "program",
		"HTTP is not handled":                                    "program",
		"draining":                                               "once",
		"waiting for calls in flight":                            "once",
		"debug page":                                             "once",
		"serving":                                                "once",
		"advertised address chosen":                              "once",
		"the registry answers":                                   "change",
		"in the list":                                            "change",
		"no call is refused for overload any more":               "change",
		"the registry does not answer: calling from the last list until it does": "change",
		"the registry does not answer: waiting for the first list of instances":  "change",
		"not in the list yet: serving, and waiting for the registry":             "own",
		"not in the list any more: serving, and waiting for the registry":        "own",
	},
	"auth": {
		"others than its owner may read a file with secrets: chmod 600 it": "once",
		"a file has changed, and what it says is in use":                   "change",
		"a changed file cannot be used: what it said before stays in use":  "change",
	},
	"tlsfiles": {
		"the TLS certificates in use are not valid yet, handshakes fail: look at the clock":        "own",
		"the TLS certificates in use have expired, handshakes fail until their file has a new one": "own",
		"TLS files have changed": "change",
		"changed TLS files cannot be used: what they said before stays in use": "change",
	},
	"discovery/zookeeper": { // who may write the list is trusted with more than the log
		"registry has no persistent watches: using one-shot watches": "change",
		"directory begins another life: reading everything again":    "change",
		"the other entry with our id is gone":                        "change",
		"registered":                                                 "change",
		"deleted the elder entry with our id":                        "change",
		"overrides changed":                                          "change",
		"entry is not an instance":                                   "once",
		"our entry is gone":                                          "change",
		"the registry does not answer: our entry is probably gone, and comes back with it": "change",
		"a younger entry of another live session has our id":                               "change",
		"overrides cannot be read: those last read stay in force":                          "change",
	},
	"zk": {
		"zookeeper authentication failed":      "once",
		"zookeeper session expired":            "change",
		"zookeeper connection lost":            "change",
		"zookeeper connected":                  "change",
		"zookeeper does not answer, trying on": "own",
	},
	"zk/zkserver": {
		"the data is a backup or older than clients may know it":   "once",
		"the registry does not serve any more":                     "once",
		"the data cannot be kept, stopping":                        "once",
		"the disk is full: writing a snapshot in place of the log": "once",
		"the disk is slow": "own",
		"data loaded":      "once",
		"snapshot written": "own", // behind so much log
	},
	"zk/zkserver/store": {
		"data directory": "once",
		"data directory: going on in spite of damage": "once",
	},
	"internal/loglimit": {"": "own"},
	"cmd/rollcall":      {"configuration": "once"},
}

// Every line that a peer can cause goes through the limiter: the others
// are known, and why.
func TestLogLinesAreLimited(t *testing.T) {
	only(t, "it reads the sources", "tcp")
	found := map[string]map[string]bool{}
	for _, p := range loadPackages(t) {
		dir := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if strings.HasPrefix(dir, "examples/") || strings.HasPrefix(dir, "internal/chaos") {
			continue // programs of their own, and for tests
		}
		found[dir] = map[string]bool{}
		for _, line := range p.logLines(t) {
			if unlimited[dir][line.message] == "" {
				t.Errorf("%v writes %q without a limit: use a loglimit.Limiter, or say in unlimited why no peer can cause it without end", line.at, line.message)
			}
			found[dir][line.message] = true
		}
	}
	for dir, lines := range unlimited {
		for message := range lines {
			if !found[dir][message] {
				t.Errorf("package %q does not write %q: take it out of unlimited", dir, message)
			}
		}
	}
}

// A goPackage is what go list tells of a package.
type goPackage struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	Standard                bool

	exports map[string]string // the compiled packages, by path
}

// loadPackages returns the packages of the module that are compiled on this system.
func loadPackages(t *testing.T) (ours []goPackage) {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,Standard", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	exports := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		p := goPackage{exports: exports}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return ours
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if p.ImportPath == module || strings.HasPrefix(p.ImportPath, module+"/") {
			ours = append(ours, p)
		}
	}
}

// A logLine is a call that writes a line of Info or more to a slog.Logger.
type logLine struct {
	at      token.Position
	message string // empty: it is not a constant
}

// logLines returns those of a package. What goes through a limiter is none.
func (p *goPackage) logLines(t *testing.T) (lines []logLine) {
	t.Helper()
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	config := types.Config{Importer: importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(p.exports[path]) })}
	info := types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	if _, err := config.Check(p.ImportPath, set, files, &info); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			f, ok := info.Uses[method.Sel].(*types.Func)
			if !ok || f.Pkg() == nil || f.Pkg().Path() != "log/slog" {
				return true
			}
			at := -1
			switch f.Name() {
			case "Info", "Warn", "Error":
				at = 0
			case "InfoContext", "WarnContext", "ErrorContext":
				at = 1
			case "Log", "LogAttrs":
				at = 2
			}
			if at < 0 {
				return true
			}
			line := logLine{at: set.Position(call.Pos())}
			if value := info.Types[call.Args[at]].Value; value != nil && value.Kind() == constant.String {
				line.message = constant.StringVal(value)
			}
			lines = append(lines, line)
			return true
		})
	}
	return lines
}
