// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// memberForm is what a line server.N looks like.
const memberForm = "want host:port:port, or host:port:port:participant, and where clients connect behind a semicolon: ;port or ;host:port"

// member follows the line that names this server, as a member of an ensemble that
// has no other: of it only matters where clients connect. Source:
// QuorumPeer.QuorumServer and QuorumPeerConfig.setupClientPort.
func (p *configParser) member(last map[string]property) {
	for i, s := range p.servers {
		p.property = s
		if i > 0 {
			p.failf("a second member of an ensemble, and this server is always alone: " +
				"run Apache ZooKeeper for an ensemble, or leave one server.N line")
			continue
		}
		number := strings.TrimPrefix(p.key, "server.")
		if _, err := strconv.ParseInt(number, 10, 64); err != nil {
			p.failf("want a number behind server.")
			continue
		}
		host, port, err := parseMember(p.value)
		switch {
		case err != nil:
			p.failf("%s", err)
		case port == "":
			p.warn(forEnsembles)
		case p.port != "" && p.port != "0" && p.port != port: // 0 is ZooKeeper's word for not set
			p.failf("clients are to connect at port %s here, and at %s by clientPort in line %d: leave one of them", port, p.port, last["clientPort"].line)
		case !isAnyAddress(p.host) && !strings.EqualFold(p.host, host):
			p.failf("clients are to connect at address %q here, and at %q by clientPortAddress in line %d: leave one of them", host, p.host, last["clientPortAddress"].line)
		default:
			p.config.Address = net.JoinHostPort(host, port)
			p.warn("but for where clients connect, " + forEnsembles)
		}
	}
}

// parseMember reads the value of server.N and returns where clients connect: an
// empty port where it does not say, an empty host where it says no more than the
// port.
func parseMember(value string) (host, port string, err error) {
	peers, clients, hasClients := strings.Cut(strings.TrimRight(value, ";"), ";")
	for peer := range strings.SplitSeq(peers, "|") { // one for each of its addresses
		if !isPeerAddress(peer) {
			return "", "", errors.New(memberForm)
		}
	}
	if !hasClients {
		return "", "", nil
	}
	parts, ok := splitAddress(clients)
	if !ok || len(parts) > 2 {
		return "", "", errors.New(memberForm)
	}
	if len(parts) == 2 {
		host, ok = parts[0], parts[0] != ""
	}
	n, err := strconv.ParseUint(parts[len(parts)-1], 10, 16)
	if !ok || err != nil {
		return "", "", errors.New(memberForm)
	}
	return host, strconv.FormatUint(n, 10), nil
}

// isAnyAddress reports whether a host stands for all addresses of the machine.
func isAnyAddress(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// isPeerAddress reports whether s is where other members would find one that may
// be alone: host:port:port, or host:port:port:participant.
func isPeerAddress(s string) bool {
	parts, ok := splitAddress(s)
	return ok && (len(parts) == 3 || len(parts) == 4 && strings.EqualFold(parts[3], "participant")) &&
		parts[0] != "" && isPort(parts[1]) && isPort(parts[2]) && parts[1] != parts[2]
}

// splitAddress splits at colons, but not those of an IPv6 address in brackets,
// which it takes away.
func splitAddress(s string) ([]string, bool) {
	if !strings.HasPrefix(s, "[") {
		return strings.Split(s, ":"), true
	}
	host, rest, ok := strings.Cut(s[1:], "]:")
	return append([]string{host}, strings.Split(rest, ":")...), ok
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}
