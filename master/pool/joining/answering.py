"""The farm's gate, asked by a user: HTTPS with the pinned certificate."""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from ...errors import UsageError
from ...version import __version__
from .knocking import said

TIME = 20.0  # seconds of silence
LONGEST = 20_000_000  # bytes of an answer


class NoAnswer(UsageError):
    """The farm cannot be reached."""


def ask_gate(
    urls: Sequence[str], fingerprint: str, token: str, method: str, path: str, body: Any = None
) -> Any:
    """Return the gate's answer as JSON. Raises UsageError; NoAnswer where no URL answers."""
    faults: list[str] = []
    for url in urls:
        try:
            return _ask(url, fingerprint, token, method, path, body)
        except (OSError, http.client.HTTPException) as error:
            faults.append(f"{url}: {error}")
    what = f"the farm does not answer ({'; '.join(faults)})"
    raise NoAnswer(what, todo="It may be down: ask its administrator, or try again later.")


def _ask(url: str, fingerprint: str, token: str, method: str, path: str, body: Any) -> Any:
    place = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the certificate is known by its fingerprint, below
    connection = http.client.HTTPSConnection(
        place.hostname or "", place.port or 0, timeout=TIME, context=context
    )
    try:
        connection.connect()
        certificate = connection.sock.getpeercert(binary_form=True) or b""
        # Before the token is sent.
        if hashlib.sha256(certificate).hexdigest() != fingerprint:
            todo = "Do not go on: tell the farm's administrator. Somebody else may answer there."
            raise UsageError("its key is not the one that was pinned", where=url, todo=todo)
        headers = {"Authorization": f"Bearer {token}", "User-Agent": f"spe/{__version__}"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read(LONGEST)
    finally:
        connection.close()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"the answer is not that of a farm ({answer.status})", where=url)
    if answer.status == 403:
        todo = said(found.get("todo", "")) or "Join it again: spe farm join."
        raise UsageError(said(found.get("error", answer.reason)), where=url, todo=todo)
    if answer.status != 200:
        raise UsageError(
            said(found.get("error", answer.reason)), where=url, todo=said(found.get("todo", ""))
        )
    return found
