// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package reload keeps a value that follows the content of files: a certificate
// and its key, a token.
//
//	token, err := reload.Files[string]{
//		Paths: []string{"/var/run/secrets/token"},
//		Parse: func(contents [][]byte) (string, error) { … },
//	}.Open()
//	…
//	token.Get()
//
// Nothing runs in the background and nothing needs to be closed: whoever asks for
// the value looks at the files when the last look is old enough. It looks at the
// content, not at times or names, so a rename over the file, a symbolic link that
// is turned, and rewriting in place are all seen. What cannot be read or parsed
// changes nothing: the last good value stays, however long.
package reload
