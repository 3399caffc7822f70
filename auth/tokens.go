// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Tokens returns a verifier of the tokens that are the map's keys; the values are
// their identities. An identity may have several tokens, so that one can be replaced
// without a gap. How long a look-up takes says nothing about the tokens. It is an
// error where a token or an identity is empty or cannot be written.
func Tokens(tokens map[string]string) (Verifier, error) {
	t := newTokenTable()
	for token, identity := range tokens {
		if err := t.add(token, identity); err != nil {
			return nil, fmt.Errorf("auth: Tokens: %w", err)
		}
	}
	return t.verify, nil
}

// TokensFile is [Tokens] for a file of lines "identity token", with spaces or tabs
// between. Empty lines, and those that begin with #, are skipped. The file is looked
// at again at most once a second; one that is gone, has no tokens or a bad line changes
// nothing, and the log says so once per change. Where the group or all may read the file, the
// log warns of it, once.
//
// It reads the file, and returns an error that names it, the line and what to do.
func TokensFile(path string) (Verifier, error) {
	value, err := file[*tokenTable]{what: "tokens file", path: path, secret: true, parse: parseTokens}.open()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, token string) (string, error) {
		return value.Get().verify(ctx, token)
	}, nil
}

// A tokenTable has the identities of tokens. It knows tokens by a digest with a key
// that never leaves it: who measures a look-up learns about digests that they cannot
// compute.
type tokenTable struct {
	key        [sha256.Size]byte
	identities map[[sha256.Size]byte]string
}

func newTokenTable() *tokenTable {
	t := &tokenTable{identities: make(map[[sha256.Size]byte]string)}
	rand.Read(t.key[:]) // it never fails
	return t
}

func (t *tokenTable) digest(token string) [sha256.Size]byte {
	var room [256]byte // for the usual token, on the stack
	return sha256.Sum256(append(append(room[:0], t.key[:]...), token...))
}

// add takes a token in. Errors do not quote it.
func (t *tokenTable) add(token, identity string) error {
	if identity == "" {
		return errors.New("the identity of a token is empty: say whose it is")
	}
	if !utf8.ValidString(identity) {
		return fmt.Errorf("identity %q: give UTF-8", identity)
	}
	if err := checkToken(token); err != nil {
		return fmt.Errorf("the token of %q %w", identity, err)
	}
	digest := t.digest(token)
	if other, taken := t.identities[digest]; taken {
		return fmt.Errorf("%q and %q have the same token: give each its own", other, identity)
	}
	t.identities[digest] = identity
	return nil
}

var errUnknownToken = errors.New("the token is not known here")

func (t *tokenTable) verify(_ context.Context, token string) (string, error) {
	identity, ok := t.identities[t.digest(token)]
	if !ok {
		return "", errUnknownToken
	}
	return identity, nil
}

func parseTokens(content []byte) (*tokenTable, error) {
	t, number := newTokenTable(), 0
	for line := range bytes.Lines(content) {
		number++
		fields := bytes.Fields(line)
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("line %d has %d words: write an identity and its token", number, len(fields))
		}
		if err := t.add(string(fields[1]), string(fields[0])); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	// A file that is being written is empty for a moment.
	if len(t.identities) == 0 {
		return nil, errors.New(`it has no tokens: write lines of an identity and its token`)
	}
	return t, nil
}
