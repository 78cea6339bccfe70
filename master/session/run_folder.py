"""runs/<name>/ of a run that goes on, wherever people move it meanwhile.

`folder / "x"` is a path for reading and for people: it leads where the folder is now. What is written goes through
`anchor_of(folder)`, which can never make the old path again after the folder was moved.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

from ..disk_errors import FULL, reason, todo
from ..errors import StoreError
from .anchors import Anchor

FILES = "files"
DATABASE = "sweep.db"


class RunFolder:
    """The folder of one run. Until `hold` it is the path that was given; from then on it is the folder itself."""

    def __init__(self, path: Path) -> None:
        self._given = path.absolute()
        self._held: Anchor | None = None
        self._files: Anchor | None = None
        self._making = threading.Lock()
        self.database: Path | None = None  # where sweep.db is, when it was moved away alone

    def hold(self) -> None:
        """Hold what is there now, and files/ in it if there is one. Raises OSError when nothing is there."""
        self._held = Anchor(self._given)
        self._hold_files()

    def let_go(self) -> None:
        """The run has ended."""
        for anchor in (self._held, self._files):
            if anchor:
                anchor.let_go()
        self._held = self._files = None

    # -- where it is

    @property
    def last(self) -> Path:
        """Its last known name."""
        return self._held.last if self._held else self._given

    @property
    def path(self) -> Path:
        """Its name of now. Raises FileNotFoundError when it has none."""
        found = self.where()
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "this folder was removed while its sweep runs", str(self.last))
        return found

    def where(self) -> Path | None:
        """The same; None when it was removed."""
        return self._held.where() if self._held else self._given

    @property
    def stands(self) -> bool:
        """Whether it is still where the run began."""
        return self._held is None or self._held.is_at(self._given)

    @property
    def anchor(self) -> Path:
        """The path for whatever is written: it leads to the folder itself."""
        return self._held.through if self._held else self._given

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def __str__(self) -> str:
        return str(self.last)

    # -- files/, where results lie

    @property
    def files(self) -> Path:
        """The path for result files, wherever files/ is; made when there is none yet."""
        if self._held is None:
            return self._given / FILES
        with self._making:
            if self._files is None:
                (self.anchor / FILES).mkdir(exist_ok=True)
                self._hold_files()
            return self._files.through if self._files else self.anchor / FILES

    @property
    def held_files(self) -> Anchor | None:
        """files/ as it was first seen; None when nothing has been there yet."""
        return self._files

    def _hold_files(self) -> None:
        place = self.anchor / FILES
        if place.is_dir():
            self._files = Anchor(place, self.last / FILES)

    def renew_files(self) -> None:
        """files/ was removed: what is at its name is held from now on, and made when nothing is."""
        with self._making:
            place = self.anchor / FILES
            if place.exists() and not place.is_dir():
                place.rename(place.with_name(f"{FILES}.found-{time.strftime('%Y%m%d-%H%M%S')}"))
            place.mkdir(exist_ok=True)
            if self._files:
                self._files.swap(place, self.last / FILES)

    def settle_at(self, path: Path) -> None:
        """The folder was removed: from now on it is this one."""
        if self._held:
            self._held.swap(path)
        self._given = path
        if self._files:
            self.renew_files()


Folder = Path | RunFolder


def anchor_of(folder: Folder) -> Path:
    """The path for whatever is written into a folder."""
    return folder.anchor if isinstance(folder, RunFolder) else folder


def files_of(folder: Folder) -> Path:
    """The path for result files, made when it is not there."""
    if isinstance(folder, RunFolder):
        return folder.files
    (folder / FILES).mkdir(exist_ok=True)
    return folder / FILES


def database_of(folder: Folder) -> Path:
    """The sweep's database."""
    return (isinstance(folder, RunFolder) and folder.database) or real(folder) / DATABASE


def stands(folder: Folder) -> bool:
    """Whether it is still where its run began."""
    return not isinstance(folder, RunFolder) or folder.stands


def real(folder: Folder) -> Path:
    """Its path for people: the name of now, or the last one."""
    return folder.where() or folder.last if isinstance(folder, RunFolder) else folder


def result_file(folder: Folder, file: str) -> Path:
    """The path of a result's file (`files/17/image.png`) for people and hooks, wherever files/ is now."""
    held = folder.held_files if isinstance(folder, RunFolder) else None
    place = held.where() if held else None
    return place.joinpath(*Path(file).parts[1:]) if place else real(folder) / file


def private_write(path: Path, text: str) -> None:
    """Write `text` to `path` so that nobody else can read it at any moment, and no half file is ever seen."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def make_run_folder(folder: Path) -> None:
    """Make runs/<name>/. Raises StoreError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(0, "permission denied")
    except OSError as error:
        rights = "Give yourself write permission on that folder, or run in a folder of your own."
        what = f"cannot write here: {reason(error)}"
        raise StoreError(what, where=str(folder), todo=todo(error) if error.errno in FULL else rights) from error
