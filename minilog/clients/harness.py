"""The base of the checks in Python: registering behaviors, comparing, waiting.

A behavior is a function with its number in BEHAVIORS.md. It gets the broker's address and the name
of a topic that does not exist yet:

    @behavior(3)
    def order(broker, topic):
        equal(consume(broker, topic, 3), [b"a", b"b", b"c"])
"""

import os
import time
import traceback

BEHAVIORS = {}
# Configuration of a topic in which each batch is a segment, and sealed segments are compacted soon.
COMPACTED = {"cleanup.policy": "compact", "segment.ms": "1", "min.cleanable.dirty.ratio": "0.01"}
# The records sent to it, and the offsets that compaction leaves: the latest record of each key.
UPDATES = [(b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"b", None), (b"c", b"1")]
LATEST = [2, 3, 4]
# Topics are never deleted, so every run uses new names.
RUN = f"{os.getpid()}-{time.time_ns() % 100000}"


def behavior(number):
    """Registers a function under its number in BEHAVIORS.md."""

    def register(function):
        assert number not in BEHAVIORS, f"behavior {number} is registered twice"
        BEHAVIORS[number] = function
        return function

    return register


def run(label, broker):
    """Runs every behavior. Prints failures and returns the exit status."""
    failed = []
    for number, function in sorted(BEHAVIORS.items()):
        try:
            function(broker, f"{function.__name__}-{RUN}")
        except Exception as error:
            failed.append(number)
            print(f"  FAIL {number}: {type(error).__name__}: {error}")
            traceback.print_exc()
    held = [number for number in sorted(BEHAVIORS) if number not in failed]
    print(f"  {label}: {len(held)} of {len(BEHAVIORS)} held:", *held)
    return 1 if failed else 0


def equal(got, want):
    """Fails with both values unless they are equal."""
    if got != want:
        raise AssertionError(f"got {got!r:.500}, want {want!r:.500}")


def eventually(condition):
    """Waits until the condition holds. Fails after 90 seconds."""
    deadline = time.monotonic() + 90
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("still not true after 90 seconds")
        time.sleep(0.005)
