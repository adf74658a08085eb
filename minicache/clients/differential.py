#!/usr/bin/env python3
"""Sends random commands to a real Redis and to minicache and compares the bytes of every reply.

    minicache/clients/differential.py                       both servers are started and stopped
    minicache/clients/differential.py --minicache 127.0.0.1:6380 --families zsets,transactions
    minicache/clients/differential.py --seed 7 --sequence 12        replays one sequence

A run is many sequences of steps on empty servers. A step is a command, or several that belong
together: a transaction with another client's write in between, a client that blocks and is served,
a complete SCAN, a key that expires. The first difference ends a sequence. The sequence is then
shrunk: steps and words are removed while it still differs. A difference is printed like this:

    sequence 12 of seed 7 differs; shrunk from 131 steps to 2:
      0> SET s1 "1 "
      0> INCRBYFLOAT s1 1.5
      in reply to 0> INCRBYFLOAT s1 1.5
        redis:     -ERR value is not a valid float\\r\\n
        minicache: $3\\r\\n2.5\\r\\n

`0>` is the connection. WARNING: all databases of both servers are emptied before every sequence.
"""

import argparse
import sys

from differential.play import replay
from differential.replies import Gone
from differential.servers import Minicache, Redis
from differential.shrink import shrink
from differential.steps import FAMILIES, Writer


def main():
    options = arguments()
    servers = [Redis(options.redis), Minicache(options.minicache)]
    try:
        return search(options, servers)
    except Gone as gone:
        sys.exit(f"a server is lost: {gone}")
    finally:
        for server in servers:
            server.stop()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--redis", metavar="ADDR:PORT", help="a running Redis 7.0 (emptied!)")
    parser.add_argument("--minicache", metavar="ADDR:PORT", help="a running minicache (emptied!)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other commands")
    parser.add_argument("--steps", type=int, default=20_000, help="how many steps in all")
    parser.add_argument("--length", type=int, default=150, help="steps in a sequence")
    parser.add_argument("--sequence", type=int, help="only this one (same seed, families)")
    parser.add_argument("--families", default=",".join(FAMILIES), help=f"of {','.join(FAMILIES)}")
    parser.add_argument("--failures", type=int, default=1, help="stop after this many differences")
    options = parser.parse_args()
    options.families = options.families.split(",")
    unknown = set(options.families) - set(FAMILIES)
    if unknown:
        parser.error(f"no family {', '.join(sorted(unknown))}; there are {', '.join(FAMILIES)}")
    return options


def search(options, servers):
    """Runs sequences until the steps are used up; 1 if any of them differed."""
    first = options.sequence or 1
    count = 1 if options.sequence else max(options.steps // options.length, 1)
    reported = set()
    for number in range(first, first + count):
        steps = Writer(options, number).sequence()
        difference = replay(servers, steps)
        if not difference or difference.name in reported:
            continue
        reported.add(difference.name)
        print(f"sequence {number} of seed {options.seed} differs;", end=" ", flush=True)
        shrunk, difference = shrink(servers, steps, difference)
        print(f"shrunk from {len(steps)} steps to {len(shrunk)}:")
        print(*(f"  {action}" for step in shrunk for action in step), sep="\n")
        print(difference, flush=True)
        if len(reported) >= options.failures:
            break
    steps = f"{(number - first + 1) * options.length} steps in {number - first + 1} sequences"
    print(f"{steps}: {len(reported) or 'no'} different command{'s' * (len(reported) != 1)}")
    return 1 if reported else 0


if __name__ == "__main__":
    sys.exit(main())
