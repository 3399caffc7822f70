// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/pause"
	"github.com/rollcall-rpc/rollcall/zk"
)

// A Member is a registry's process that the suite starts and kills.
type Member struct {
	Addr    string // where it serves clients, HOST:PORT
	Command string // for a shell; it stays in the foreground
}

// A registry is what the servers register in. Its fields belong to the goroutine
// that plays.
type registry struct {
	hosts   []string  // of its members
	path    string    // that scenarios make theirs below
	members []*member // those that are ours to kill; none of a registry that was there before
}

// A member is one process of the registry.
type member struct {
	addr   string
	argv   []string
	data   string // the directory of its data, where it is ours to remove
	stderr io.Writer
	proc   *process // nil while it is down
}

const (
	registryTick  = 500 * time.Millisecond
	registryReady = "registry ready on "
	startLimit    = 30 * time.Second // of one process; a JVM takes 1 to 3 s
	pollEvery     = 50 * time.Millisecond
)

// openRegistry starts what is ours of the registry and waits until it serves.
// Whatever happens, close what is returned.
func openRegistry(ctx context.Context, cfg *Config, dir string) (*registry, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	unique := fmt.Sprintf("chaos-%d-%d", os.Getpid(), time.Now().UnixMilli())
	r := &registry{path: "/" + unique}
	switch {
	case len(cfg.Members) > 0:
		for _, m := range cfg.Members {
			r.hosts = append(r.hosts, m.Addr)
			r.members = append(r.members, &member{addr: m.Addr, argv: []string{"sh", "-c", "exec " + m.Command}, stderr: io.Discard})
		}
	case cfg.Target.Scheme != "":
		r.hosts = cfg.Target.Hosts
		// Beside the service: what is below it are servers to strict readers.
		r.path = strings.TrimSuffix(cfg.Target.Path, "/") + "-" + unique
		if cfg.Target.Path == "/" {
			r.path = "/" + unique
		}
	default:
		addr, err := keptAddr(loopback)
		if err != nil {
			return r, err
		}
		m := &member{addr: addr, data: filepath.Join(dir, "registry"), stderr: io.Discard}
		m.argv = append(append(m.argv, cfg.Registry...), "--data", m.data, "--tick", registryTick.String(), "--listen")
		r.members, r.hosts = []*member{m}, []string{addr}
	}
	for _, m := range r.members {
		if err := m.start(); err != nil {
			return r, err
		}
	}
	for _, m := range r.members {
		if err := m.await(ctx); err != nil {
			return r, err
		}
	}
	return r, nil
}

// close kills the members, and removes what scenarios left in a registry that
// lives on.
func (r *registry) close() error {
	var err error
	if len(r.members) == 0 && len(r.hosts) > 0 {
		err = r.remove(r.path)
	}
	for _, m := range r.members {
		m.kill()
	}
	return err
}

// target is the target of a scenario's servers, through the given hosts.
func (r *registry) target(hosts []string, scenario string) string {
	return discovery.Target{Scheme: discovery.SchemeZooKeeper, Hosts: hosts, Path: r.path + "/" + scenario}.String()
}

// remove removes a node and those below it, with a session of its own.
func (r *registry) remove(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	client, err := zk.New(r.hosts, zk.Options{SessionTimeout: Session})
	if err != nil {
		return err
	}
	defer client.Close()
	return remove(ctx, client, path)
}

func remove(ctx context.Context, client *zk.Client, path string) error {
	children, _, err := client.Children(ctx, path)
	for _, child := range children {
		if err := remove(ctx, client, path+"/"+child); err != nil {
			return err
		}
	}
	if err == nil {
		err = client.Delete(ctx, path, -1)
	}
	if errors.Is(err, zk.ErrNoNode) {
		return nil // somebody was faster
	}
	return err
}

// empty removes all entries of a scenario's list.
func (r *registry) empty(ctx context.Context, scenario string) error {
	client, err := zk.New(r.hosts, zk.Options{SessionTimeout: Session})
	if err != nil {
		return err
	}
	defer client.Close()
	path := r.path + "/" + scenario
	entries, _, err := client.Children(ctx, path)
	for _, entry := range entries {
		if err := remove(ctx, client, path+"/"+entry); err != nil {
			return err
		}
	}
	return err
}

// list returns the entries of a scenario's list as they are written.
func (r *registry) list(ctx context.Context, scenario string) ([]string, error) {
	client, err := zk.New(r.hosts, zk.Options{SessionTimeout: Session})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	path := r.path + "/" + scenario
	entries, _, err := client.Children(ctx, path)
	for i, entry := range entries {
		data, _, err := client.Get(ctx, path+"/"+entry)
		if err != nil {
			return nil, err
		}
		entries[i] += " " + string(data)
	}
	return entries, err
}

// leader returns the member that leads the ensemble.
func (r *registry) leader(ctx context.Context) (*member, error) {
	for {
		for _, m := range r.members {
			if answer, err := srvr(ctx, m.addr); err == nil && strings.Contains(answer, "Mode: leader") {
				return m, nil
			}
		}
		if err := pause.For(ctx, pollEvery); err != nil {
			return nil, fmt.Errorf("no member of the ensemble leads: %w", err)
		}
	}
}

func (m *member) start() (err error) {
	argv := m.argv
	if m.data != "" {
		argv = append(slices.Clip(argv), m.addr)
	}
	m.proc, err = start(argv, m.stderr)
	return err
}

// await waits until the member serves.
func (m *member) await(ctx context.Context) error {
	if m.data != "" {
		_, err := m.proc.expect(ctx, registryReady)
		return err
	}
	for {
		answer, err := srvr(ctx, m.addr)
		if err == nil && strings.Contains(answer, "Mode: ") {
			return nil
		}
		select {
		case <-m.proc.exited:
			return fmt.Errorf("registry %s: %s ended before it served: %w", m.addr, m.proc.name(), m.proc.ending())
		default:
		}
		if err := pause.For(ctx, pollEvery); err != nil {
			return fmt.Errorf("registry %s does not serve: %w", m.addr, err)
		}
	}
}

// restart starts a member that was killed and waits until it serves.
func (m *member) restart(ctx context.Context) error {
	if err := m.start(); err != nil {
		return err
	}
	return m.await(ctx)
}

func (m *member) kill() {
	if m.proc != nil {
		m.proc.kill()
		m.proc = nil
	}
}

// srvr returns a server's answer to ZooKeeper's four-letter word.
func srvr(ctx context.Context, addr string) (string, error) {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}
