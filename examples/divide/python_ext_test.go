// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/examples/divide"
	"github.com/rollcall-rpc/rollcall/internal/realtest"
)

// runPython runs a script beside the Python programs, with lines on its stdin,
// and returns the lines of its stdout.
func runPython(t *testing.T, script string, lines []string) []string {
	t.Helper()
	cmd := exec.Command(realtest.Kazoo(t), "-B", "-c", script)
	cmd.Dir = "python"
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python: %v\n%s", err, stderr.String())
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// TestPythonWritesNumbersAlike compares how the two clients write a result.
func TestPythonWritesNumbersAlike(t *testing.T) {
	const script = `
import struct, sys
from client import shortest
for line in sys.stdin:
    print(shortest(struct.unpack("!f", bytes.fromhex(line))[0]))
`
	values := []float32{0, float32(math.Copysign(0, -1)), 1, -2.5, 1. / 3, 0.1, 1e-9, 16777216, 2147483648, math.MaxFloat32, math.SmallestNonzeroFloat32}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		values = append(values, float32(float64(int32(rnd.Uint32()))/float64(int32(rnd.Uint32()|1))))
	}
	var lines []string
	for _, v := range values {
		lines = append(lines, fmt.Sprintf("%08x", math.Float32bits(v)))
	}
	got := runPython(t, script, lines)
	if len(got) != len(values) {
		t.Fatalf("%d numbers came back, want %d", len(got), len(values))
	}
	for i, v := range values {
		if want := strconv.FormatFloat(float64(v), 'f', -1, 32); got[i] != want {
			t.Errorf("%x: Python writes %s, want %s", math.Float32bits(v), got[i], want)
		}
	}
}

// TestPythonWritesBytesAlike compares requests and replies, byte for byte.
func TestPythonWritesBytesAlike(t *testing.T) {
	const script = `
import sys
import divide_rpc
for line in sys.stdin:
    num1, num2 = map(int, line.split())
    print(divide_rpc.append_request(num1, num2).hex(), divide_rpc.append_reply(num1, num2).hex())
`
	numbers := []int32{0, 1, -1, 3, 6, math.MaxInt32, math.MinInt32, 16777217}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		numbers = append(numbers, int32(rnd.Uint32()))
	}
	var lines, want []string
	for _, num1 := range numbers {
		for _, num2 := range numbers {
			f := fraction(num1, num2)
			reply := divide.Reply{Kind: divide.KindInvalidOperation, Message: "invalid operation"}
			if q, err := divide.Handler(t.Context(), &f); err == nil {
				reply = divide.Reply{Kind: divide.KindResult, Value: q.Value}
			}
			b, err := divide.AppendReply(nil, reply)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprint(num1, num2))
			want = append(want, fmt.Sprintf("%x %x", divide.AppendRequest(nil, f), b))
		}
	}
	got := runPython(t, script, lines)
	if len(got) != len(want) {
		t.Fatalf("%d lines came back, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: Python writes %s, want %s", lines[i], got[i], want[i])
		}
	}
}

// TestPythonRefusesMalformedRequests checks that the Python server's parser
// knows the same limits.
func TestPythonRefusesMalformedRequests(t *testing.T) {
	const script = `
import io, sys
import divide_rpc
for line in sys.stdin:
    stream = io.BufferedReader(io.BytesIO(bytes.fromhex(line)))
    try:
        print(divide_rpc.read_request(stream))
    except divide_rpc.FormatError as error:
        print("FormatError", error)
`
	lines := []string{strings.NewReplacer(" ", "", "|", "").Replace(sixByThree)}
	for _, m := range malformedRequests {
		lines = append(lines, m.wire)
	}
	got := runPython(t, script, lines)
	if len(got) != len(lines) || got[0] != "(6, 3)" {
		t.Fatalf("%q, want (6, 3) and %d errors", got, len(malformedRequests))
	}
	for i, m := range malformedRequests {
		if !strings.HasPrefix(got[i+1], "FormatError ") {
			t.Errorf("%s: %s, want a FormatError", m.name, got[i+1])
		}
	}
}
