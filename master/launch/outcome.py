"""The end of a command on a host, and the meaning of its exit codes."""

from __future__ import annotations

from enum import IntEnum

from ..record import record


class Code(IntEnum):
    """Exit codes of the start script; codes below 40 are the client's own (client/__main__.py)."""

    # The numbers are on the wire: the client and the scripts of ssh/remote.py exit with them.
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
    NO_PROCESS = 13
    SOFTWARE = 14
    NO_PYTHON = 41
    BAD_PYTHON = 42
    NO_CLIENT = 43
    NO_FOLDER = 44
    NOT_PLACED = 45


@record
class CopyTarget:
    """The folder on a host that the client is copied to, and the Python that will run it."""

    folder: str
    python: str
    seen: tuple[str, ...]  # nonces of the hosts that share the folder, its own among them


@record
class CommandOutcome:
    """The end of a command on a host: its exit code, and its output, stdout and stderr mixed."""

    code: int
    lines: tuple[str, ...]
    processes: str = ""  # the limit of processes of the account there, where the script failed

    @property
    def place(self) -> CopyTarget | None:
        """The folder and Python that the script names when the client is not there, else None."""
        folder = self._words("folder")
        python = self._words("python")
        if not folder or not python:
            return None
        # The last ones: a login script may print lines like ours, and does so before the script.
        return CopyTarget(folder[-1], python[-1], self._words("seen"))

    @property
    def elsewhere(self) -> tuple[str, str]:
        """(folder, why) when the home takes no files and the client's lies in this folder; else ""."""
        folder = self._words("elsewhere")
        why = self._words("refused")
        if not folder or not why:
            return "", ""
        return folder[-1], why[-1]

    def _words(self, key: str) -> tuple[str, ...]:
        begin = f"spe: {key} "
        return tuple(line.removeprefix(begin) for line in self.lines if line.startswith(begin))

    @property
    def client_spoke(self) -> bool:
        """True when a client ran there, so that it has said itself why it ended."""
        return any(line.startswith("spe-client: ") for line in self.lines)

    @property
    def last(self) -> str:
        """The last line, where programs mostly say why they ended; "no output" when there is none."""
        if not self.lines:
            return "no output"
        return self.lines[-1].removeprefix("spe: ")
