"""The runs of this account: a small file for each run folder, in the user's state folder.

`spe ls` reads them. One file a folder, because runs that begin at the same time must not damage each
other's entries. No run fails for this list: a home that is full or read-only has none.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from ..record import record

NO_LIST = "SPE_NO_LIST"  # set to anything but "" or 0: no list is written


@record
class Listed:
    """One run folder that this account has used."""

    folder: Path
    used: float  # seconds since 1970
    entry: Path  # the file of the list
    here: bool  # it was used on this machine: a home may be shared by several


def list_folder() -> Path:
    """Return the folder of the list, which may not be there."""
    state = os.environ.get("XDG_STATE_HOME", "")
    # The specification of these folders says that a relative path is to be ignored.
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return base / "spe" / "runs"


def note_use(folder: Path) -> None:
    """Put a run folder into the list, unless that cannot be done or is not wanted."""
    if os.environ.get(NO_LIST, "0") not in ("", "0"):
        return
    try:
        _write(folder.resolve())
    except (OSError, RuntimeError):  # RuntimeError: this account has no home
        return


def _write(folder: Path) -> None:
    place = list_folder()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    host = socket.gethostname()
    name = hashlib.sha256(f"{host}\0{folder}".encode("utf-8", "surrogateescape")).hexdigest()[:20]
    # Written beside and renamed: nobody reads half an entry, and a full disk leaves the old one.
    beside = place / f".{name}.{os.getpid()}"
    facts = {"folder": str(folder), "host": host, "used": time.time()}
    try:
        beside.write_text(json.dumps(facts) + "\n", encoding="utf-8")
        beside.replace(place / f"{name}.json")
    finally:
        beside.unlink(missing_ok=True)


def listed() -> Iterator[Listed]:
    """Yield the run folders that are there, the one used last first; entries of removed ones go."""
    found = filter(None, map(_read, list_folder().glob("*.json")))
    for one in sorted(found, key=lambda one: -one.used):
        if (one.folder / "sweep.db").exists():
            yield one
        elif one.here and not one.folder.exists():
            drop(one)


def drop(one: Listed) -> None:
    """Remove an entry."""
    try:
        one.entry.unlink(missing_ok=True)
    except OSError:  # a read-only home: the entry is passed over each time
        return


def _read(entry: Path) -> Listed | None:
    try:
        facts = json.loads(entry.read_text(encoding="utf-8"))
        here = facts["host"] == socket.gethostname()
        return Listed(Path(facts["folder"]), float(facts["used"]), entry, here)
    except (OSError, ValueError, KeyError, TypeError):  # somebody has written into the list
        return None
