"""How a command on a host ended, and what its exit codes mean to us."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Code(IntEnum):
    """The script's exit codes; below 40 they are the client's own (see client/__main__.py)."""

    STARTED = 0
    UNREACHABLE = 3
    SESSION = 4
    CERTIFICATE = 5
    WORKDIR = 6
    TOO_OLD = 7
    SETUP = 8
    WORKER = 9
    NO_PYTHON = 41
    BAD_PYTHON = 42
    NO_CLIENT = 43
    NO_FOLDER = 44


@dataclass(frozen=True, slots=True)
class Said:
    """How a command on the host ended and what it said, stdout and stderr as they came."""

    code: int
    lines: tuple[str, ...]

    @property
    def folder(self) -> str | None:
        """The folder to copy to, as the script names it."""
        return next((line.removeprefix("spe: folder ") for line in self.lines if line.startswith("spe: folder ")), None)

    @property
    def seen(self) -> list[str]:
        """The nonces of the hosts that share the folder, its own among them."""
        return [line.removeprefix("spe: seen ") for line in self.lines if line.startswith("spe: seen ")]

    @property
    def last(self) -> str:
        """The last line, which is where programs say why they ended."""
        return self.lines[-1].removeprefix("spe: ") if self.lines else "no word"
