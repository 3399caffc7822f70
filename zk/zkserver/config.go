// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
)

// A Config is what a configuration file of ZooKeeper (zoo.cfg) says about a
// server of one node.
type Config struct {
	Options Options
	// Address is where clients connect, host:port (clientPortAddress and clientPort,
	// or what stands behind the semicolon of server.N). Default ":2181".
	Address string
}

// A ConfigWarning is a line of a configuration file that has no effect.
type ConfigWarning struct {
	Line  int // the first is 1
	Key   string
	Value string
	Why   string
}

// String returns the warning as a sentence.
func (w ConfigWarning) String() string {
	return fmt.Sprintf("line %d: %s=%s: %s", w.Line, w.Key, w.Value, w.Why)
}

// A ConfigError is a line of a configuration file that cannot be followed.
type ConfigError struct {
	Line  int // the first is 1
	Key   string
	Value string
	Fix   string // what would be accepted
}

// Error names the line, the key, the value and what to do.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("zkserver: configuration line %d: %s=%s: %s", e.Line, e.Key, e.Value, e.Fix)
}

// MinFileBytes is the least that a configuration may say for a segment of the log, or
// for the log behind a snapshot: with less there would be a file for few transactions.
const MinFileBytes = 64 << 10

// maxConfigBytes is how long a configuration file may be.
const maxConfigBytes = 1 << 20

// ParseConfig reads a configuration file of ZooKeeper. What it says is in Config;
// what it does not say is the default of [Options], which differs from
// ZooKeeper's in maxClientCnxns. Keys may have ZooKeeper's prefix for system
// properties, "zookeeper.".
//
// Two keys are this server's own: rollcall.snapshotBytes and rollcall.segmentBytes,
// [store.Options.SnapshotBytes] and SegmentBytes, at least [MinFileBytes].
//
// Keys that would change nothing here are warned of, each with its reason; what
// must not be passed over, as a second server.N, secureClientPort or an
// authentication that everybody must have, is an error. So are two addresses for
// clients that differ, one by clientPort and one by server.N. The error joins a
// [*ConfigError] for each line that cannot be followed. Source: ZooKeeper
// Administrator's Guide, "Configuration Parameters".
func ParseConfig(r io.Reader) (Config, []ConfigWarning, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxConfigBytes+1))
	if err != nil {
		return Config{}, nil, fmt.Errorf("zkserver: configuration: %w", err)
	}
	if len(text) > maxConfigBytes {
		return Config{}, nil, fmt.Errorf("zkserver: configuration: longer than %d bytes: is it a zoo.cfg?", maxConfigBytes)
	}
	var p configParser
	list := parseProperties(string(text))
	last := map[string]property{} // the one that counts, by key
	for i := range list {
		list[i].key = strings.TrimPrefix(list[i].key, "zookeeper.")
		last[list[i].key] = list[i]
	}
	for _, e := range list {
		p.property = e
		if again := last[e.key].line; again != e.line {
			p.warn(fmt.Sprintf("line %d says it again and counts", again))
			continue
		}
		p.apply()
	}
	p.finish(last)
	slices.SortStableFunc(p.warnings, func(a, b ConfigWarning) int { return cmp.Compare(a.Line, b.Line) })
	if len(p.errs) > 0 {
		slices.SortStableFunc(p.errs, func(a, b *ConfigError) int { return cmp.Compare(a.Line, b.Line) })
		errs := make([]error, len(p.errs))
		for i, e := range p.errs {
			errs[i] = e
		}
		return Config{}, p.warnings, errors.Join(errs...)
	}
	return p.config, p.warnings, nil
}

const defaultClientPort = "2181"

// A configParser goes through the properties of a file.
type configParser struct {
	property  // at work
	config    Config
	host      string     // clientPortAddress
	port      string     // clientPort
	servers   []property // server.N
	names     property   // ensembleAuthName
	ensembles bool       // the provider of the scheme ensemble is named
	warnings  []ConfigWarning
	errs      []*ConfigError
}

func (p *configParser) warn(why string) {
	p.warnings = append(p.warnings, ConfigWarning{p.line, p.key, p.shown(), why})
}

func (p *configParser) failf(format string, args ...any) {
	p.errs = append(p.errs, &ConfigError{p.line, p.key, p.shown(), fmt.Sprintf(format, args...)})
}

// shown returns the value at work, unless it is a secret: warnings and errors end
// in logs.
func (p *property) shown() string {
	key := strings.ToLower(p.key)
	if strings.Contains(key, "passw") || strings.Contains(key, "superdigest") {
		return "***"
	}
	return p.value
}

// apply follows the property at work.
func (p *configParser) apply() {
	if key, ok := configKeys[p.key]; ok {
		key(p)
		return
	}
	for _, g := range ignoredKeys {
		if slices.Contains(g.keys, p.key) {
			ignore(g.why)(p)
			return
		}
	}
	for _, g := range configGroups {
		if strings.HasPrefix(p.key, g.prefix) {
			g.apply(p)
			return
		}
	}
	p.warn("not known here: it has no effect")
}

// finish judges what several lines say together.
func (p *configParser) finish(last map[string]property) {
	p.config.Address = net.JoinHostPort(p.host, cmp.Or(p.port, defaultClientPort))
	p.member(last)
	p.ensemble()
	o := p.config.Options.withDefaults()
	if o.MaxSessionTimeout < o.MinSessionTimeout && len(p.errs) == 0 {
		p.property = last["maxSessionTimeout"]
		if p.line == 0 {
			p.property = last["minSessionTimeout"]
		}
		p.failf("sessions of %v to %v: let minSessionTimeout (default 2 ticks) be at most maxSessionTimeout (default 20 ticks)",
			o.MinSessionTimeout, o.MaxSessionTimeout)
	}
}

// ensemble sets the names that the scheme ensemble accepts, where it is there.
func (p *configParser) ensemble() {
	p.property = p.names
	switch {
	case p.ensembles:
		p.config.Options.EnsembleNames = []string{}
		if p.value != "" {
			p.config.Options.EnsembleNames = strings.Split(p.value, ",")
		}
	case p.line != 0:
		p.warn("it has no effect without authProvider.1=" + ensembleProvider)
	}
}
