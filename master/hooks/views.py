"""What a function of hooks.py is given: the task and its result, as docs/hooks.md describes them.

Lives in the hook process; nothing large is read before it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..results.extract import without_newline
from .messages import Call, Given


@dataclass(frozen=True)
class TaskForHook:
    """`task.number` and `task.parameters`: names to texts, exactly as written in the parameter source."""

    number: int
    parameters: dict[str, str]


class ResultForHook(Mapping[str, str]):
    """`result["name"]` is the text of a result, `result.path("name")` a file that holds its bytes."""

    def __init__(self, call: Call, scratch: Path) -> None:
        self.exit_code, self.stderr = call.exit_code, call.stderr
        self.host, self.seconds = call.host, call.seconds
        self._given = {given.name: given for given in call.results}
        self._scratch = scratch
        self._made: list[Path] = []

    def __getitem__(self, name: str) -> str:
        given = self._find(name)
        if given.value is not None:
            return given.value
        data = given.raw if given.file is None else Path(given.file).read_bytes()
        return without_newline((data or b"").decode("utf-8", "replace"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def path(self, name: str) -> Path:
        """The file with the bytes as the program wrote them; one that is made for this call goes with it."""
        given = self._find(name)
        if given.file is not None and Path(given.file).suffix == Path(given.file_name).suffix:
            return Path(given.file)
        path = self._scratch / given.file_name
        if path in self._made:
            return path
        self._scratch.mkdir(mode=0o700, exist_ok=True)
        self._made.append(path)
        if given.file is not None:  # libraries go by the ending, and an upload has none yet
            path.symlink_to(given.file)
        else:
            path.write_bytes(given.raw if given.raw is not None else f"{given.value}\n".encode())
        return path

    def forget(self) -> None:
        """The end of the call: the files that were made for it go."""
        for path in self._made:
            path.unlink(missing_ok=True)

    def _find(self, name: str) -> Given:
        if name not in self._given:
            raise KeyError(f"no result {name!r}, there are: {', '.join(self._given)}")
        return self._given[name]
