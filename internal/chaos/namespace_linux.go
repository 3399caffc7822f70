// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// A namespace is a network of its own that one process lives in, at the end of a
// virtual cable. Both are gone with the process.
type namespace struct {
	device, inside string // the ends of the cable
	host, guest    string // their addresses
}

// namespaces says why none can be made; "": they can.
func namespaces(*Config) string {
	if os.Geteuid() != 0 {
		return "only root may make a network namespace"
	}
	for _, name := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(name); err != nil {
			return "the command " + name + " is missing, of the packages iproute2 and util-linux"
		}
	}
	return ""
}

// newNamespace lays the cable. Its addresses are of the network that RFC 2544
// sets aside for benchmarks.
func newNamespace() (*namespace, error) {
	pid := os.Getpid()
	at := func(n int) string { return net.IPv4(198, 18, byte(pid>>6), byte(pid<<2|n)).String() } //nolint:gosec // 14 bits of it
	device := fmt.Sprintf("rc%d", pid)
	ns := &namespace{device: device, inside: device + "p", host: at(1), guest: at(2)}
	err := execute(
		"ip link add "+ns.device+" type veth peer name "+ns.inside,
		"ip addr add "+ns.host+"/30 dev "+ns.device,
		"ip link set "+ns.device+" up",
	)
	if err != nil {
		ns.close()
		return nil, &notPermittedError{err}
	}
	return ns, nil
}

// wrap makes a command wait for a line on its stdin, and attr makes the network
// namespace that it waits in; enter puts the end of the cable there and lets the
// command begin.
func (ns *namespace) wrap(argv []string) []string {
	return append([]string{"sh", "-c", `read _ && exec "$0" "$@"`}, argv...)
}

func (ns *namespace) attr(cmd *exec.Cmd) { cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNET }

func (ns *namespace) enter(p *process) error {
	pid := strconv.Itoa(p.cmd.Process.Pid)
	err := execute(
		"ip link set "+ns.inside+" netns "+pid,
		"nsenter -t "+pid+" -n ip addr add "+ns.guest+"/30 dev "+ns.inside,
		"nsenter -t "+pid+" -n ip link set "+ns.inside+" up",
	)
	if err != nil {
		return &notPermittedError{err}
	}
	_, err = p.stdin.Write([]byte("\n"))
	return err
}

// cut sends what goes to the guest to nobody; what the guest sends still comes
// through. mend undoes it.
func (ns *namespace) cut() error {
	return execute("ip neigh replace " + ns.guest + " lladdr 02:00:00:00:00:01 dev " + ns.device + " nud permanent")
}

func (ns *namespace) mend() error {
	return execute("ip neigh del " + ns.guest + " dev " + ns.device)
}

// close removes the cable where it is still there.
func (ns *namespace) close() { execute("ip link del " + ns.device) } //nolint:errcheck // it may have gone with the process

// execute runs command lines, up to the first that fails.
func execute(lines ...string) error {
	for _, line := range lines {
		argv := strings.Fields(line)
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil { //nolint:gosec,noctx // the lines are ours, and short
			return fmt.Errorf("%s: %w: %s", line, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
