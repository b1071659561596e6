"""A source, a sink and a small blob store on one port: `python -m bench.server [CERTIFICATE_FOLDER]`.

What it serves, by the last part of the path:
- `<n>.pdf` with n of 1,000 or more is a blob of n bytes, which nobody has to write first (ranges included)
- any other GET and PUT is a blob store in memory with ETags and conditions, enough for the ledger
- POST and a chunked PUT are read to their end, dropped, and answered as Partner Center answers an attachment:
  with the documents that the id of the order names after its first hyphen (`parts.order_of`)
- GET of an order's `attachments` is an empty list, and GET of the order says that it waits for documents

A first part of the path changes the manners: `/paced/...` sends and reads 60 MB/s after 20 ms, `/slow/...`
answers storage, a list and an order after 10 ms and a POST after 50 ms, `/far/...` a list and an order after
100 ms and a POST after 500 ms, `/late/...` both after 500 ms and a POST after 5.5 s, `/thrice/...` throttles
two POSTs of three.
It prints {"http": url, "https": url} when it listens. GET /count tells how many requests it had by method,
GET /fill/<n> writes n small blobs into the incoming container.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from email.utils import formatdate
from pathlib import Path

from shared.core.models import Role

PIECE = 256 * 1024
PACE = 60e6
FIRST_BYTE = 0.020
STORAGE_SECONDS, POST_SECONDS = 0.010, 0.050
FAR_LIST_SECONDS, FAR_POST_SECONDS = 0.1, 0.5
LATE_LIST_SECONDS, LATE_POST_SECONDS = 0.5, 5.5
MANNERS = ("paced", "slow", "far", "late", "thrice")

_PDF = memoryview(b"%PDF-1.7\n" + bytes(4 * PIECE))
_MD5 = base64.b64encode(hashlib.md5(_PDF, usedforsecurity=False).digest()).decode()
_STARTED = formatdate(usegmt=True)
_ORDER = json.dumps({"id": "o", "status": "pending_po_upload"}).encode()
_END_OF_CHUNKS = b"\r\n0\r\n\r\n"


class Store:
    """What all connections share."""

    def __init__(self) -> None:
        self.blobs: dict[str, tuple[str, bytes]] = {}
        self.lock = threading.Lock()
        self.versions = itertools.count(1)
        self.posts = itertools.count(1)
        self.count: Counter[str] = Counter()

    def put(self, path: str, headers: dict[str, str], content: bytes) -> tuple[int, str]:
        """Status and ETag."""
        with self.lock:
            there = self.blobs.get(path)
            if there and headers.get("if-none-match") == "*":
                return 409, ""
            if "if-match" in headers and (not there or there[0] != headers["if-match"]):
                return 412, ""
            etag = f'"{next(self.versions)}"'
            self.blobs[path] = (etag, content)
            return 201, etag


class Connection:
    """One client: its requests one after the other."""

    def __init__(self, link: socket.socket, store: Store) -> None:
        self.link, self.store = link, store
        self.buffer = bytearray(4 * PIECE)
        self.rest = b""

    def serve(self) -> None:
        """Until the client goes."""
        while self.request():
            pass

    def request(self) -> bool:
        """Serve one request; False at the end."""
        while b"\r\n\r\n" not in self.rest:
            piece = self.link.recv(65536)
            if not piece:
                return False
            self.rest += piece
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (text.partition(":") for text in lines)}
        path = target.partition("?")[0]
        self.manners = path.split("/")[1]
        if self.manners in MANNERS:
            path = path.removeprefix(f"/{self.manners}")
        self.store.count[method] += 1
        if headers.get("expect"):
            self.link.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if method == "POST" or "transfer-encoding" in headers:
            self.swallow(path, headers)
        elif path.startswith("/v1/"):
            time.sleep({"far": FAR_LIST_SECONDS, "late": LATE_LIST_SECONDS}.get(self.manners, 0))
            self.wait()
            body = _collection([]) if path.endswith("/attachments") else _ORDER
            self.answer(200, {"Content-Type": "application/json"}, body)
        elif method == "PUT":
            self.put(path, headers)
        else:
            self.get(path, headers)
        return True

    def swallow(self, path: str, headers: dict[str, str]) -> None:
        """Read a body of any length and drop it."""
        started, got, tail = time.perf_counter(), len(self.rest), self.rest[-7:]
        length = int(headers.get("content-length", -1))
        self.rest, view = b"", memoryview(self.buffer)
        while got < length or (length < 0 and tail != _END_OF_CHUNKS):
            n = self.link.recv_into(view if length < 0 else view[: length - got])
            if not n:
                return
            got += n
            if length < 0:
                tail = (tail + bytes(view[max(0, n - 7) : n]))[-7:]
            self.pace(started, got)
        times = {"slow": POST_SECONDS, "far": FAR_POST_SECONDS, "late": LATE_POST_SECONDS}
        time.sleep(times.get(self.manners, 0))
        if self.manners == "thrice" and next(self.store.posts) % 3:
            self.answer(429, {"Retry-After": "1"})
        else:
            self.answer(201, {"Content-Type": "application/json"}, _collection(_attached(path)))

    def put(self, path: str, headers: dict[str, str]) -> None:
        """Store a blob."""
        length = int(headers["content-length"])
        while len(self.rest) < length:
            self.rest += self.link.recv(65536)
        content, self.rest = self.rest[:length], self.rest[length:]
        self.wait()
        status, etag = self.store.put(path, headers, content)
        self.answer(status, {"ETag": etag} if etag else {"x-ms-error-code": "BlobAlreadyExists"})

    def get(self, path: str, headers: dict[str, str]) -> None:
        """Send a blob, stored or made up."""
        self.wait()
        if path == "/count":
            self.answer(200, {}, json.dumps(self.store.count).encode())
            return
        if path.startswith("/fill/"):
            for n in range(int(path.removeprefix("/fill/"))):
                self.store.put(f"/devstoreaccount1/incoming/others/{n}.pdf", {}, b"%PDF-1.7")
            self.answer(200, {})
            return
        stem = path.rpartition("/")[2].removesuffix(".pdf")
        there = self.store.blobs.get(path)
        if there is None and not (stem.isdigit() and int(stem) >= 1000):
            self.answer(404, {"x-ms-error-code": "BlobNotFound"})
            return
        size = len(there[1]) if there else int(stem)
        first, last, asked = 0, size - 1, headers.get("x-ms-range") or headers.get("range")
        if asked:
            begin, _, end = asked.removeprefix("bytes=").partition("-")
            first, last = int(begin), min(int(end or last), last)
        tells = {"ETag": there[0] if there else '"1"', "Last-Modified": _STARTED}
        if asked:
            tells["Content-Range"] = f"bytes {first}-{last}/{size}"
        else:
            tells["Content-MD5"] = _MD5
        self.head(206 if asked else 200, tells, last - first + 1)
        if there:
            self.link.sendall(there[1][first : last + 1])
        else:
            self.send(last - first + 1, first)

    def send(self, size: int, first: int) -> None:
        """Send `size` bytes of the made-up document."""
        started, sent = time.perf_counter(), 0
        if self.manners == "paced":
            time.sleep(FIRST_BYTE)
            started = time.perf_counter()
        while sent < size:
            begin = (first + sent) if first + sent < PIECE else PIECE
            n = min(size - sent, PIECE)
            self.link.sendall(_PDF[begin : begin + n])
            sent += n
            self.pace(started, sent)

    def pace(self, started: float, done: int) -> None:
        """Hold back to PACE, where that is wanted."""
        if self.manners == "paced":
            ahead = done / PACE - (time.perf_counter() - started)
            if ahead > 0:
                time.sleep(ahead)

    def wait(self) -> None:
        """The time that storage takes, where that is wanted."""
        if self.manners == "slow":
            time.sleep(STORAGE_SECONDS)

    def head(self, status: int, headers: dict[str, str], length: int) -> None:
        """Send status line and headers."""
        lines = [
            f"HTTP/1.1 {status} x",
            f"Content-Length: {length}",
            *(f"{k}: {v}" for k, v in headers.items()),
        ]
        self.link.sendall("\r\n".join([*lines, "", ""]).encode())

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        """Send a whole answer at once."""
        lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}"]
        lines += [f"{k}: {v}" for k, v in headers.items()]
        self.link.sendall("\r\n".join([*lines, "", ""]).encode() + body)


def _attached(path: str) -> list[dict[str, str]]:
    """The documents that are attached to the order of a path, as its id names them."""
    order = path.rpartition("/attachment")[0].rpartition("/")[2]
    names = order.split("-")[1:]
    kind = str(Role.PURCHASE_ORDER)
    return [
        {"attachmentId": f"{order}-{n}", "attachmentType": kind, "fileName": f"{name}.pdf"}
        for n, name in enumerate(names)
    ]


def _collection(items: list[dict[str, str]]) -> bytes:
    return json.dumps({"totalCount": len(items), "items": items}).encode()


def _serve(link: socket.socket, store: Store, tls: ssl.SSLContext | None) -> None:
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        if tls:
            link = tls.wrap_socket(link, server_side=True)
        Connection(link, store).serve()
    except OSError:
        pass  # the client has gone
    finally:
        link.close()


def _listen(store: Store, tls: ssl.SSLContext | None) -> int:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    def accept() -> None:
        while True:
            link, _ = listener.accept()
            threading.Thread(target=_serve, args=(link, store, tls), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


def main(arguments: list[str]) -> None:
    """Listen until the parent closes our stdin or ends us."""
    store, urls = Store(), {}
    urls["http"] = f"http://127.0.0.1:{_listen(store, None)}"
    if arguments:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(Path(arguments[0]) / "server.pem", Path(arguments[0]) / "server-key.pem")
        urls["https"] = f"https://localhost:{_listen(store, context)}"
    print(json.dumps(urls), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1:])
