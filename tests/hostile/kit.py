"""Bytes to a port and what comes back; how much memory the master has taken."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from pathlib import Path
from urllib.parse import quote, urlsplit

from doors import clients_routes
from drills.by_hand_kit import Drill, content

METHODS_OF = clients_routes()
ROUTES = tuple(METHODS_OF)  # all that there are, so that none can be forgotten
POSTED = tuple(path for path in ROUTES if "POST" in METHODS_OF[path])
B = "a-boundary-of-ours"
MULTIPART = f"multipart/form-data; boundary={B}"
LARGEST_GROWTH = 150 * 1024 * 1024


class Target:
    """One listener of the master of a drill."""

    def __init__(self, drill: Drill, page: bool = False) -> None:
        facts = drill.facts
        parts = urlsplit(facts["page"] if page else facts["url"])
        self.drill, self.place = drill, (parts.hostname or "", parts.port or 0)
        self.session = facts["session"]
        self.tls = parts.scheme == "https"
        self.secret = facts["page"].partition("token=")[2] if page else self.session

    def open(self) -> socket.socket:
        """A connection that has not said anything, also where TLS is spoken."""
        return socket.create_connection(self.place, 10)

    def greeted(self) -> socket.socket:
        """A connection for requests."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(self.open()) if self.tls else self.open()

    def send(self, *pieces: bytes, patience: float = 20) -> bytes:
        """What it answers, until it closes or has nothing more to say."""
        with self.greeted() as sock:
            sock.settimeout(patience)
            received = b""
            with contextlib.suppress(OSError):  # it stopped reading and said why, or hung up
                for piece in pieces:
                    sock.sendall(piece)
            with contextlib.suppress(OSError):
                while chunk := sock.recv(65536):
                    received += chunk
            return received

    def head(self, method: str, path: str, *headers: str, session: str | None = "") -> bytes:
        """The head of a request that asks for the connection to be closed; session "": the right one."""
        own = "" if session is None else f"{'&' if '?' in path else '?'}sessionID={quote(session or self.session)}"
        lines = [f"{method} {path}{own} HTTP/1.1", "Host: m", "Connection: close", *headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogatepass")

    def memory(self, key: str = "VmHWM") -> int:
        """Bytes: the most that the master ever had."""
        assert self.drill.master
        status = Path(f"/proc/{self.drill.master.pid}/status").read_text()
        return int(re.findall(rf"{key}:\s+(\d+) kB", status)[0]) * 1024

    def deliver(self, tickets: dict[int, int]) -> None:
        """Bring the right result for each of these tickets."""
        for ticket, x in tickets.items():
            body = form([("said", f"{x}\n".encode()), ("data", content(x))])
            head = self.head("POST", f"/complete?ticket={ticket}", f"Content-Type: {MULTIPART}",
                             f"Content-Length: {len(body)}")  # fmt: skip
            assert self.send(head, body).endswith((b"accepted\n", b"expired\n"))


def form(parts: list[tuple[str, bytes]], boundary: str = B) -> bytes:
    pieces = []
    for name, value in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        pieces += [head.encode("utf-8", "surrogatepass"), value, b"\r\n"]
    return b"".join([*pieces, f"--{boundary}--\r\n".encode()])


def status_of(answer: bytes) -> int:
    """0: no answer."""
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"))
    return int(found[1]) if found else 0


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def is_closed(sock: socket.socket) -> bool:
    """Whether the other end has closed it, or hears no more."""
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except (ConnectionError, ssl.SSLError):
        return True


def tickets_in(answer: bytes) -> dict[int, int]:
    """Tickets of a /task, and the set that each is for."""
    found = re.findall(rb"Ticket=(\d+)\n.*?CommandLine=\./work (\d+)\n", answer, re.S)
    return {int(ticket): int(x) for ticket, x in found}


def ends_as_without(drill: Drill, *secrets: str) -> None:
    """A host comes, the sweep ends, all is as it should be; no secret and no traceback was written anywhere."""
    log = drill.runs / "master.log"
    drill.host("good", slots=2)
    code = drill.end()
    assert code == 0, f"exit {code}\n{drill.said}\n{log.read_text()[-3000:]}"
    for text in (log.read_text(), drill.said):
        assert "Traceback" not in text, text[-3000:]
    for secret in secrets:
        assert secret not in log.read_text()
    drill.checked()


def report(name: str, drill: Drill, *more: str) -> None:
    """One line of figures."""
    done = drill.states().get("done", 0)
    left = f"left: {len(drill.processes())} processes, {len(drill.left())} files"
    print(f"HOSTILE {name}: {drill.sets} sets, {done} done, {drill.seconds:.1f} s, {'; '.join([*more, left])}")
