"""Programs in Python that work by scripts: redis-py's Lock, django-redis, Celery with chords."""

import contextlib
import sys

import django
import redis
from celery import Celery, chord
from celery.contrib.testing.worker import start_worker
from django.conf import settings

HOST, PORT = sys.argv[1], int(sys.argv[2])
URL = f"redis://{HOST}:{PORT}/0"

app = Celery("check", broker=URL, backend=URL)
app.conf.broker_connection_retry_on_startup = True


@app.task(name="add")
def add(x, y):
    return x + y


@app.task(name="total")
def total(values):
    return sum(values)


@app.task(name="third_time", bind=True, max_retries=3)
def third_time(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries


def check_locks():
    client = redis.Redis(host=HOST, port=PORT)
    client.flushall()
    lock = client.lock("lock", timeout=10)
    assert lock.acquire()
    assert not client.lock("lock", timeout=10).acquire(blocking=False)
    assert lock.extend(20) and client.ttl("lock") > 20
    assert lock.reacquire() and client.ttl("lock") <= 10
    lock.release()
    assert not client.exists("lock")

    # A lock that expired and is another's by now must not be released.
    lost = client.lock("lost", timeout=10)
    lost.acquire()
    client.set("lost", "another's")
    with contextlib.suppress(redis.exceptions.LockNotOwnedError):
        lost.release()
        sys.exit("released the lock of another")
    assert client.get("lost") == b"another's"

    script = client.register_script("return {KEYS[1], ARGV[1], redis.call('incr', KEYS[1])}")
    client.script_flush()
    assert script(keys=["n"], args=["x"]) == [b"n", b"x", 1]


def check_django():
    backend = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": URL}
    settings.configure(CACHES={"default": backend})
    django.setup()
    from django.core.cache import cache
    cache.set("counter", 5)
    assert cache.incr("counter", 3) == 8 and cache.get("counter") == 8
    with cache.lock("lock", timeout=5):
        assert not cache.lock("lock", timeout=5).acquire(blocking=False)
    assert cache.lock("lock", timeout=5).acquire(blocking=False)


def check_celery():
    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="ERROR"):
        assert add.delay(2, 3).get(timeout=60) == 5
        assert third_time.delay().get(timeout=60) == 2
        assert chord([add.s(i, i) for i in range(5)])(total.s()).get(timeout=60) == 20
        assert add.apply_async((1, 1), countdown=1).get(timeout=60) == 2


if __name__ == "__main__":
    check_locks()
    check_django()
    check_celery()
