"""One input of a sweep: its name, and its text or its path, as patterns."""

from __future__ import annotations

import os

from ...record import Word, record
from ..pattern import Pattern, Values


class Source(Word):
    """Kinds of inputs: where their bytes come from."""

    TEXT = "text"
    FILE = "file"
    FOLDER = "folder"
    GLOB = "glob"


@record
class InputPattern:
    """One input: the pattern of its text, or of the path of what has its bytes.

    `name`: as spe.yaml has it; that of a folder is its path in the task's directory, that of a glob
    is "". `naming`: the pattern of a name with parameters.
    """

    name: str
    pattern: Pattern
    source: Source
    place: tuple[str | int, ...] = ()  # its key in spe.yaml
    naming: Pattern | None = None
    copy: bool = False  # each task gets a private copy, however large
    template: str = ""  # path of the file that the text stands in
    mode: int = 0  # permissions of a text; 0: as the host makes files

    @property
    def is_file(self) -> bool:
        """True when it is one file."""
        return self.source is Source.FILE

    @property
    def is_tree(self) -> bool:
        """True when it may be many files."""
        return self.source in (Source.FOLDER, Source.GLOB)

    @property
    def is_fixed(self) -> bool:
        """True when all sets have the same input: there is no parameter in its name or path."""
        return self.naming is None and self.pattern.literal is not None

    @property
    def label(self) -> str:
        """Return what messages call it: `inputs.mesh.dat`, or `data/*.csv of inputs`."""
        if self.place and isinstance(self.place[-1], str):
            return f"inputs.{self.place[-1]}"
        return f"inputs.{self.name or self.pattern}"

    def name_for(self, scope: Values) -> str:
        """Return its name in the directory of a task."""
        return self.naming.fill(scope) if self.naming else self.name


def listed_name(path: str) -> str:
    """Return the name in a task of a file or folder that a list of inputs has.

    A relative path is kept; from outside this folder it is the last name.
    """
    path = os.path.normpath(path)
    if path == ".." or path.startswith(("/", "../")):
        return os.path.basename(path)
    return path
