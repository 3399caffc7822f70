// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTestNames holds how the files of tests are called: NAME_ext_test.go, with
// the system after ext where it is for one, where the package is one of its own,
// and only there. Examples see the package from outside in any case.
func TestTestNames(t *testing.T) {
	outside := regexp.MustCompile(`_ext(_[a-z]+)?_test\.go$`)
	example := regexp.MustCompile(`^example(_[a-z_]+)?_test\.go$`)
	allGoFiles(t, func(file, _ string) {
		base := filepath.Base(file)
		if !strings.HasSuffix(base, "_test.go") {
			return
		}
		external := strings.HasSuffix(parseFile(t, file, parser.PackageClauseOnly).Name.Name, "_test")
		switch {
		case example.MatchString(base):
			if !external {
				t.Errorf("%s: examples stand in a package of their own, as those who use them do", file)
			}
		case external && !outside.MatchString(base):
			t.Errorf("%s is a test from outside: call it %s", file, strings.TrimSuffix(base, "_test.go")+"_ext_test.go")
		case !external && outside.MatchString(base):
			t.Errorf("%s is a test from inside: call it without _ext", file)
		}
	})
}

// TestIgnoredErrors demands a reason where what a call returns is ignored: it is
// called alone, and a directive tells why.
func TestIgnoredErrors(t *testing.T) {
	allGoFiles(t, func(file, _ string) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		for _, line := range ignored(parse(t, file, nil)) {
			t.Errorf("%s:%d ignores what a call returns: write f() //nolint:errcheck // and why", file, line)
		}
	})
}

// TestLogKeys demands that one search finds all: the same thing has the same key
// in every line of the log, and no value is one that only a program can read.
func TestLogKeys(t *testing.T) {
	allGoFiles(t, func(file, _ string) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		for _, fault := range logFaults(parse(t, file, nil)) {
			t.Errorf("%s:%s", file, fault)
		}
	})
}

// TestIdioms shows that the tests of idioms find what they look for.
func TestIdioms(t *testing.T) {
	for _, tt := range []struct {
		code string
		want int
	}{
		{`f()`, 0},
		{`_ = f`, 0},
		{`_ = f()`, 1},
		{`_, _ = f(1), 2`, 1},
		{`_, err = f()`, 0},
		{`log.Info("text", "error", err)`, 0},
		{`log.Info("text", "err", err)`, 1},
		{`log.Info("text", "cause", u.Err)`, 1},
		{`s.opts.Logger.WarnContext(ctx, "text", "addr", a)`, 1},
		{`s.opts.Logger.WarnContext(ctx, "text", "address", a, "peer", b)`, 1},
		{`logger.With("instance", i).Log(ctx, level, "text", "instanceID", i)`, 1},
		{`logger.With("entry", i).Debug("text", slog.String("znode", p))`, 2},
		{`logger.Info("text", slog.Any("error", err), "data", []byte(text))`, 1},
		{`logger.Info("text", slog.Any("stat", Stat{}), "stat", &Stat{})`, 2},
		{`logger.Info("text", attr, "count", 1)`, 0},
		{`t.Error("text", err)`, 0},
	} {
		file := parse(t, "", "package p\nfunc _() {\n"+tt.code+"\n}")
		if got := len(ignored(file)) + len(logFaults(file)); got != tt.want {
			t.Errorf("%s: got %d faults, want %d: %q", tt.code, got, tt.want, logFaults(file))
		}
	}
}

// A source is a parsed file that knows its lines.
type source struct {
	*ast.File
	lines *token.FileSet
}

func (s source) line(n ast.Node) int { return s.lines.Position(n.Pos()).Line }

