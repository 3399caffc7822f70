// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package realtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	serverJar = "/usr/share/java/zookeeper.jar"
	loggerJar = "/usr/share/java/slf4j-simple.jar"
	mainClass = "org.apache.zookeeper.server.ZooKeeperServerMain"

	startTimeout = 30 * time.Second // until the server answers; it takes 1 to 3 s
	stopTimeout  = 10 * time.Second // until it has ended after SIGTERM
	pollEvery    = 50 * time.Millisecond
	portTries    = 5
)

// A ZooKeeper is an Apache ZooKeeper server, standalone, that can be stopped and
// started again on the same port and data. Its tick is 500 ms, so that sessions
// may time out after 1 to 10 s.
type ZooKeeper struct {
	t    testing.TB
	dir  string
	port int
	java []string      // properties, -Dkey=value
	conf string        // further lines of its zoo.cfg
	cmd  *exec.Cmd     // nil while stopped
	done chan struct{} // closed when cmd has ended
	out  bytes.Buffer  // what cmd printed; read after done only
}

// Apache starts an Apache ZooKeeper server on a free port of the loopback
// interface, waits until it serves, and stops it when the test ends. A setting is
// a property of its Java process, "-Dkey=value", or a line of its zoo.cfg.
func Apache(t testing.TB, settings ...string) *ZooKeeper {
	t.Helper()
	requireServer(t)
	z := &ZooKeeper{t: t, dir: t.TempDir()}
	for _, s := range settings {
		if strings.HasPrefix(s, "-D") {
			z.java = append(z.java, s)
		} else {
			z.conf += s + "\n"
		}
	}
	t.Cleanup(z.Kill)
	var err error
	for range portTries {
		z.port = freePorts(t, 1)[0]
		if err = z.start(); err == nil {
			return z
		}
		z.Kill()
	}
	t.Fatalf("zookeeper did not start on any of %d ports: %v", portTries, err)
	return nil
}

// requireServer skips the test where no Apache ZooKeeper can be started.
func requireServer(t testing.TB) {
	t.Helper()
	_, err := exec.LookPath("java")
	Require(t, "java", err == nil, "install the Debian package default-jre-headless")
	for _, jar := range []string{serverJar, loggerJar} {
		_, err := os.Stat(jar)
		Require(t, jar, err == nil, "install the Debian packages zookeeper and libslf4j-java")
	}
}

// Addr returns the server's address, host:port.
func (z *ZooKeeper) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(z.port)) }

// Start starts the server again, on the same port and data.
func (z *ZooKeeper) Start() {
	z.t.Helper()
	if err := z.start(); err != nil {
		z.t.Fatal(err)
	}
}

// StartEmpty starts the server again, on the same port and without its data.
func (z *ZooKeeper) StartEmpty() {
	z.t.Helper()
	if z.cmd != nil {
		z.t.Fatal("zookeeper is running: stop it before its data is removed")
	}
	if err := os.RemoveAll(z.data()); err != nil {
		z.t.Fatal(err)
	}
	z.Start()
}

// Stop ends the server in an orderly way and waits for its end.
func (z *ZooKeeper) Stop() { z.end(syscall.SIGTERM) }

// Kill ends the server at once, as a crash would, and waits for its end.
func (z *ZooKeeper) Kill() { z.end(syscall.SIGKILL) }

// Command sends a four-letter word, for example "srvr" or "cons", and returns
// the answer.
func (z *ZooKeeper) Command(word string) string {
	z.t.Helper()
	answer, err := z.command(word)
	if err != nil {
		z.t.Fatalf("zookeeper %s: %v", word, err)
	}
	return answer
}

func (z *ZooKeeper) data() string { return filepath.Join(z.dir, "data") }

func (z *ZooKeeper) start() error {
	if z.cmd != nil {
		return errors.New("zookeeper is running already")
	}
	config := filepath.Join(z.dir, "zoo.cfg")
	text := fmt.Sprintf("tickTime=500\ndataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\n"+
		"admin.enableServer=false\n4lw.commands.whitelist=*\nmaxClientCnxns=0\n%s", z.data(), z.port, z.conf)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	z.out.Reset()
	// The test's context ends before its cleanup, which is to end the server.
	args := append([]string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}, z.java...)
	args = append(args, "-cp", serverJar+":"+loggerJar, mainClass, config)
	cmd := exec.CommandContext(context.WithoutCancel(z.t.Context()), "java", args...) //nolint:gosec // the arguments are ours
	cmd.Stdout, cmd.Stderr = &z.out, &z.out
	dieWithUs(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		cmd.Wait() //nolint:errcheck // how it ended is nobody's question
	}()
	z.cmd, z.done = cmd, done
	return z.await()
}

// await waits until the server answers that it serves.
func (z *ZooKeeper) await() error {
	limit := time.NewTimer(startTimeout)
	defer limit.Stop()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		// Another process on that port would answer too: ours must be alive.
		answer, err := z.command("srvr")
		if err == nil && strings.Contains(answer, "Mode: standalone") {
			return nil
		}
		select {
		case <-z.done:
			z.cmd = nil
			return fmt.Errorf("zookeeper ended while starting:\n%s", z.out.Bytes())
		case <-limit.C:
			return fmt.Errorf("zookeeper did not serve within %v, last: %q, %w", startTimeout, answer, err)
		case <-poll.C:
		}
	}
}

func (z *ZooKeeper) command(word string) (string, error) {
	conn, err := net.DialTimeout("tcp", z.Addr(), time.Second) //nolint:noctx // asked in cleanups too
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

func (z *ZooKeeper) end(how syscall.Signal) {
	if z.cmd == nil {
		return
	}
	z.cmd.Process.Signal(how) //nolint:errcheck // it may have ended already
	limit := time.NewTimer(stopTimeout)
	defer limit.Stop()
	select {
	case <-z.done:
	case <-limit.C:
		z.cmd.Process.Kill() //nolint:errcheck // it has ended then
		<-z.done
	}
	z.cmd = nil
}
