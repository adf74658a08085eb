"""Checks the service of `run` with httpx: httpx_check.py PORT. `run` installs httpx and calls this."""
import asyncio
import sys

import httpx

URL = f"http://127.0.0.1:{sys.argv[1]}"


def statuses(client, count):
    return [client.get("/hourly").status_code for _ in range(count)]


def check_sync():
    with httpx.Client(base_url=URL, headers={"X-Api-Key": "httpx"}) as client:
        assert statuses(client, 3) == [200, 200, 200]
        refused = client.get("/hourly")
        assert refused.status_code == 429 and int(refused.headers["Retry-After"]) <= 1200, refused
        assert refused.headers["RateLimit-Policy"] == '"hourly";q=3;w=3600', refused.headers
        assert refused.headers["RateLimit"].startswith('"hourly";r=0;t='), refused.headers
        assert refused.headers["X-RateLimit-Remaining"] == "0", refused.headers
        problem = refused.json()
        assert problem["status"] == 429 and problem["violated-policies"] == ["hourly"], problem
        try:
            refused.raise_for_status()
            raise AssertionError("429 is an error")
        except httpx.HTTPStatusError:
            pass
        # A body of unknown length is chunked.
        body = client.post("/fast/upload", content=iter([b"x" * 1000] * 10)).text
        assert body == "POST /fast/upload 10000\n", body


async def check_async():
    """Of ten requests at once, each on its own connection, three pass."""
    async with httpx.AsyncClient(base_url=URL, headers={"X-Api-Key": "async"}) as client:
        answers = await asyncio.gather(*(client.get("/hourly") for _ in range(10)))
    assert sorted(it.status_code for it in answers) == [200] * 3 + [429] * 7, answers


check_sync()
asyncio.run(check_async())
