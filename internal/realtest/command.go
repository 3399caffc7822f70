// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package realtest

import (
	"context"
	"os"
	"os/exec"
	"testing"
)

const (
	cliLoggerJar = "/usr/share/java/slf4j-nop.jar"
	cliClass     = "org.apache.zookeeper.ZooKeeperMain"
	cliMT        = "/usr/lib/zookeeper/bin/cli_mt"
)

// Command returns a command that is not started yet. It ends with the test's
// process at the latest, even where no cleanup runs; to end it with the test is
// the caller's.
func Command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	// The test's context ends before its cleanup, which is to end the command.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...) //nolint:gosec // a test names the command
	dieWithUs(cmd)
	return cmd
}

// JavaCLI returns ZooKeeper's command line in Java, which zkCli.sh starts, on the
// server at addr. It reads commands from its input, one per line.
func JavaCLI(t testing.TB, addr string) *exec.Cmd {
	t.Helper()
	_, err := exec.LookPath("java")
	Require(t, "java", err == nil, "install the Debian package default-jre-headless")
	for _, jar := range []string{serverJar, cliLoggerJar} {
		_, err := os.Stat(jar)
		Require(t, jar, err == nil, "install the Debian packages zookeeper and libslf4j-java")
	}
	return Command(t, "java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-cp", serverJar+":"+cliLoggerJar, cliClass, "-server", addr, "-timeout", "10000")
}

// CCLI returns cli_mt, the command line of ZooKeeper's C client, on the server at
// addr. It reads commands from its input, one per line.
func CCLI(t testing.TB, addr string) *exec.Cmd {
	t.Helper()
	path := cliMT
	if _, err := os.Stat(path); err != nil {
		path, err = exec.LookPath("cli_mt")
		Require(t, "cli_mt", err == nil, "install the Debian package zookeeper-bin")
	}
	return Command(t, path, addr)
}
