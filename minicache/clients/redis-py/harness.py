"""The base of every family file: registering behaviors, comparing, waiting.

A behavior is a function with its number in ../BEHAVIORS.md:

    @behavior(8)
    def getex_getdel(r):
        equal(r.getdel("missing"), None)
"""

import os
import threading
import time
import traceback

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

BEHAVIORS = {}


def behavior(number):
    """Registers a function under its number in BEHAVIORS.md."""

    def register(function):
        assert number not in BEHAVIORS, f"behavior {number} is registered twice"
        BEHAVIORS[number] = function
        return function

    return register


def run(label, client):
    """Runs every behavior on an empty server; prints failures, returns their count."""
    failed = []
    for number, function in sorted(BEHAVIORS.items()):
        try:
            client.flushall()
            function(client)
        except Exception as error:
            failed.append(number)
            print(f"  FAIL {number} {place(error)}: {type(error).__name__}: {error}")
    held = [number for number in sorted(BEHAVIORS) if number not in failed]
    print(f"  {label}: {len(held)} of {len(BEHAVIORS)} held:", *held)
    return len(failed)


def place(error):
    """The line of a behavior at which the error came up."""
    ours = os.path.dirname(__file__)
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(ours) and frame.filename != __file__:
            return f"{os.path.basename(frame.filename)}:{frame.lineno}"
    return "before its first line"


def sibling(client, **changes):
    """A second client of the same server with a connection of its own."""
    options = {**client.connection_pool.connection_kwargs, **changes}
    names = ("host", "port", "db", "password", "protocol", "decode_responses", "client_name")
    wanted = {name: options[name] for name in names if name in options}
    return redis.Redis(**wanted, single_connection_client=True, retry=Retry(NoBackoff(), 3))


def equal(got, want):
    """Fails with both values unless they are equal."""
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


def within(got, low, high):
    """Fails unless low <= got <= high."""
    if not low <= got <= high:
        raise AssertionError(f"got {got!r}, want {low} to {high}")


def refused(call, *texts):
    """Fails unless the server answers the call with an error containing every text."""
    try:
        answer = call()
    except redis.RedisError as error:
        for text in texts:
            if text not in str(error):
                raise AssertionError(f"error {error!s:.200}, want {text!r}") from error
        return
    raise AssertionError(f"got {answer!r}, want the error {texts}")


def eventually(condition):
    """Waits until the condition holds; fails when it has not after ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("still not true after ten seconds")
        time.sleep(0.005)


def while_blocked(r, blocking, serving):
    """Starts `blocking(other client)` in a thread, serves it once blocked, returns its answer."""
    answers = []
    other = sibling(r)
    thread = threading.Thread(target=lambda: answers.append(blocking(other)))
    thread.start()
    eventually(lambda: r.info("clients")["blocked_clients"] == 1)
    serving()
    thread.join(10)
    other.close()
    equal(len(answers), 1)
    return answers[0]


def scored(answer):
    """Members with scores as a list of pairs, whatever shape the protocol version has."""
    if answer and not isinstance(answer[0], (list, tuple)):
        answer = list(zip(answer[::2], answer[1::2]))
    return [(member, float(score)) for member, score in answer]
