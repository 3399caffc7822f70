// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// The ports of processes that are to come back on theirs: below those that
// systems hand out by themselves, so that hardly anybody takes one meanwhile.
const (
	lowestPort  = 15_000
	highestPort = 32_000
	portTries   = 100
)

// keptAddr returns an address of the host whose port is free and stays so as long
// as nobody asks for that very port.
func keptAddr(host string) (string, error) {
	for range portTries {
		addr := net.JoinHostPort(host, strconv.Itoa(lowestPort+rand.IntN(highestPort-lowestPort))) //nolint:gosec // no secret
		if listener, err := net.Listen("tcp", addr); err == nil {
			return addr, listener.Close()
		}
	}
	return "", errors.New("no free port from 15000 to 32000 on " + host)
}
