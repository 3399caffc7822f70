// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// advertise chooses the address that clients are told, and says why: what the
// operator wrote, else the listener's where it is specific, else the address of
// this machine from which the registry is reached.
func advertise(ctx context.Context, given string, listener net.Addr, registry []string) (host string, port int, reason string, err error) {
	tcp, ok := listener.(*net.TCPAddr)
	if ok {
		port = tcp.Port
	}
	if given != "" {
		host, port, err = splitAdvertise(given, port)
		if err == nil {
			err = checkAdvertised(host, "ServerOptions.Advertise", true)
		}
		return host, port, "as given", err
	}
	if !ok {
		return "", 0, "", fmt.Errorf("rollcall: ServerOptions.Advertise is empty and the listener's address %v is not TCP: give \"host:port\"", listener)
	}
	if !tcp.IP.IsUnspecified() {
		host = tcp.IP.String()
		// Whoever listens on loopback wrote so.
		return host, port, "the listener's address", checkAdvertised(host, "the listener's address", true)
	}
	if len(registry) == 0 {
		return "", 0, "", fmt.Errorf("rollcall: ServerOptions.Advertise is empty and the listener's address %v is not specific: give \"host:port\"", listener)
	}
	local, remote, err := routeTo(ctx, registry)
	if err != nil {
		return "", 0, "", fmt.Errorf("rollcall: ServerOptions.Advertise is empty, the listener's address %v is not specific, and no route to the registry tells an address: %w", listener, err)
	}
	host = local.String()
	return host, port, "reaches the registry at " + remote, checkAdvertised(host, "the address that reaches the registry", remoteIsLoopback(remote))
}

// splitAdvertise reads "host:port" or "host".
func splitAdvertise(given string, listenerPort int) (host string, port int, err error) {
	bad := func(fix string) (string, int, error) {
		return "", 0, fmt.Errorf("rollcall: ServerOptions.Advertise %q: %s", given, fix)
	}
	if addr, err := netip.ParseAddr(strings.Trim(given, "[]")); err == nil {
		given = net.JoinHostPort(addr.String(), strconv.Itoa(listenerPort))
	} else if !strings.Contains(given, ":") {
		given = net.JoinHostPort(given, strconv.Itoa(listenerPort))
	}
	host, text, err := net.SplitHostPort(given)
	if err != nil || host == "" || strings.ContainsAny(host, " \t/@%") {
		return bad("give \"host:port\" or \"host\", an IPv6 address in brackets and without a zone")
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return bad("the port is a number from 1 to 65535")
	}
	return host, int(n), nil
}

// checkAdvertised refuses addresses that lead nowhere, or elsewhere on every
// machine.
func checkAdvertised(host, field string, loopback bool) error {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return nil //nolint:nilerr // a name
	}
	switch {
	case addr.IsUnspecified():
		return fmt.Errorf("rollcall: %s %q: clients cannot call the unspecified address, give this machine's", field, host)
	case addr.IsLinkLocalUnicast(), addr.IsMulticast():
		return fmt.Errorf("rollcall: %s %q: a link-local or multicast address means something else on every link, give a routable one", field, host)
	case addr.IsLoopback() && !loopback:
		return fmt.Errorf("rollcall: %s %q: a loopback address is only for a registry on loopback; set ServerOptions.Advertise", field, host)
	}
	return nil
}

// routeTo returns the local address of the route to the first of the hosts that
// has one. Connecting a UDP socket sends nothing.
func routeTo(ctx context.Context, hosts []string) (local netip.Addr, remote string, err error) {
	var dialer net.Dialer
	for _, host := range hosts {
		var conn net.Conn
		conn, err = dialer.DialContext(ctx, "udp", host)
		if err != nil {
			continue
		}
		addr := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().WithZone("")
		remote = conn.RemoteAddr().String()
		conn.Close() // nothing was sent
		return addr, remote, nil
	}
	return netip.Addr{}, "", err
}

func remoteIsLoopback(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}