// parse parses a file, or code where there is some.
func parse(t *testing.T, file string, code any) source {
	t.Helper()
	lines := token.NewFileSet()
	parsed, err := parser.ParseFile(lines, file, code, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return source{parsed, lines}
}

// ignored returns the lines that assign a call to blanks alone.
func ignored(s source) []int {
	var lines []int
	ast.Inspect(s.File, func(n ast.Node) bool {
		assign, ok := n.(*ast.AssignStmt)
		if !ok {
			return true
		}
		named := func(e ast.Expr) bool { id, ok := e.(*ast.Ident); return !ok || id.Name != "_" }
		called := func(e ast.Expr) bool { _, ok := e.(*ast.CallExpr); return ok }
		if !slices.ContainsFunc(assign.Lhs, named) && slices.ContainsFunc(assign.Rhs, called) {
			lines = append(lines, s.line(n))
		}
		return true
	})
	return lines
}

// keyOf has the key of what is often called otherwise.
var keyOf = map[string]string{
	"addr": "address", "peer": "address", "remote": "address",
	"entry": "instance", "err": "error", "node": "path", "znode": "path",
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// before is how many arguments of a logger's method stand before the attributes.
var before = map[string]int{
	"With": 0, "Debug": 1, "Info": 1, "Warn": 1, "Error": 1,
	"DebugContext": 2, "InfoContext": 2, "WarnContext": 2, "ErrorContext": 2,
	"Log": 3, "LogAttrs": 3,
}

// logFaults returns what is wrong with the attributes of log lines.
func logFaults(s source) []string {
	var faults []string
	attribute := func(key *ast.BasicLit, value ast.Expr) {
		if fault := attributeFault(strings.Trim(key.Value, "\"`"), value); fault != "" {
			faults = append(faults, fmt.Sprintf("%d: %s", s.line(key), fault))
		}
	}
	ast.Inspect(s.File, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := method.X.(*ast.Ident); ok && pkg.Name == "slog" && len(call.Args) == 2 {
			if key, ok := literal(call.Args[0]); ok {
				attribute(key, call.Args[1])
			}
			return true
		}
		skip, ok := before[method.Sel.Name]
		if !ok || !isLogger(method.X) || len(call.Args) < skip {
			return true
		}
		for args := call.Args[skip:]; len(args) > 1; {
			key, ok := literal(args[0])
			if !ok { // a slog.Attr
				args = args[1:]
				continue
			}
			attribute(key, args[1])
			args = args[2:]
		}
		return true
	})
	return faults
}

func literal(e ast.Expr) (*ast.BasicLit, bool) {
	lit, ok := e.(*ast.BasicLit)
	return lit, ok && lit.Kind == token.STRING
}

// isLogger tells loggers by their names: log, logger, and what With returns.
func isLogger(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return strings.EqualFold(e.Name, "log") || strings.EqualFold(e.Name, "logger") || e.Name == "slog"
	case *ast.SelectorExpr:
		return isLogger(e.Sel)
	case *ast.CallExpr:
		with, ok := e.Fun.(*ast.SelectorExpr)
		return ok && with.Sel.Name == "With" && isLogger(with.X)
	}
	return false
}

func attributeFault(key string, value ast.Expr) string {
	if want := keyOf[key]; want != "" {
		return fmt.Sprintf("key %q: it is %q everywhere", key, want)
	}
	if !snakeCase.MatchString(key) {
		return fmt.Sprintf("key %q: write it in snake_case", key)
	}
	if sel, ok := value.(*ast.SelectorExpr); ok {
		value = sel.Sel
	}
	if pointer, ok := value.(*ast.UnaryExpr); ok {
		value = pointer.X
	}
	switch v := value.(type) {
	case *ast.Ident:
		if strings.HasSuffix(strings.ToLower(v.Name), "err") && key != "error" {
			return fmt.Sprintf("key %q of an error: it is \"error\" everywhere", key)
		}
	case *ast.CompositeLit:
		return fmt.Sprintf("key %q: log the parts that matter, not a whole value", key)
	case *ast.CallExpr:
		if _, ok := v.Fun.(*ast.ArrayType); ok {
			return fmt.Sprintf("key %q: log text, not bytes", key)
		}
	}
	return ""
}
