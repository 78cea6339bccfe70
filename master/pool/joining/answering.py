"""The farm's gate, asked by a user: HTTPS with the pinned certificate."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from ...errors import UsageError
from ...text import printable
from ...version import __version__
from .knocking import said

TIME = 20.0  # seconds of silence
WHOLE_TIME = 60.0  # seconds of an answer from its first byte to its last
LONGEST_PAUSE = 300.0  # seconds: no farm can keep a delegate silent for longer
LONGEST = 20_000_000  # bytes of an answer


class NoAnswer(UsageError):
    """The farm cannot be reached."""


class Silent(NoAnswer):
    """No gate is there, or it says nothing: it may be down, and come back."""


class Paused(UsageError):
    """The farm cannot answer now. pause: seconds after which to ask again."""

    def __init__(self, what: str, where: str, pause: float) -> None:
        super().__init__(what, where=where, todo=f"Try again in {pause:.0f} s.")
        self.pause = pause


def ask_gate(
    urls: Sequence[str], fingerprint: str, token: str, method: str, path: str, body: Any = None
) -> Any:
    """Return the gate's answer as JSON, with texts that can be printed.

    Raises UsageError; NoAnswer where no URL answers.
    """
    faults: list[str] = []
    is_silent = True
    for url in urls:
        try:
            return _ask(url, fingerprint, token, method, path, body)
        except (OSError, http.client.HTTPException) as error:
            faults.append(f"{url}: {said(error)}")  # it may quote what came
            is_silent = is_silent and not isinstance(error, http.client.HTTPException)
    what = f"the farm does not answer ({'; '.join(faults)})"
    kind = Silent if is_silent else NoAnswer
    raise kind(what, todo="It may be down: ask its administrator, or try again later.")


def _ask(url: str, fingerprint: str, token: str, method: str, path: str, body: Any) -> Any:
    place = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the certificate is known by its fingerprint, below
    name, port = place.hostname or "", place.port or 0
    connection = http.client.HTTPSConnection(name, port, timeout=TIME, context=context)
    with socket.create_connection((name, port), TIME) as plain, _ended_in_time(plain):
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock = secure = context.wrap_socket(plain, server_hostname=name)
        try:
            certificate = secure.getpeercert(binary_form=True) or b""
            # Before the token is sent.
            if hashlib.sha256(certificate).hexdigest() != fingerprint:
                todo = "Do not go on: tell the farm's administrator. Somebody else may answer there."
                raise UsageError("its key is not the one that was pinned", where=url, todo=todo)
            headers = {"Authorization": f"Bearer {token}", "User-Agent": f"spe/{__version__}"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read(LONGEST)
            if answer.length:  # with a limit, http.client takes a part for the whole
                raise http.client.IncompleteRead(text, answer.length)
        finally:
            connection.close()
    try:
        found = _harmless(json.loads(text))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"the answer is not that of a farm ({answer.status})", where=url)
    if answer.status in (429, 503):
        raise Paused(said(found.get("error", answer.reason)), url, _pause(answer))
    if answer.status == 403:
        todo = said(found.get("todo", "")) or "Join it again: spe farm join."
        raise UsageError(said(found.get("error", answer.reason)), where=url, todo=todo)
    if answer.status != 200:
        raise UsageError(
            said(found.get("error", answer.reason)), where=url, todo=said(found.get("todo", ""))
        )
    return found


def _harmless(value: Any) -> Any:
    """Return an answer whose texts can be printed.

    They come from other users, and the farm's account may be taken over. Here and not in each
    command: one of them would forget it.
    """
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_harmless(one) for one in value]
    if isinstance(value, dict):
        return {printable(key): _harmless(one) for key, one in value.items()}
    return value


def _pause(answer: http.client.HTTPResponse) -> float:
    """Return the seconds after which a farm wants to be asked again."""
    given = answer.getheader("Retry-After", "")
    is_number = given.isascii() and given.isdecimal() and len(given) < 6
    return min(LONGEST_PAUSE, float(given)) if is_number else 1.0


@contextlib.contextmanager
def _ended_in_time(connection: socket.socket) -> Iterator[None]:
    """End a connection that lasts too long. Raises TimeoutError then.

    Its own time limit is one of silence: an answer may come byte by byte, and never end.
    """
    # Of its own number: the connection's goes over to the encrypted one.
    with connection.dup() as same:
        ended = threading.Event()

        def end() -> None:
            ended.set()
            with contextlib.suppress(OSError):
                same.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(WHOLE_TIME, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            if ended.is_set():
                raise TimeoutError(f"the answer took more than {WHOLE_TIME:.0f} s")
