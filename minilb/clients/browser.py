"""A page with assets and a WebSocket, for browsers: behind a proxy that does TLS and HTTP/2.

The browser shows what it has got: by which protocol each asset came, and what the WebSocket answered.
The image `done.svg` is answered when the script has said so, and the browser waits for it before it
dumps or draws the page.
"""
import base64
import hashlib
import socket
import threading

PAGE = """<!doctype html>
<html><head><meta charset="utf-8"><title>through the proxy</title>
<link rel="stylesheet" href="/style.css"><script defer src="/app.js"></script></head>
<body><h1>Through the proxy</h1><img src="/ring.svg" width="120" alt="a ring">
<table id="assets"></table><p id="socket">no WebSocket</p>
<img src="/done.svg" width="16" alt=""></body></html>"""

STYLE = """body { font: 16px sans-serif; margin: 2em; background: #f4f7fb; color: #123; }
h1 { color: #060; } td { padding: 0 1em; } #socket { font-weight: bold; }"""

SCRIPT = """
const names = ['/style.css', '/app.js', '/ring.svg'];
const socket = new WebSocket(`wss://${location.host}/ws`);
const answers = [];
socket.onopen = () => ['one', 'two', 'x'.repeat(70000)].forEach(it => socket.send(it));
socket.onmessage = event => {
    answers.push(event.data.length > 99 ? event.data.length : event.data);
    if (answers.length == 3) socket.close();
};
socket.onclose = async event => {
    const more = await Promise.all([...Array(20).keys()].map(async number => {
        const response = await fetch(`/data/${number}`);
        return await response.text() == `data ${number}`;
    }));
    const entries = performance.getEntriesByType('navigation').concat(
        names.map(it => performance.getEntriesByName(location.origin + it)[0]));
    document.getElementById('assets').innerHTML = entries.map(it =>
        `<tr><td>${new URL(it.name).pathname}</td><td>${it.nextHopProtocol}</td></tr>`).join('') +
        `<tr><td>20 requests at once</td><td>${more.every(it => it)}</td></tr>`;
    document.getElementById('socket').textContent =
        `WebSocket: ${answers.join(', ')}, closed cleanly: ${event.wasClean}`;
    fetch('/done', {method: 'POST', body: 'done'});
};
"""

RING = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="-60 -60 120 120">
<circle r="50" fill="none" stroke="#ccd" stroke-width="10"/>
<path d="M50 0A50 50 0 0 1 -25 43" fill="none" stroke="#060" stroke-width="10"/></svg>"""

# What a browser shows if nothing was lost on the way.
EXPECTED = [
    *(f"<td>{path}</td><td>h2</td>" for path in ("/", "/style.css", "/app.js", "/ring.svg")),
    "<td>20 requests at once</td><td>true</td>",
    "WebSocket: echo one, echo two, 70005, closed cleanly: true",
]


class Site:
    """The server behind the proxy; one thread for each connection."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.done = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    def talk(self, client):
        with client, client.makefile("rb") as requests:
            while line := requests.readline():
                method, path, _ = line.decode().split(" ")
                headers = {}
                while (header := requests.readline()).strip():
                    name, value = header.decode().split(":", 1)
                    headers[name.lower()] = value.strip()
                requests.read(int(headers.get("content-length", 0)))
                if path == "/ws":
                    return echo(client, requests, headers["sec-websocket-key"])
                self.answer(client, path)

    def answer(self, client, path):
        pages = {
            "/": ("text/html", PAGE),
            "/style.css": ("text/css", STYLE),
            "/app.js": ("text/javascript", SCRIPT),
            "/ring.svg": ("image/svg+xml", RING),
            "/done.svg": ("image/svg+xml", RING),
        }
        if path == "/done":
            self.done.set()
        if path == "/done.svg":
            self.done.wait(20)
        kind, body = pages.get(path, ("text/plain", path.removeprefix("/").replace("/", " ")))
        client.sendall(
            f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            .encode()
        )

    def stop(self):
        self.listener.close()


def echo(client, frames, key):
    """Answers each message of a WebSocket (RFC 6455) with `echo` in front, until it closes."""
    accept = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    client.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(accept) + b"\r\n\r\n"
    )
    while head := frames.read(2):
        size = head[1] & 0x7F
        if size > 125:
            size = int.from_bytes(frames.read(2 if size == 126 else 8), "big")
        mask = frames.read(4)
        payload = bytes(it ^ mask[at % 4] for at, it in enumerate(frames.read(size)))
        is_close = head[0] & 15 == 8
        answer = payload if is_close else b"echo " + payload
        length = len(answer)
        if length < 126:
            size = bytes([length])
        elif length < 65_536:
            size = b"\x7e" + length.to_bytes(2, "big")
        else:
            size = b"\x7f" + length.to_bytes(8, "big")
        client.sendall(head[:1] + size + answer)
        if is_close:
            return
