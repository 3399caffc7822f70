// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/reload"
	"github.com/rollcall-rpc/rollcall/zk"
)

// No error of this file quotes what it could not use: it may be a secret.

// maxSecretFile bounds a file of credentials.
const maxSecretFile = 64 << 10

// auths returns the credentials for the target's registry. Where a flag gives any,
// the variables are not asked.
func (a *access) auths(target discovery.Target) ([]zk.Auth, error) {
	none := target.Scheme != discovery.SchemeZooKeeper
	switch byFlag := len(a.identities.list) > 0 || a.identityFile.given != ""; {
	case none && len(a.identities.list) > 0:
		return nil, usagef("--auth: target %q has no registry that would ask for it: leave it out", target)
	case none && byFlag:
		return nil, usagef("--auth-file %q: target %q has no registry that would ask for it: leave it out", a.identityFile.given, target)
	case none:
		return nil, nil
	case byFlag && a.identityFile.given == "":
		return a.identities.list, nil
	case byFlag:
		more, err := a.authFile()
		return slices.Concat(a.identities.list, more), err
	}
	inline := a.identityVariable.value()
	switch {
	case inline != "" && a.identityFile.value() != "":
		return nil, usagef("%s together with %s: set one of them", a.identityVariable.variable, a.identityFile.variable)
	case inline != "":
		return parseAuths(a.identityVariable.variable, inline)
	case a.identityFile.value() != "":
		return a.authFile()
	}
	return nil, nil
}

func (a *access) authFile() ([]zk.Auth, error) {
	from := fmt.Sprintf("%s %q", a.identityFile.origin(), a.identityFile.value())
	text, err := readSecret(from, a.identityFile.value())
	if err != nil {
		return nil, err
	}
	a.warnOfReaders(from, a.identityFile.value())
	return parseAuths(from, text)
}

// parseAuths reads credentials, one a line; empty lines and those that begin with #
// are skipped.
func parseAuths(from, text string) ([]zk.Auth, error) {
	var found identities
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimRight(line, "\r\n"); line == "" || line[0] == '#' {
			continue
		}
		if err := found.Set(line); err != nil {
			return nil, usagef("%s: line %d: %w", from, n, err)
		}
	}
	if len(found.list) == 0 {
		return nil, usagef("%s: nothing is in it: give SCHEME:DATA, such as digest:USER:PASSWORD, one a line", from)
	}
	return found.list, nil
}

// tokenSource returns what a client takes its token from; nil: there is none.
func (a *access) tokenSource(inClear bool) (func(context.Context) (string, error), error) {
	inline, file := a.tokenText.value(), a.token.value()
	if inline != "" && a.token.given == "" && file != "" {
		return nil, usagef("%s together with %s: set one of them", a.tokenText.variable, a.token.variable)
	}
	from := a.tokenText.variable
	if file != "" {
		from = fmt.Sprintf("%s %q", a.token.origin(), file)
	}
	switch {
	case file == "" && inline == "":
		return nil, nil
	case inClear && !a.tokenInClear && a.plaintext:
		return nil, usagef("%s: the token may go over clear text: leave --tls-allow-plaintext out, or give --token-in-clear-text if that is meant", from)
	case inClear && !a.tokenInClear:
		return nil, usagef("%s: the token would go over clear text: give --tls-ca FILE or --tls, or --token-in-clear-text if that is meant", from)
	case file == "":
		token, err := parseToken(inline)
		if err != nil {
			return nil, usagef("%s: %w", from, err)
		}
		return func(context.Context) (string, error) { return token, nil }, nil
	}
	value, err := reload.Files[string]{
		Paths: []string{file},
		Parse: func(contents [][]byte) (string, error) { return parseToken(string(contents[0])) },
	}.Open()
	if err != nil {
		return nil, usagef("%s: %w", from, withoutPath(err))
	}
	a.warnOfReaders(from, file)
	return func(context.Context) (string, error) { return value.Get(), nil }, nil
}

// parseToken reads a token that stands alone, on one line.
func parseToken(text string) (string, error) {
	token := strings.TrimRight(text, "\r\n")
	if token == "" {
		return "", errors.New("nothing is in it: give the token alone, on one line")
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return "", errors.New("its token has a space, a control character or one beyond ASCII in it: give the token alone, on one line")
		}
	}
	return token, nil
}

func readSecret(from, path string) (string, error) {
	file, err := os.Open(path) //nolint:gosec // the file that the user names
	if err != nil {
		return "", usagef("%s: %w", from, withoutPath(err))
	}
	defer file.Close() // nothing was written
	data, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	switch {
	case err != nil:
		return "", usagef("%s: %w", from, withoutPath(err))
	case len(data) > maxSecretFile:
		return "", usagef("%s: it is larger than %d bytes: name a file of credentials", from, maxSecretFile)
	}
	return string(data), nil
}

// withoutPath is an error of a file that has been named already, with the fix.
func withoutPath(err error) error {
	if unread, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%w: name a file that this process may read", unread.Err)
	}
	return err
}

// warnOfReaders warns where everybody on this machine may read a secret.
func (a *access) warnOfReaders(from, path string) {
	if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0 {
		fmt.Fprintf(a.stderr, "rollcall: %s: everybody on this machine may read it: chmod 600 it\n", from)
	}
}
