"""`spe init`: the files of a first sweep, commented, that run as they are. They lie in templates/init/."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from .disk_errors import reason
from .errors import UsageError

TEMPLATES = ("spe.yaml", "params.csv", "hosts.txt", "hooks.py")


def write_templates(folder: Path) -> list[Path]:
    """Write the files into the folder, which is made when absent; nothing that is there is touched."""
    if there := [name for name in TEMPLATES if (folder / name).exists()]:
        todo = "Say it in an empty folder, or move the file away."
        raise UsageError(f"{', '.join(there)} is there already; nothing was written", where=str(folder), todo=todo)
    source = files(__package__) / "templates" / "init"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in TEMPLATES:
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write((source / name).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"can't be written: {reason(error)}", where=str(folder), todo="Choose another folder."
        ) from error
    return [folder / name for name in TEMPLATES]
