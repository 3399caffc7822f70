// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	serverJar = "/usr/share/java/zookeeper.jar"
	loggerJar = "/usr/share/java/slf4j-nop.jar"
	mainClass = "org.apache.zookeeper.server.ZooKeeperServerMain"
	// apacheHeap is what ZooKeeper's own zkServer.sh gives the server.
	apacheHeap = "-Xmx1000m"

	startTimeout = 30 * time.Second
	pollEvery    = time.Millisecond
	attemptEvery = 20 * time.Millisecond
)

// A System is a registry that can be started.
type System struct {
	Name    string
	Measure string   // what exactly is measured, for the legend
	command []string // the name of a configuration is put behind it
	bare    bool     // it is Sockets
}

// Can reports whether a probe can measure the system.
func (s *System) Can(p *Probe) bool { return !s.bare || p.Sockets }

// Rollcall returns our registry, started by a command that serves what a zoo.cfg
// says.
func Rollcall(command ...string) System {
	return System{Name: "Rollcall", Measure: "`rollcall registry`, data on the disk", command: command}
}

// Apache returns Apache ZooKeeper as Debian packages it, standalone.
func Apache() System {
	return System{
		Name:    "Apache ZooKeeper",
		Measure: "3.8.0 of Debian's package, standalone, " + apacheHeap + " as its zkServer.sh sets it",
		command: []string{"java", apacheHeap, "-cp", serverJar + ":" + loggerJar, mainClass},
	}
}

// configuration is the zoo.cfg of both.
const configuration = `tickTime=2000
dataDir=%s
clientPort=%d
clientPortAddress=127.0.0.1
maxClientCnxns=0
forceSync=yes
admin.enableServer=false
`

// ApacheMissing says why Apache ZooKeeper cannot be started here, or nil.
func ApacheMissing() error {
	if _, err := exec.LookPath("java"); err != nil {
		return fmt.Errorf("%w: install the Debian package default-jre-headless", err)
	}
	for _, jar := range []string{serverJar, loggerJar} {
		if _, err := os.Stat(jar); err != nil {
			return fmt.Errorf("%w: install the Debian packages zookeeper and libslf4j-java", err)
		}
	}
	return nil
}

// A Server is a registry at work.
type Server struct {
	Addr string
	// Started is how long it took from its beginning to its first answer.
	Started time.Duration

	cmd  *exec.Cmd
	dir  string
	done chan struct{} // closed when it has ended
}

// Start starts a registry with an empty data directory below dir, and returns
// when it has answered a read.
func (s *System) Start(ctx context.Context, dir string) (*Server, error) {
	dir, err := os.MkdirTemp(dir, "registry-")
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "zoo.cfg")
	text := fmt.Sprintf(configuration, filepath.Join(dir, "data"), port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	v := &Server{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), dir: dir, done: make(chan struct{})}
	words := append(slices.Clip(s.command), config)
	v.cmd = exec.CommandContext(ctx, words[0], words[1:]...) //nolint:gosec // that is what it is for
	v.cmd.Stderr = logTo(dir)
	dieWithUs(v.cmd)
	begun := time.Now()
	if err := v.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	go func() {
		defer close(v.done)
		v.cmd.Wait() //nolint:errcheck // how it ended is nobody's question
	}()
	if err := v.await(ctx, begun); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w, see %s", s.Name, err, filepath.Join(dir, logName)), v.end(false))
	}
	v.Started = time.Since(begun)
	return v, nil
}

const logName = "stderr.log"

// logTo keeps what a server says; where that is not possible it is lost.
func logTo(dir string) *os.File {
	f, err := os.Create(filepath.Join(dir, logName)) //nolint:gosec // the directory is ours
	if err != nil {
		return nil
	}
	return f
}

// await returns when a new session has read the root. A server that is not ready
// yet may take a connection and never answer, so others follow the first one.
func (v *Server) await(ctx context.Context, begun time.Time) error {
	ctx, cancel := context.WithCancel(ctx)
	var attempts sync.WaitGroup
	defer func() {
		cancel() // which drops their connections
		attempts.Wait()
	}()
	answered := make(chan error, 1)
	err := errors.New("nothing listens")
	for time.Since(begun) < startTimeout {
		pause := pollEvery
		if s, dialErr := connect(ctx, v.Addr, 4<<10); dialErr == nil {
			pause = attemptEvery
			attempts.Go(func() {
				context.AfterFunc(ctx, s.drop)
				err := s.handshake()
				if err == nil {
					err = s.read("/")
				}
				select {
				case answered <- err:
				default:
				}
				s.drop()
			})
		}
		select {
		case err = <-answered:
			if err == nil {
				return nil
			}
		case <-v.done:
			return errors.New("it ended while starting")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
	return fmt.Errorf("no answer within %v: %w", startTimeout, err)
}

// Stop ends the server and removes its data.
func (v *Server) Stop() error { return v.end(true) }

func (v *Server) end(remove bool) error {
	v.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
	select {
	case <-v.done:
	case <-time.After(startTimeout):
		v.cmd.Process.Kill() //nolint:errcheck // it has ended then
		<-v.done
	}
	if f, ok := v.cmd.Stderr.(*os.File); ok && f != nil {
		f.Close()
	}
	if !remove {
		return nil
	}
	return os.RemoveAll(v.dir)
}

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
