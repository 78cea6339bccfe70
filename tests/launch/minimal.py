"""A master of the least kind, for tests of launching: registers clients, has no task, says when it is over.

It speaks the real wire to the real client. What a whole master does is tested elsewhere.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from certificates import tls_of_its_own

SESSION = "Zm9yLXRlc3RzLW9ubHktbm9ib2R5LWtub3dzLWl0"


class MinimalMaster(ThreadingHTTPServer):
    """Listens on all addresses; `hosts` are those that have registered, `last` when each was heard last."""

    daemon_threads = True
    address_family = socket.AF_INET6  # and IPv4 with it
    request_queue_size = 128

    def __init__(self, folder: Path, tls: bool = True, grace: int = 20) -> None:
        super().__init__(("::", 0), _Handler)
        self.grace, self.fingerprint, self.tls = grace, "", tls
        self.more = ""  # lines of /config
        self.worker = b""  # what /worker answers
        self.hosts: list[str] = []
        self.gone: list[str] = []
        self.asked: dict[str, int] = {}  # host -> requests for a task so far
        self.callers: dict[str, str] = {}  # host -> the address that it came from
        self.over = threading.Event()
        if tls:
            self._secure(folder)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def _secure(self, folder: Path) -> None:
        context, self.fingerprint = tls_of_its_own(folder)
        # the handshake is made by the thread that serves: a silent caller must not hold up the others
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that break off are what these tests are about."""

    @contextmanager
    def running(self) -> Iterator[MinimalMaster]:
        thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.over.set()
            self.shutdown()
            self.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: MinimalMaster
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if asked.get("sessionID") != SESSION:
            return self._say(403, "no")
        answer = {"/config": self._config, "/task": self._task, "/ping": self._ping, "/bye": self._bye,
                  "/worker": self._worker}.get(parts.path)
        return answer(asked) if answer else self._say(404, "no such thing here")

    do_POST = do_GET

    def _config(self, asked: dict[str, str]) -> None:
        host = asked.get("host", "?")
        self.server.hosts.append(host)
        self.server.callers[host] = str(self.client_address[0]).removeprefix("::ffff:")
        lines = f"DeleteWorker=Yes\nDeleteClient=Yes\nPing=2\nGrace={self.server.grace}\nClient={host}\n"
        self._say(200, lines + self.server.more)

    def _task(self, asked: dict[str, str]) -> None:
        host = asked.get("client", "?")
        self.server.asked[host] = self.server.asked.get(host, 0) + 1
        if self.server.over.wait(min(float(asked.get("wait", "0")), 0.3)):
            return self._say(503, "over")
        return self._say(503, "later", ("Retry-After", "0"))

    def _ping(self, asked: dict[str, str]) -> None:
        self._say(205, "")

    def _worker(self, asked: dict[str, str]) -> None:
        self._say(200, self.server.worker.decode())

    def _bye(self, asked: dict[str, str]) -> None:
        self.server.gone.append(asked.get("client", "?"))
        self._say(200, "bye")

    def _say(self, status: int, text: str, *headers: tuple[str, str]) -> None:
        body = text.encode() if status not in (204, 205) else b""
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body))), ("Content-Type", "text/plain")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
