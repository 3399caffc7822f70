// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/rollcall-rpc/rollcall"
)

// PolicyFile returns the [Policy.Admission] of a file, a JSON object as [NewPolicy]
// takes it:
//
//	{
//		"Divide/*": ["billing", "spiffe://example.org/shop/*"],
//		"rollcall/*": ["*"]
//	}
//
// The file is looked at again at most once a second; one that is gone or cannot be
// used leaves the last good policy in force, and the log says so once per change.
//
// It reads the file, and returns an error that names it, the entry and the fix. An
// entry that is written twice is an error too.
func PolicyFile(path string) (rollcall.Admission, error) {
	value, err := file[*Policy]{what: "policy file", path: path, parse: parsePolicy}.open()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, call *rollcall.CallInfo) (context.Context, error) {
		return ctx, value.Get().admit(call)
	}, nil
}

func parsePolicy(content []byte) (*Policy, error) {
	entries, err := parseEntries(content)
	if err != nil {
		return nil, err
	}
	return newPolicy(entries)
}

// parseEntries reads the object key by key: json.Unmarshal would let the last of two
// equal entries win in silence.
func parseEntries(content []byte) (map[string][]string, error) {
	d := json.NewDecoder(bytes.NewReader(content))
	bad := func(err error) error {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		line := 1 + bytes.Count(content[:d.InputOffset()], []byte("\n"))
		return fmt.Errorf(`line %d: %w: write a JSON object of arrays, {"Service/Method": ["identity"]}`, line, err)
	}
	begin, err := d.Token()
	if err != nil {
		return nil, bad(err)
	}
	if begin != json.Delim('{') {
		return nil, bad(fmt.Errorf("it begins with %v", begin))
	}
	entries := make(map[string][]string)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, bad(err)
		}
		pattern, _ := token.(string) // a key is one, else Token fails
		var identities []string
		if err := d.Decode(&identities); err != nil {
			return nil, bad(fmt.Errorf("entry %q: %w", pattern, err))
		}
		if _, twice := entries[pattern]; twice {
			return nil, fmt.Errorf("entry %q is there twice: join them", pattern)
		}
		entries[pattern] = identities
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, bad(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, bad(errors.New("something follows the object"))
	}
	return entries, nil
}
