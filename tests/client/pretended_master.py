"""A master made of the protocol's page alone, with the standard library: what the client is tested against.

It records every request, answers from a script where a test gives one, and otherwise as the page says.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import shlex
import ssl
import tempfile
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from waiting import wait_until

SESSION = "s3cr3t-of-this-test-0123456789abcdef"


@dataclass
class Request:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    at: float
    parts: dict[str, bytes] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)

    @property
    def ticket(self) -> int:
        return int(self.query["ticket"][0])

    @property
    def reason(self) -> str:
        return self.query.get("reason", [""])[0]


Answer = tuple[int, dict[str, str], bytes]


def task(
    ticket: int,
    *words: str,
    inputs: dict[str, bytes] | None = None,
    shared: dict[str, bytes] | None = None,
    results: dict[str, str] | None = None,
    timeout: float = 0,
    extra: str = "",
) -> bytes:
    """A task record; shared: inputs given by their checksum."""
    text = f"Ticket={ticket}\nTimeout={timeout:g}\nCommandLine={shlex.join(words)}\n{extra}".encode()
    for name, content in (inputs or {}).items():
        text += f"[Input]\nFile={name}\nLength={len(content)}\n--begin content--\n".encode()
        text += content + b"\n--end content--\n"
    for name, content in (shared or {}).items():
        text += f"[Input]\nFile={name}\nLength={len(content)}\nSHA256={hashlib.sha256(content).hexdigest()}\n".encode()
    for name, file in (results or {"stdout": "stdout"}).items():
        text += f"[Result]\nName={name}\nFile={file}\n".encode()
    return text + b"\n"


class Master:
    """The pretended master. `tasks` are given out in order; with `over` there is nothing after them."""

    def __init__(self, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.config: dict[str, str] = {
            "DeleteWorker": "Yes",
            "DeleteClient": "No",
            "Ping": "0",
            "Grace": "5",
            "Client": "7",
            "SomethingNew": "is ignored",
        }
        self.tasks: deque[bytes] = deque()
        self.over = True
        self.workers: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.expired: set[int] = set()
        self.called: set[int] = set()  # expired, to be told by the held request
        self.idle = 0  # slots elsewhere that have nothing to do, to be told by the held request
        self.orders: list[dict[str, Any]] = []  # all that were given
        self.told: set[int] = set()  # those that the client has fetched
        self.said: dict[int, bytes] = defaultdict(bytes)  # what came of each
        self.ended: dict[int, dict[str, list[str]]] = {}  # how each ended: exit or reason
        self.unheard: set[int] = set()  # those that nobody waits for any more
        self.script: dict[str, deque[Answer | Callable[[Any], None]]] = defaultdict(deque)
        self.requests: list[Request] = []
        self.out: set[int] = set()  # given out and not heard of
        self.changed = threading.Condition()
        self.server = _Server(("127.0.0.1", port), self)
        self.scheme = "https" if context else "http"
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def add(self, *records: bytes) -> None:
        with self.changed:
            self.tasks.extend(records)
            self.changed.notify_all()

    def finish(self) -> None:
        """From now on there is nothing more to do."""
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def call_for(self, slots: int) -> None:
        """So many slots elsewhere have nothing to do."""
        with self.changed:
            self.idle = slots
            self.changed.notify_all()

    def call_back(self, ticket: int) -> None:
        """Let the client know at once that nobody needs this ticket any more."""
        with self.changed:
            self.called.add(ticket)
            self.changed.notify_all()

    def order(self, do: str, **what: Any) -> int:
        """Something that somebody wants to have done; its number."""
        with self.changed:
            self.orders.append({"id": len(self.orders) + 1, "do": do, **what})
            self.changed.notify_all()
            return len(self.orders)

    def due(self) -> dict[str, str]:
        """The header that tells of orders."""
        count = sum(one["id"] not in self.told for one in self.orders)
        return {"Orders": str(count)} if count else {}

    def end_of(self, order: int) -> dict[str, list[str]]:
        """How it ended."""
        self.wait_for(lambda: order in self.ended)
        return self.ended[order]

    def worker(self, name: str, content: bytes, platform: str) -> None:
        self.workers[platform] = content
        self.config["Worker"] = name
        self.config["MD5"] = hashlib.md5(content).hexdigest()
        self.config["SHA256"] = hashlib.sha256(content).hexdigest()

    def of(self, path: str) -> list[Request]:
        with self.changed:
            return [one for one in self.requests if one.path == path]

    @property
    def completed(self) -> dict[int, Request]:
        alone = {one.ticket: one for one in self.of("/complete")}
        return {**alone, **{ticket: one for ticket, one in self.brought.items() if "reason" not in one.parts}}

    @property
    def failed(self) -> dict[int, Request]:
        alone = {one.ticket: one for one in self.of("/failed")}
        return {**alone, **{ticket: one for ticket, one in self.brought.items() if "reason" in one.parts}}

    @property
    def brought(self) -> dict[int, Request]:
        """What came in batches, as if each had come alone."""
        found: dict[int, Request] = {}
        for request in self.of("/results"):
            for full, content in request.parts.items():
                ticket, _, name = full.partition("/")
                query = {**request.query, "ticket": [ticket]}
                one = found.setdefault(int(ticket), Request("POST", "/results", query, request.headers, request.at))
                one.parts[name] = content
                if name == "reason":
                    one.query["reason"] = [content.decode()]
        return found

    def wait_for(self, condition: Callable[[], Any], what: str = "the client has come so far") -> None:
        """Wait as `wait_until` does. A failure tells also what was asked so far."""
        wait_until(condition, what, story=lambda: [(one.path, one.query) for one in self.requests])

    def close(self) -> None:
        """Dead at once: also the connections that are open."""
        self.server.shutdown()
        self.server.server_close()
        self.server.cut()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, address: tuple[str, int], master: Master) -> None:
        self.master = master
        self.open: set[Any] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""

    def cut(self) -> None:
        for request in list(self.open):
            try:
                request.shutdown(2)
            except OSError:
                continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._answer_one()

    def do_POST(self) -> None:
        self._answer_one()

    def _answer_one(self) -> None:
        master, parts = self.server.master, urlsplit(self.path)
        query = parse_qs(parts.query)
        path = "/held" if parts.path == "/ping" and "wait" in query else parts.path
        request = Request(self.command, path, query, dict(self.headers.items()), time.monotonic())
        scripted = master.script[path].popleft() if master.script[path] else None
        if callable(scripted):
            with master.changed:
                master.requests.append(request)
            self.close_connection = True
            return scripted(self)
        if self.command == "POST" and path != "/answer":
            self._read_body(request)
        with master.changed:
            master.requests.append(request)
        if scripted is None:
            scripted = self._answer(request)
        return self.reply(*scripted)

    def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, request: Request) -> Answer:
        master = self.server.master
        if request.query.get("sessionID") != [SESSION]:
            return 403, {}, b"no such session"
        name = {"/answer": "_answer_of"}.get(request.path, "_" + request.path.strip("/"))
        method = getattr(self, name, None)
        return method(master, request) if method else (404, {}, b"what?")

    def _config(self, master: Master, _: Request) -> Answer:
        return 200, {}, "".join(f"{key}={value}\n" for key, value in master.config.items()).encode()

    def _ping(self, master: Master, request: Request) -> Answer:
        expired = [one for one in request.query["ticket"] if int(one) in master.expired]
        return (205, {"Expired": ", ".join(expired)}, b"") if expired else (204, {}, b"")

    def _held(self, master: Master, request: Request) -> Answer:
        """A ping without tickets that is held until one is called back."""
        with master.changed:
            master.changed.wait_for(
                lambda: master.called or master.idle or master.due(), float(request.query["wait"][0])
            )
            called, master.called = master.called, set()
            headers = {**({"Idle": str(master.idle)} if master.idle else {}), **master.due()}
            master.idle = 0
        return (205, {**headers, "Expired": ", ".join(map(str, called))}, b"") if called else (204, headers, b"")

    def _worker(self, master: Master, request: Request) -> Answer:
        if request.query["name"] != [master.config.get("Worker")]:
            return 403, {}, b"no worker of that name"
        found = master.workers.get(request.query["platform"][0])
        return (200, {}, found) if found else (415, {}, b"no worker for this platform; there are: vax-780")

    def _file(self, master: Master, request: Request) -> Answer:
        found = master.files.get(request.query["sha256"][0])
        return (200, {}, found) if found is not None else (404, {}, b"no such file")

    def _task(self, master: Master, request: Request) -> Answer:
        wait, count = float(request.query.get("wait", ["0"])[0]), int(request.query.get("count", ["1"])[0])
        with master.changed:
            master.changed.wait_for(lambda: master.tasks or master.over or master.due(), wait)
            given = [master.tasks.popleft() for _ in range(min(count, len(master.tasks)))]
        if given:
            return 200, master.due(), b"".join(given)
        if master.over:
            return 503, {}, b"the sweep is over"
        return 503, {"Retry-After": "0" if master.due() else "0.2", **master.due()}, b"perhaps later"

    def _complete(self, master: Master, request: Request) -> Answer:
        return 200, {}, b"expired" if request.ticket in master.expired else b"accepted"

    def _failed(self, master: Master, request: Request) -> Answer:
        return 200, {}, b"noted"

    def _results(self, master: Master, request: Request) -> Answer:
        tickets = {name.partition("/")[0]: name.endswith("/reason") for name in sorted(request.parts)}
        lines = [f"{ticket} {'noted' if no else 'accepted'}\n" for ticket, no in tickets.items()]
        return 200, {}, "".join(lines).encode()

    def _back(self, master: Master, request: Request) -> Answer:
        return 200, {}, b"noted"

    def _orders(self, master: Master, _: Request) -> Answer:
        with master.changed:
            master.told |= {one["id"] for one in master.orders}
            undone = [json.dumps(one) + "\n" for one in master.orders if one["id"] not in master.ended]
        return 200, {}, "".join(undone).encode()

    def _answer_of(self, master: Master, request: Request) -> Answer:
        order = int(request.query["order"][0])
        with master.changed:
            master.said[order] += self.rfile.read(int(self.headers["Content-Length"]))
            if "end" in request.query:
                master.ended[order] = request.query
        return (410, {}, b"nobody listens") if order in master.unheard else (200, {}, b"noted")

    def _bye(self, master: Master, request: Request) -> Answer:
        return 200, {}, b"bye"

    def _read_body(self, request: Request) -> None:
        """To disk, then cut at the boundary: also for bodies that are larger than memory should hold."""
        boundary = b"--" + self.headers["Content-Type"].partition("boundary=")[2].encode()
        with tempfile.TemporaryFile() as file:
            left = int(self.headers["Content-Length"])
            while left:
                block = self.rfile.read(min(left, 1 << 20))
                if not block:
                    raise ConnectionResetError
                file.write(block)
                left -= len(block)
            file.flush()
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
                _cut(whole, boundary, request)


def _cut(whole: mmap.mmap, boundary: bytes, request: Request) -> None:
    assert whole[: len(boundary)] == boundary
    at = len(boundary) + 2
    while True:
        head_end = whole.find(b"\r\n\r\n", at)
        if head_end < 0:
            assert whole[at - 2 : at] == b"--"
            return
        name = whole[at:head_end].decode().partition('name="')[2].partition('"')[0]
        end = whole.find(b"\r\n" + boundary, head_end + 2)
        assert name not in request.sizes, f"two parts {name}"
        with memoryview(whole) as view, view[head_end + 4 : end] as content:
            request.sizes[name] = len(content)
            request.sums[name] = hashlib.sha256(content).hexdigest()
            request.parts[name] = bytes(content[: 1 << 20])
        at = end + 2 + len(boundary) + 2
