"""redis-py against the server at HOST PORT: every behavior, as users of each protocol see it."""

import sys

import redis

import containers  # noqa: F401  (importing registers the behaviors)
import keyspace  # noqa: F401
import sessions  # noqa: F401
from harness import run


def main(host, port):
    failures = 0
    for label, options in (("default", {}), ("RESP2", {"protocol": 2}), ("RESP3", {"protocol": 3})):
        client = redis.Redis(host=host, port=port, decode_responses=True, **options)
        client.protocol_version = options.get("protocol", 3)
        failures += run(f"redis-py {redis.__version__} {label}", client)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
