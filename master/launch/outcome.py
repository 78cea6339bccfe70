"""How a command on a host ended, and what its exit codes mean to us."""

from __future__ import annotations

from enum import IntEnum

from ..record import record


class Code(IntEnum):
    """The script's exit codes; below 40 they are the client's own (see client/__main__.py)."""

    STARTED = 0
    OTHER = 1
    UNREACHABLE = 3
    SESSION = 4
    CERTIFICATE = 5
    WORKDIR = 6
    TOO_OLD = 7
    SETUP = 8
    WORKER = 9
    OTHERS = 10
    FAULT = 11
    KILLED = 12
    NO_PYTHON = 41
    BAD_PYTHON = 42
    NO_CLIENT = 43
    NO_FOLDER = 44
    NOT_PLACED = 45


@record
class Place:
    """Where the client is to be copied to, and what will run it."""

    folder: str
    python: str
    seen: tuple[str, ...]  # the nonces of the hosts that share the folder, its own among them


@record
class Outcome:
    """How a command on the host ended and what it said, stdout and stderr as they came."""

    code: int
    lines: tuple[str, ...]
    begun: bool = True  # the script has begun there; False: the login ended without running anything of ours

    @property
    def place(self) -> Place | None:
        """As the script names it when the client is not there."""
        folder, python = self._words("folder"), self._words("python")
        return Place(folder[-1], python[-1], self._words("seen")) if folder and python else None

    def _words(self, key: str) -> tuple[str, ...]:
        begin = f"spe: {key} "
        return tuple(line.removeprefix(begin) for line in self.lines if line.startswith(begin))

    @property
    def client_spoke(self) -> bool:
        """Whether a client ran there: whatever became of its file, it has said why it ended."""
        return any(line.startswith("spe-client: ") for line in self.lines)

    @property
    def last(self) -> str:
        """The last line, which is where programs say why they ended."""
        return self.lines[-1].removeprefix("spe: ") if self.lines else "no word"
