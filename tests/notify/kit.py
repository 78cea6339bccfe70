"""Servers that take messages, and the user's own file of addresses."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from certificates import tls_of_its_own
from needs import need

SECRET = "Xk7-geheim9.T0ken"
CERTIFICATE = "servers.pem"


class Posted:
    """One request that a server has taken."""

    def __init__(self, path: str, head: dict[str, str], body: bytes) -> None:
        self.path, self.head = path, head
        self.json: dict[str, Any] = json.loads(body) if body else {}


class Server:
    """An HTTP or HTTPS server on this machine that answers as it is told."""

    def __init__(self, folder: Path, tls: bool = True) -> None:
        self.posted: list[Posted] = []
        self.tries = 0
        self.answers: list[int | None] = []  # the next answers; None: it hangs until it is closed
        self.usual = 200
        self._closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.tries += 1
                code = outer.answers.pop(0) if outer.answers else outer.usual
                if code is None:
                    outer._closing.wait(60)
                    return
                if code == 200:
                    outer.posted.append(Posted(self.path, dict(self.headers), body))
                self.send_response(code, "Echo " + self.path if code >= 400 else None)
                if 300 <= code < 400:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        scheme = "http"
        if tls:
            context, _ = tls_of_its_own(folder, CERTIFICATE)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def events(self) -> list[str]:
        return [one.json["event"] for one in self.posted]


@contextmanager
def served(folder: Path, tls: bool = True) -> Iterator[Server]:
    server = Server(folder, tls)
    try:
        yield server
    finally:
        server.close()


class Letters:
    """The handler of a mail server: it keeps what came."""

    def __init__(self) -> None:
        self.came: list[EmailMessage] = []
        self.to: list[list[str]] = []
        self.refuses: Callable[[str], str | None] = lambda address: None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if refusal := self.refuses(address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.came.append(message_from_bytes(envelope.content, policy=policy.default))
        self.to.append(list(envelope.rcpt_tos))
        return "250 OK"


@contextmanager
def mail_served(letters: Letters, tls: ssl.SSLContext | None = None, password: str = "") -> Iterator[int]:
    """A mail server on this machine, and its port; with `tls` it wants STARTTLS and the password."""
    need(find_spec("aiosmtpd"), "needs a mail server: pip install aiosmtpd")
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == password.encode(), handled=False)

    more: dict[str, Any] = {}
    if tls:
        more = {"tls_context": tls, "require_starttls": True, "auth_required": True, "authenticator": check}
    controller = Controller(letters, hostname="127.0.0.1", port=0, **more)
    controller.port = _free_port()
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def _free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def write_book(config: Path, text: str, mode: int = 0o600) -> Path:
    """Write the user's own file below a configuration folder."""
    path = config / "spe" / "notify.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def files_with(secret: str, *folders: Path) -> list[str]:
    """Return the files in which a secret stands."""
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and secret.encode() in path.read_bytes():
                found.append(str(path))
    return found
