"""runs/<name>/ of a run that goes on, wherever people move it meanwhile.

`folder / "x"` is a path for reading and for people: it leads where the folder is now. Files are
written through `anchor_of(folder)`: a path would make a new folder at the old place after the
folder was moved.
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
    """The folder of one run: until `hold` the path that was given, from then on the folder itself."""

    def __init__(self, path: Path) -> None:
        self._given = path.absolute()
        self._held: Anchor | None = None
        self._files: Anchor | None = None
        self._making = threading.Lock()  # results are given their places by several threads
        self.database: Path | None = None  # path of a sweep.db that was moved away alone

    def hold(self) -> None:
        """Hold the folder that is there now, and files/ in it if there is one.

        Raises OSError when there is none.
        """
        self._held = Anchor(self._given)
        self._hold_files()

    def let_go(self) -> None:
        """Close the descriptors. Called once the run has ended."""
        for anchor in (self._held, self._files):
            if anchor:
                anchor.let_go()
        self._held = self._files = None

    # -- where it is

    @property
    def last(self) -> Path:
        """The last known name of the folder."""
        return self._held.last if self._held else self._given

    @property
    def path(self) -> Path:
        """The present name of the folder. Raises FileNotFoundError when it was removed."""
        found = self.where()
        if found is None:
            raise FileNotFoundError(
                errno.ENOENT, "this folder was removed while its sweep runs", str(self.last)
            )
        return found

    def where(self) -> Path | None:
        """Return the present name of the folder; None when it was removed."""
        return self._held.where() if self._held else self._given

    @property
    def stands(self) -> bool:
        """True while the folder is still where the run began."""
        return self._held is None or self._held.is_at(self._given)

    @property
    def anchor(self) -> Path:
        """The path for writing: it leads to the folder itself, whatever its name is."""
        return self._held.through if self._held else self._given

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def __str__(self) -> str:
        return str(self.last)

    # -- files/, where results lie

    @property
    def files(self) -> Path:
        """The path for writing result files, wherever files/ is.

        The folder is made when there is none yet.
        """
        if self._held is None:
            return self._given / FILES
        with self._making:
            if self._files is None:
                (self.anchor / FILES).mkdir(exist_ok=True)
                self._hold_files()
            return self._files.through if self._files else self.anchor / FILES

    @property
    def held_files(self) -> Anchor | None:
        """The folder files/ as it was first seen; None when there has been none yet."""
        return self._files

    def _hold_files(self) -> None:
        place = self.anchor / FILES
        # A link to a folder elsewhere is fine: people put large results on another disk
        if place.is_dir():
            self._files = Anchor(place, self.last / FILES)

    def renew_files(self) -> None:
        """Hold the folder that is at the name of files/ now, which was removed.

        If there is none, make it.
        """
        with self._making:
            place = self.anchor / FILES
            if place.exists() and not place.is_dir():
                # Somebody's file is at the name. It is moved aside: it may be all that somebody
                # has.
                place.rename(place.with_name(f"{FILES}.found-{time.strftime('%Y%m%d-%H%M%S')}"))
            place.mkdir(exist_ok=True)
            if self._files:
                # Not a new anchor: threads that write just now keep the path of the old one.
                self._files.swap(place, self.last / FILES)

    def settle_at(self, path: Path) -> None:
        """Be this folder from now on: the old one was removed."""
        if self._held:
            self._held.swap(path)
        self._given = path
        if self._files:
            self.renew_files()


# A path alone where nothing runs: `spe collect` and `spe status` do not follow a folder that is
# moved.
Folder = Path | RunFolder


def anchor_of(folder: Folder) -> Path:
    """Return the path for writing into a folder."""
    return folder.anchor if isinstance(folder, RunFolder) else folder


def files_of(folder: Folder) -> Path:
    """Return the path for writing result files, made when it is not there."""
    if isinstance(folder, RunFolder):
        return folder.files
    (folder / FILES).mkdir(exist_ok=True)
    return folder / FILES


def database_of(folder: Folder) -> Path:
    """Return the path of the sweep's database."""
    if isinstance(folder, RunFolder) and folder.database:
        return folder.database
    return real(folder) / DATABASE


def stands(folder: Folder) -> bool:
    """Tell whether a folder is still where its run began."""
    return not isinstance(folder, RunFolder) or folder.stands


def real(folder: Folder) -> Path:
    """Return the path of a folder for people: the present name, or the last known one."""
    if isinstance(folder, RunFolder):
        return folder.where() or folder.last
    return folder


def result_file(folder: Folder, file: str) -> Path:
    """Return the path of a result's file (`files/17/image.png`) for people and hooks.

    The path leads to where files/ is now."""
    place = _files_now(folder)
    if place is None:
        return real(folder) / file
    return place.joinpath(*Path(file).parts[1:])


def _files_now(folder: Folder) -> Path | None:
    held = folder.held_files if isinstance(folder, RunFolder) else None
    return held.where() if held else None


def private_write(path: Path, text: str) -> None:
    """Write `text` to `path` so that nobody else can read it, and nobody ever sees half of it."""
    # A new file that replaces the old one: a crash leaves either of them whole, and no reader
    # waits.
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    # With its mode from the start: a chmod afterwards would leave a moment for others.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def orders_folder() -> Path:
    """Return where the orders of a user's delegate lie (delegate/orders.py).

    A run looks here whether there is any, without loading what belongs to a farm.
    """
    base = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(base) / "spe" / "delegate"


def make_run_folder(folder: Path) -> None:
    """Make runs/<name>/. Raises StoreError where that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(0, "permission denied")
    except OSError as error:
        remedy = "Give yourself write permission on that folder, or run in a folder of your own."
        if error.errno in FULL:
            remedy = todo(error)
        raise StoreError(
            f"cannot write here: {reason(error)}", where=str(folder), todo=remedy
        ) from error
