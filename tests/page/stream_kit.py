"""One who listens to the stream, as a program does: it keeps a copy by applying patches."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from spe.state.patch import apply


class Copy:
    """A copy of the document, kept true by what comes."""

    def __init__(self, page: str, last: int = 0) -> None:
        """`page` is the address that `spe run` prints; `last` the note that was heard last."""
        parts = urlsplit(page)
        self.connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        headers = {"Last-Event-ID": str(last)} if last else {}
        self.connection.request("GET", f"/stream?{parts.query}", headers=headers)
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.status
        self.document: dict[str, Any] = {}
        self.notes: dict[int, dict[str, Any]] = {}
        self.events: list[str] = []

    def close(self) -> None:
        self.connection.close()

    def hear(self) -> bool:
        """The next event; False at the end."""
        fields: dict[str, str] = {}
        while line := self.answer.readline().decode():
            if line == "\n" and fields:
                break
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value
        if not fields:
            return False
        data = json.loads(fields["data"])
        if fields["event"] == "state":
            self.document = data
        elif fields["event"] == "change":
            self.document = apply(self.document, data)
        else:
            self.notes[int(fields["id"])] = data
        self.events.append(fields["event"])
        return True

    def until(self, condition: Callable[[dict[str, Any]], object], patience: float = 30.0) -> dict[str, Any]:
        """Listen until it is so."""
        end = time.monotonic() + patience
        while not (self.document and condition(self.document)):
            assert time.monotonic() < end, f"it did not come to that: {self.document}"
            assert self.hear(), f"the stream ended before: {self.document}"
        return self.document
