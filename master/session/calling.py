"""Requests to the master of a running sweep, from another process on its machine.

They are the verbs of people, and the stream of the sweep's state.

This file uses the standard library only: aiohttp would take some tenths of a second to load, for
every command. The events of the stream are described in docs/page.md.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from ..errors import UsageError
from ..record import record
from .detached import killed, nothing_runs
from .living import living

PATIENCE = 60.0  # seconds of silence; the stream has a sign of life more often
AGAIN = 0.5  # seconds until a connection that was lost is tried again
Event = tuple[str, dict[str, Any]]


@record
class Place:
    """The address of the page of a running sweep, with the token that opens it."""

    folder: Path
    scheme: str
    port: int
    host: str
    read: str

    def connect(self) -> http.client.HTTPConnection:
        """Return a new connection to the page.

        With HTTPS, the server must have the certificate that lies in the run's folder.
        """
        if self.scheme == "http":
            return http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # the certificate is pinned, and names no host
        context.load_verify_locations(self.folder / "session" / "certificate.pem")
        return http.client.HTTPSConnection(self.host, self.port, timeout=PATIENCE, context=context)

    def acting_token(self) -> str:
        """Return the token for acting.

        Raises OSError for a user that may not read the files of the run.
        """
        secrets = json.loads((self.folder / "session" / "secrets.json").read_text(encoding="utf-8"))
        return str(secrets["act"])


def find(folder: Path) -> Place:
    """Return the master that works in runs/<name>/ now. Raises UsageError when there is none."""
    run = living(folder)
    if run is None:
        raise nothing_runs(folder)
    url = urlsplit(run.page)
    host = url.hostname
    if host in (None, "0.0.0.0", "::"):  # all addresses: one of them is always here
        host = "127.0.0.1"
    return Place(folder, url.scheme, url.port or 0, host or "", parse_qs(url.query)["token"][0])


def _does_not_answer(folder: Path, error: Exception) -> UsageError:
    return UsageError(
        f"the master does not answer: {error}", where=str(folder), todo="See master.log there."
    )


def act(folder: Path, verb: str, **about: Any) -> str:
    """Have the master do `verb`, and return its sentence about it.

    Raises UsageError with its words if it refuses.
    """
    place = find(folder)
    try:
        connection = place.connect()
        connection.request(
            "POST", f"/act?token={place.acting_token()}", json.dumps({"do": verb, **about})
        )
        answer = connection.getresponse()
        said = json.loads(answer.read())
        connection.close()
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        raise _does_not_answer(folder, error) from error
    if answer.status != 200:
        raise UsageError(str(said.get("error", answer.reason)))
    return str(said["said"])


def answers(folder: Path, path: str, body: dict[str, Any] | None) -> Iterator[tuple[str, Any]]:
    """Yield a streamed answer: ("out", bytes), at the end ("exit", code) or ("error", a sentence).

    With a `body` the request is a POST that needs the acting token.
    """
    place = find(folder)
    joined = "&" if "?" in path else "?"
    connection = place.connect()
    try:
        if body is None:
            connection.request("GET", f"{path}{joined}token={place.read}")
        else:
            connection.request(
                "POST", f"{path}{joined}token={place.acting_token()}", json.dumps(body)
            )
        answer = connection.getresponse()
        if answer.status != 200:
            raise UsageError(answer.read().decode("utf-8", "replace").strip())
        for event, data, _ in _frames(answer):
            if event == "out":
                data = base64.b64decode(str(data))
            yield event, data
    except (OSError, http.client.HTTPException) as error:
        raise _does_not_answer(folder, error) from error
    finally:
        connection.close()


def fetch(folder: Path, path: str, **query: str) -> dict[str, Any]:
    """Return the JSON object that the running master has at `path`.

    Raises UsageError when nothing runs.
    """
    place = find(folder)
    connection = place.connect()
    try:
        connection.request("GET", f"{path}?{urlencode({**query, 'token': place.read})}")
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise _does_not_answer(folder, error) from error
    finally:
        connection.close()
    if answer.status != 200:
        raise UsageError(text.strip())
    found: dict[str, Any] = json.loads(text)
    return found


def events(folder: Path) -> Iterator[Event]:
    """Yield ("state" | "change" | "note", data) as they come, until the run has ended.

    A connection that breaks is made again; then the whole state comes first. Raises UsageError when
    nothing runs, or when the master is killed.
    """
    place, last = find(folder), ""
    while True:
        try:
            for event, data, serial in _read(place, last):
                last = serial or last
                yield event, data
        except (OSError, http.client.HTTPException):
            pass  # the run ends, or something in between has failed
        time.sleep(AGAIN)
        if living(folder) is None:
            break
        place = find(folder)
    if error := killed(folder):
        raise error


def _read(place: Place, last: str) -> Generator[tuple[str, dict[str, Any], str], None, None]:
    """Yield (event, data, serial number) from one connection, until it ends.

    `last`: the last number that was seen.
    """
    connection = place.connect()
    headers = {"Last-Event-ID": last} if last else {}
    try:
        connection.request("GET", f"/stream?token={place.read}", headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise http.client.HTTPException(f"the stream answers {answer.status}")
        yield from _frames(answer)
    finally:
        connection.close()


def _frames(lines: Iterator[bytes] | http.client.HTTPResponse) -> Iterator[tuple[str, Any, str]]:
    """Yield Server-Sent Events as far as our stream uses them: one line of data each."""
    event, data, serial = "", "", ""
    for line in lines:
        name, _, value = line.decode("utf-8").rstrip("\r\n").partition(": ")
        if name == "event":
            event = value
        elif name == "data":
            data = value
        elif name == "id":
            serial = value
        elif not name and data:
            # An empty line ends an event. A line that begins with a colon is a sign of life.
            yield event, json.loads(data), serial
            event, data, serial = "", "", ""


def snapshot(folder: Path) -> dict[str, Any] | None:
    """Return the state of the sweep that runs in this folder.

    Return None when nothing runs, or when its master does not answer.
    """
    if living(folder) is None:
        return None
    try:
        found = _read(find(folder), "")
        state = next((data for event, data, _ in found if event == "state"), None)
        found.close()
    except (OSError, UsageError, http.client.HTTPException):
        return None
    return state
