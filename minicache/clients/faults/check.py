"""What public reports about Redis-like servers led to: each check holds on both servers.

Each starts a server of its own, because most need a configuration, its process or its memory.
"""

import os
import sys
import traceback

import clients
import durability
import hostile
import process
import scripts

if not os.environ.get("PROGRAM"):
    sys.exit("these checks start servers: set PROGRAM to redis-server or a minicache binary")

failed = 0
for module in (process, clients, scripts, hostile, durability):
    for name, check in list(vars(module).items()):
        if not name.startswith("check_"):
            continue
        try:
            check()
        except Exception:
            failed += 1
            print(f"FAIL {name}")
            traceback.print_exc(file=sys.stdout)
        else:
            print(f"held {name}")
sys.exit(1 if failed else 0)
