# Copyright The Rollcall Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of the modules named behind the server's address.

For each test it prints "ok NAME SECONDS", or "FAIL NAME" and a traceback whose
lines begin with a tab, and at the end "end".
"""

import faulthandler
import importlib
import sys
import time
import traceback

from harness import World


def run(name, test, hosts):
    world, begin = World(hosts), time.monotonic()
    try:
        test(world)
        world.close()
    except Exception:
        print("FAIL", name)
        print("\t" + traceback.format_exc().replace("\n", "\n\t"))
    else:
        print("ok", name, "%.2f" % (time.monotonic() - begin))
    sys.stdout.flush()


faulthandler.dump_traceback_later(300, exit=True)
for module in sys.argv[2:]:
    tests = vars(importlib.import_module(module))
    for name in [n for n in tests if n.startswith("test_")]:
        run(name[len("test_"):], tests[name], sys.argv[1])
print("end", flush=True)
