// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package echo has the systems that are compared, all behind one shape: a server
// that answers a call with its payload, and connections to it. Each is used as
// its own documentation begins, with its default options and no deadline; without TLS,
// but for those whose names end in "-tls".
package echo
