// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"encoding/json"
	"net/http"
)

// debugHandler answers GET with what state returns, as JSON.
func debugHandler[T any](state func() T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !readOnly(w, r) {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.Encode(state()) //nolint:errcheck // the reader has gone
	})
}

// readOnly answers a request that is neither GET nor HEAD, and reports false.
func readOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, "GET it", http.StatusMethodNotAllowed)
	return false
}
