// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// sideOf says to which end of a connection a file belongs by its name; "ground" is
// what both stand on.
func sideOf(file string) string {
	for _, side := range []string{"client", "server"} {
		if file == side+".go" || strings.HasPrefix(file, side+"_") {
			return side
		}
	}
	return "ground"
}

// The client's files and the server's use nothing of each other, and the ground
// nothing of either.
func TestSidesStandOnTheGround(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	files := map[string]*ast.File{}
	home := map[string]string{} // the side where a package-level name is declared
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0) // resolves what a file declares itself
		if err != nil {
			t.Fatal(err)
		}
		files[name] = file
		for declared := range file.Scope.Objects {
			home[declared] = sideOf(name)
		}
	}
	if home["ClientConn"] != "client" || home["ServerConn"] != "server" || home["outbox"] != "ground" {
		t.Fatalf("the sides are not what they were: %v", home)
	}
	for name, file := range files {
		for _, used := range file.Unresolved { // neither local nor a field nor a method
			if of := home[used.Name]; of != "" && of != "ground" && of != sideOf(name) {
				t.Errorf("%s uses %s, which is the %s's", set.Position(used.Pos()), used.Name, of)
			}
		}
	}
}
