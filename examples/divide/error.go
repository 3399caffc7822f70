// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide

import (
	"errors"
	"fmt"
)

// ErrIncomplete is what parsing returns for bytes that may be the beginning of a
// message.
var ErrIncomplete = errors.New("divide: incomplete message")

// A FormatError says why bytes are no message, or why a message has no bytes.
type FormatError struct {
	Field string // "name length", "name", "arguments length", …
	Value string // what was found there
	Fix   string // what is expected
}

// Error names the field, the value and what is expected.
func (e *FormatError) Error() string {
	return fmt.Sprintf("divide: %s %s: %s", e.Field, e.Value, e.Fix)
}

func formatError(field string, value any, fix string) error {
	return &FormatError{Field: field, Value: fmt.Sprint(value), Fix: fix}
}
