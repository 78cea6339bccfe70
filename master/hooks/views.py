"""The task and its result as a function of hooks.py is given them: docs/hooks.md describes both.

Lives in the hook process. Nothing large is read before it is asked for.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..results.extract import without_newline
from .messages import Call, Given


@dataclass(frozen=True)
class TaskForHook:
    """A task: `task.number`, and `task.parameters` with the texts of the parameter source."""

    number: int
    parameters: dict[str, str]


class ResultForHook(Mapping[str, str]):
    """A result: `result["name"]` is a text, `result.path("name")` a file that holds its bytes."""

    def __init__(self, call: Call, scratch: Path) -> None:
        self.exit_code = call.exit_code
        self.stderr = call.stderr
        self.host = call.host
        self.seconds = call.seconds
        self._given = {given.name: given for given in call.results}
        self._scratch = scratch
        self._made: list[Path] = []

    def __getitem__(self, name: str) -> str:
        given = self._find(name)
        if given.value is not None:
            return given.value
        data = given.raw or b""
        if given.file is not None:
            data = Path(given.file).read_bytes()
        return without_newline(data.decode("utf-8", "replace"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def path(self, name: str) -> Path:
        """Return the file with the bytes as the program wrote them; of several files, their folder.

        A file that is made for this call is removed after it.
        """
        given = self._find(name)
        if given.tree:
            return self._folder(given)
        if given.file is not None and Path(given.file).is_dir():
            return Path(given.file)
        if given.file is not None and Path(given.file).suffix == Path(given.file_name).suffix:
            return Path(given.file)
        path = self._scratch / given.file_name
        if path in self._made:
            return path
        self._scratch.mkdir(mode=0o700, exist_ok=True)
        self._made.append(path)
        # Libraries go by the suffix of a file, which an upload does not have yet.
        if given.file is not None:
            path.symlink_to(given.file)
        elif given.raw is not None:
            path.write_bytes(given.raw)
        else:
            path.write_bytes(f"{given.value}\n".encode())
        return path

    def forget(self) -> None:
        """Remove the files that were made for this call."""
        for path in self._made:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _folder(self, given: Given) -> Path:
        """Return a folder with links to the files of a result, under the names that they will have."""
        folder = self._scratch / f"{given.file_name}.files"
        if folder in self._made:
            return folder
        self._made.append(folder)
        for name, place in given.tree:
            path = folder / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.symlink_to(place)
        return folder

    def _find(self, name: str) -> Given:
        """Return a result. Raises KeyError that names those there are."""
        if name not in self._given:
            raise KeyError(f"no result {name!r}, there are: {', '.join(self._given)}")
        return self._given[name]
