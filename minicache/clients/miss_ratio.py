#!/usr/bin/env python3
"""The miss ratio of eviction policies at equal `maxmemory`, on running servers.

    miss_ratio.py PORT POLICY...           a Zipf trace, generated
    miss_ratio.py --lis FILE PORT POLICY...    a trace in the format of the ARC paper
    miss_ratio.py --advise PORT POLICY...      what CACHE ADVISE expects, beside what comes true

A request is `SET key value NX GET`: it reads the key, and stores it if it is not there, as a
cache-aside client does. 64 requests are in flight. The server is flushed before each policy, so it
must hold nothing that matters. `--keys`, `--requests` and `--limits` change the sizes. With
`--advise` the server runs under the first policy, and is asked what the others and more memory would
do; then it runs with each of them.

    redis-server --port 17901 --save '' &
    cargo run --release -p minicache -- serve --listen 127.0.0.1:17902 --threads 1 &
    miss_ratio.py 17901 allkeys-lru allkeys-lfu
    miss_ratio.py 17902 allkeys-lru allkeys-lfu allkeys-sieve allkeys-s3fifo
"""

import argparse
import bisect
import itertools
import socket

VALUE = b"v" * 64
IN_FLIGHT = 64
MASK = (1 << 64) - 1


def zipf(keys, requests):
    """The keys of `minicache race zipf` if there are 100,000: SplitMix64 with seed 42."""
    sums = list(itertools.accumulate(1.0 / (key + 1) for key in range(keys)))
    state = 42
    for _ in range(requests):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        mixed ^= mixed >> 31
        yield bisect.bisect_right(sums, (mixed >> 11) * 2.0**-53 * sums[-1])


def arc(path):
    """Each line is `first_page count ...`."""
    with open(path) as lines:
        for line in lines:
            first, count = map(int, line.split()[:2])
            yield from range(first, first + count)


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.replies = self.socket.makefile("rb")

    def send(self, *commands):
        self.socket.sendall(b"".join(map(encode, commands)))
        return [self.reply() for _ in commands]

    def reply(self):
        line = self.replies.readline()
        if line.startswith(b"-"):
            raise SystemExit(line.decode())
        if not line.startswith(b"$"):
            return line[1:-2]
        length = int(line[1:])
        return None if length < 0 else self.replies.read(length + 2)[:-2]


def encode(command):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(it), it) for it in words)


def misses(client, trace, limit, policy, *more):
    settings = ["maxmemory", limit, "maxmemory-policy", policy]
    client.send(["FLUSHALL"], ["CONFIG", "SET", *settings], *more)
    found = 0
    for start in range(0, len(trace), IN_FLIGHT):
        keys = trace[start : start + IN_FLIGHT]
        replies = client.send(*(["SET", key, VALUE, "NX", "GET"] for key in keys))
        found += sum(reply is not None for reply in replies)
    return len(trace) - found


def advise(client, trace, limit, policy, others):
    """Prints what the advice expects and what comes true."""
    missed = misses(client, trace, limit, policy, ["CACHE", "ADVISE", "ON"]) / len(trace)
    (report,) = client.send(["CACHE", "ADVISE"])
    _, now, more, *rows, sample = report.decode().splitlines()
    print(f"{policy} {now.split()[1]} missed {missed:.2%}; {sample}", flush=True)
    expected = {row.split()[0]: 1 - float(row.split()[2]) / 100 for row in rows}
    cases = [(limit, other, expected[other]) for other in others]
    cases.append((more.split()[1], policy, 1 - float(more.split()[2]) / 100))
    for size, other, says in cases:
        missed = misses(client, trace, size.replace(".0mb", "mb"), other) / len(trace)
        print(f"  {other} {size}: expected {says:.2%}, missed {missed:.2%}", flush=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--lis")
    parser.add_argument("--advise", action="store_true")
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--limits", default="2mb,4mb")
    parser.add_argument("port", type=int)
    parser.add_argument("policies", nargs="+")
    given = parser.parse_args()
    trace = list(arc(given.lis) if given.lis else zipf(given.keys, given.requests))
    client = Client(given.port)
    for limit in given.limits.split(","):
        if given.advise:
            advise(client, trace, limit, given.policies[0], given.policies[1:])
            continue
        for policy in given.policies:
            ratio = misses(client, trace, limit, policy) / len(trace)
            (keys,) = client.send(["DBSIZE"])
            print(f"{limit} {policy:18} {ratio:7.2%} missed, {int(keys)} keys held", flush=True)


main()
