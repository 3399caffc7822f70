// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zktest_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// kazooScript does with kazoo what services do with it, and waits for each
// effect. It prints "done" at its end.
const kazooScript = `
import sys, threading
from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NoNodeError, NodeExistsError
from kazoo.security import make_digest_acl

def client():
    zk = KazooClient(hosts=sys.argv[1], timeout=2.0)
    zk.start(timeout=10)
    return zk

a, b = client(), client()
assert a.server_version()[:2] == (3, 8), a.server_version()

# Plain nodes.
a.ensure_path("/app/members")
assert a.create("/app/x", b"1") == "/app/x"
try:
    a.create("/app/x", b"1")
    raise SystemExit("created twice")
except NodeExistsError:
    pass
data, stat = b.get("/app/x")
assert data == b"1" and stat.version == 0
assert a.set("/app/x", b"2", version=0).version == 1
try:
    a.set("/app/x", b"3", version=0)
    raise SystemExit("set with an old version")
except BadVersionError:
    pass
path, stat = a.create("/app/y", b"abc", include_data=True)
assert path == "/app/y" and stat.dataLength == 3
a.delete("/app/y")
try:
    a.get("/app/y")
    raise SystemExit("got a deleted node")
except NoNodeError:
    pass
assert a.sync("/app") == "/app"

# Watches that follow.
members, seen = threading.Event(), []
@b.ChildrenWatch("/app/members")
def on_members(children):
    seen.append(sorted(children))
    members.set()
members.wait(10)
for want in (1, 2):
    members.clear()
    a.create("/app/members/server", b"{}", ephemeral=True, sequence=True)
    assert members.wait(10) and len(seen[-1]) == want, seen
assert seen[-1] == ["server0000000000", "server0000000001"], seen

changed, values = threading.Event(), []
@b.DataWatch("/app/x")
def on_data(data, stat):
    values.append(data)
    changed.set()
changed.clear()
a.set("/app/x", b"9")
assert changed.wait(10) and values[-1] == b"9", values
changed.clear()
a.delete("/app/x")
assert changed.wait(10) and values[-1] is None, values

# Transactions.
t = a.transaction()
t.create("/app/t", b"")
t.set_data("/app/t", b"v")
t.check("/app/t", 1)
assert [str(r)[:6] for r in t.commit()][0] == "/app/t"
t = a.transaction()
t.create("/app/u", b"")
t.delete("/app/missing")
t.create("/app/v", b"")
results = t.commit()
assert [type(r).__name__ for r in results] == ["RolledBackError", "NoNodeError", "RuntimeInconsistency"], results
assert not a.exists("/app/u")

# A lock changes hands.
first, second = a.Lock("/app/lock", "a"), b.Lock("/app/lock", "b")
assert first.acquire(timeout=10)
assert not second.acquire(blocking=False)
got = []
waiter = threading.Thread(target=lambda: got.append(second.acquire(timeout=10)))
waiter.start()
while len(first.contenders()) < 2:
    pass
first.release()
waiter.join(10)
assert got == [True], got
second.release()

# Identities.
a.add_auth("digest", "bob:pw")
a.create("/app/secret", b"s", acl=[make_digest_acl("bob", "pw", all=True)])
assert a.get("/app/secret")[0] == b"s"
try:
    b.get("/app/secret")
    raise SystemExit("read without permission")
except Exception as e:
    assert type(e).__name__ == "NoAuthError", e

# A closed session takes its ephemeral nodes with it.
members.clear()
a.stop()
while seen[-1]:
    assert members.wait(10)
    members.clear()
b.stop()
print("done")
`

func TestKazoo(t *testing.T) {
	python := realtest.Kazoo(t)
	s := zktest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, python, "-c", kazooScript, s.Addr()).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "done\n") {
		t.Fatalf("kazoo: %v\n%s", err, out)
	}
}
