"""What tests ask of processes."""

from __future__ import annotations

from pathlib import Path


def is_alive(pid: int) -> bool:
    """Tell whether a process runs. A zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def processes_with(variable: str) -> dict[int, str]:
    """Return process -> command line of those whose environment holds this variable, e.g. `HOME=/tmp/x`.

    A test finds its own processes by a folder of its own. By account or command line alone it would find, and kill,
    those of other tests beside it.
    """
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (path / "environ").read_bytes().split(b"\0"):
                words = (path / "cmdline").read_bytes().split(b"\0")
                found[int(path.name)] = b" ".join(words).decode("utf-8", "replace")
        except OSError:  # it is gone, or not ours
            continue
    return found
