// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package shortage

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestWhatIsAShortage(t *testing.T) {
	socket := func(errno syscall.Errno) error {
		return fmt.Errorf("no connection: %w", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", errno)})
	}
	for _, tt := range []struct {
		err                     error
		is, ofDescriptors, dial bool
	}{
		{socket(syscall.EMFILE), true, true, true},
		{socket(syscall.ENFILE), true, true, true},
		{socket(syscall.ENOBUFS), true, false, true},
		{socket(syscall.ENOMEM), true, false, true},
		{socket(syscall.EADDRNOTAVAIL), false, false, true},
		{socket(syscall.ECONNREFUSED), false, false, false},
		{socket(syscall.ENETUNREACH), false, false, false},
		{&net.DNSError{Err: "no such host", Name: "a.example", IsNotFound: true}, false, false, false},
		{&net.DNSError{Err: "dial udp 10.0.0.1:53: socket: too many open files", Name: "a.example"}, true, true, true},
		{errors.New("too many open files"), false, false, false},
		{nil, false, false, false},
	} {
		err := Unveil(tt.err)
		if got := [...]bool{Is(err), OfDescriptors(err), OfDial(err)}; got != [...]bool{tt.is, tt.ofDescriptors, tt.dial} {
			t.Errorf("%v: got a shortage, of descriptors, at a dial: %v", tt.err, got)
		}
		if tt.err != nil && err.Error() != tt.err.Error() {
			t.Errorf("got the text %q, want %q", err, tt.err)
		}
	}
}
