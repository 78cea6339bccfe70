"""The `prepare:` of a sweep: a shell command that runs once a home, before its first task."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ..record import record
from .build import Build, BuildFile

LONGEST = 60  # characters of a command in messages


@record
class PrepareSource:
    """The command with its limit. Its files are the worker and the inputs without parameters."""

    command: str
    timeout: float
    keep: bool

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the command."""
        return hashlib.sha256(self.command.encode(errors="surrogateescape")).hexdigest()

    @property
    def _first_line(self) -> str:
        """Return the first line, with a sign where it is not all of the command."""
        text = self.command.strip()
        first = text.splitlines()[0][:LONGEST].rstrip() if text else ""
        return first if first == text else f"{first} …"

    def build(self, files: Sequence[BuildFile], made_with: str) -> Build:
        """Return the build. `made_with`: what the command finds on the host beside these files."""
        return Build(
            "prepare",
            f"prepare: {self._first_line}",
            tuple(files),
            ("/bin/sh", "-c", self.command),
            timeout=self.timeout,
            keep=self.keep,
            variables={"SPE_PREPARED": ""},
            made_with=made_with,
        )
