"""Talks with the master of a running sweep, from another process on its machine: orders, and the stream of its state.

The standard library only, as all commands wait for what is loaded. What the stream says is in docs/page.md.
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
from .detached import nothing_runs
from .living import living

PATIENCE = 60.0  # seconds of silence; the stream has a sign of life more often
AGAIN = 0.5  # seconds until a connection that was lost is tried again
Event = tuple[str, dict[str, Any]]


@record
class Place:
    """Where the page of a running sweep is, and what opens it."""

    folder: Path
    scheme: str
    port: int
    host: str
    read: str

    def connect(self) -> http.client.HTTPConnection:
        """A connection; with HTTPS to the one certificate that lies in our own folder."""
        if self.scheme == "http":
            return http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.folder / "session" / "certificate.pem")
        return http.client.HTTPSConnection(self.host, self.port, timeout=PATIENCE, context=context)

    def acting_token(self) -> str:
        """For whom the files of its user are readable."""
        secrets = json.loads((self.folder / "session" / "secrets.json").read_text(encoding="utf-8"))
        return str(secrets["act"])


def find(folder: Path) -> Place:
    """The master that works in runs/<name>/ now. Raises UsageError when there is none."""
    run = living(folder)
    if run is None:
        raise nothing_runs(folder)
    url = urlsplit(run.page)
    host = "127.0.0.1" if url.hostname in (None, "0.0.0.0", "::") else url.hostname
    return Place(folder, url.scheme, url.port or 0, host or "", parse_qs(url.query)["token"][0])


def act(folder: Path, verb: str, **about: Any) -> str:
    """Have it done; the master's sentence about it. Raises UsageError with its words where it cannot be."""
    place = find(folder)
    try:
        connection = place.connect()
        connection.request("POST", f"/act?token={place.acting_token()}", json.dumps({"do": verb, **about}))
        answer = connection.getresponse()
        said = json.loads(answer.read())
        connection.close()
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        raise UsageError(
            f"the master does not answer: {error}", where=str(folder), todo="See master.log there."
        ) from error
    if answer.status != 200:
        raise UsageError(str(said.get("error", answer.reason)))
    return str(said["said"])


def answers(folder: Path, path: str, body: dict[str, Any] | None) -> Iterator[tuple[str, Any]]:
    """A streamed answer: ("out", bytes), at the end ("exit", code) or ("error", a sentence). With a body it is asked
    by whoever may act."""
    place = find(folder)
    joined = "&" if "?" in path else "?"
    token = place.read if body is None else place.acting_token()
    connection = place.connect()
    try:
        method, content = ("POST", json.dumps(body)) if body else ("GET", None)
        connection.request(method, f"{path}{joined}token={token}", content)
        answer = connection.getresponse()
        if answer.status != 200:
            raise UsageError(answer.read().decode("utf-8", "replace").strip())
        for event, data, _ in _frames(answer):
            yield event, base64.b64decode(str(data)) if event == "out" else data
    except (OSError, http.client.HTTPException) as error:
        raise UsageError(f"the master does not answer: {error}", where=str(folder)) from error
    finally:
        connection.close()


def fetch(folder: Path, path: str, **query: str) -> dict[str, Any]:
    """What the running master says there, as JSON. Raises UsageError."""
    place = find(folder)
    connection = place.connect()
    try:
        connection.request("GET", f"{path}?{urlencode({**query, 'token': place.read})}")
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise UsageError(f"the master does not answer: {error}", where=str(folder)) from error
    finally:
        connection.close()
    if answer.status != 200:
        raise UsageError(text.strip())
    found: dict[str, Any] = json.loads(text)
    return found


def events(folder: Path) -> Iterator[Event]:
    """("state" | "change" | "note", what it says), as they come, until the run has ended.

    A connection that breaks is made again; then the whole state comes first. Raises UsageError when nothing runs, or
    when the master is killed.
    """
    place, last = find(folder), ""
    while True:
        try:
            for event, data, serial in _read(place, last):
                last = serial or last
                yield event, data
        except (OSError, http.client.HTTPException):
            pass  # it ends, or something in between has failed
        time.sleep(AGAIN)
        if living(folder) is None:
            break
        place = find(folder)
    if (folder / "master.json").exists():
        todo = "`spe run` goes on where it stopped."
        raise UsageError("the master is gone without a word", where=str(folder), todo=todo)


def _read(place: Place, last: str) -> Generator[tuple[str, dict[str, Any], str], None, None]:
    """One connection to its end."""
    connection = place.connect()
    try:
        connection.request("GET", f"/stream?token={place.read}", headers={"Last-Event-ID": last} if last else {})
        answer = connection.getresponse()
        if answer.status != 200:
            raise http.client.HTTPException(f"the stream answers {answer.status}")
        yield from _frames(answer)
    finally:
        connection.close()


def _frames(lines: Iterator[bytes] | http.client.HTTPResponse) -> Iterator[tuple[str, Any, str]]:
    """Server-Sent Events, as far as our stream uses them: one line of data each."""
    event, data, serial = "", "", ""
    for line in lines:
        name, _, value = line.decode("utf-8").rstrip("\r\n").partition(": ")
        if name == "event":
            event = value
        elif name == "data":
            data = value
        elif name == "id":
            serial = value
        elif not name and data:  # an empty line ends it; one that begins with a colon is a sign of life
            yield event, json.loads(data), serial
            event, data, serial = "", "", ""


def snapshot(folder: Path) -> dict[str, Any] | None:
    """How the sweep that runs in this folder stands now; None when nothing runs or its master does not answer."""
    if living(folder) is None:
        return None
    try:
        found = _read(find(folder), "")
        state = next((data for event, data, _ in found if event == "state"), None)
        found.close()
    except (OSError, UsageError, http.client.HTTPException):
        return None
    return state
