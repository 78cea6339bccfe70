"""What the commands share: their options, where the sweep is, logging, and tables as text."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import UsageError
from ..text import printable

if TYPE_CHECKING:
    from ..results.leftovers import Leftovers
    from ..store.reader import Reader
    from ..sweep.sweep import Sweep

F = TypeVar("F", bound=Callable[..., Any])
CLIP = 48  # characters of a cell on the screen


def volume(command: F) -> F:
    """-q, -v, -vv."""
    command = click.option("-v", "--verbose", count=True, help="Say more; twice: everything.")(command)
    return click.option("-q", "--quiet", is_flag=True, help="Say only what went wrong.")(command)


def sweep_file(command: F) -> F:
    """-f FILE."""
    return _file("-f", "--file")(command)


def sweep_file_by_its_long_name(command: F) -> F:
    """--file FILE, where -f means to follow."""
    return _file("--file")(command)


def _file(*names: str) -> Callable[[F], F]:
    there = click.Path(path_type=Path)
    return click.option(*names, "file", type=there, default=Path("spe.yaml"), show_default=True, help="The sweep.")


def sweep_name(command: F) -> F:
    """-n NAME."""
    return click.option("-n", "--name", "name", help="The folder below runs/, where there is more than one.")(command)


def as_json(command: F) -> F:
    """--json."""
    return click.option("--json", "json_", is_flag=True, help="Print it for programs.")(command)


def load(file: Path, words: Sequence[str] = (), parameters: Sequence[str] = (), name: str | None = None) -> Sweep:
    """The sweep of a file, or of a command line; without both the one-liner that was used last here."""
    from ..sweep import sweep

    if words:
        found = sweep.from_command_line(list(words), list(parameters), Path.cwd(), name)
        tell(found.folder_note)
        return found
    if parameters:
        raise UsageError("-p needs a command", todo="spe run -p x=1:10 -- ./program '{{ x }}'")
    if not file.exists() and (last := _used_last(file, name)):
        return last
    found = sweep.load(file, {"name": name} if name else None)
    tell(found.folder_note)
    return found


def _used_last(file: Path, name: str | None) -> Sweep | None:
    """The one-liner to go on with; None where nothing has run, or not the sweep of this name.

    Raises UsageError where the sweep used last is one of a file: to go on with an older one instead would surprise.
    """
    from ..sweep import sweep
    from ..sweep.folders import choose_without_file

    chosen = choose_without_file(file.parent, name)
    if chosen is None or (name and not chosen.line):
        return None
    if not chosen.line:
        what = f"there is no such file, and runs/{chosen.name}/, used last here, was made by one"
        more = f"; or another sweep: -n NAME ({', '.join(chosen.others)})" if chosen.others else ""
        raise UsageError(what, where=str(file), todo=f"Name its file: -f FILE{more}.")
    tell(chosen.note)
    return sweep.from_command_line(*chosen.line, file.parent, chosen.name)


def open_reader(file: Path, name: str | None) -> Reader:
    """The store of a sweep: as named, or that of the file, or the one used last."""
    from ..store.reader import Reader

    return Reader(folder_of(file, name))


def folder_of(file: Path, name: str | None) -> Path:
    """runs/<name>/ for the reading commands, which need no valid spe.yaml. The rule is folders.py's."""
    from ..sweep.folders import choose_for_file, choose_without_file

    runs = file.parent / "runs"
    if name:
        return runs / name
    if file.exists():
        from ..config.yaml_file import read

        given = read(file).data.get("name")
        chosen = choose_for_file(file.absolute().parent, given if isinstance(given, str) else None)
        tell(chosen.note)
        return runs / chosen.name
    last = choose_without_file(file.parent)
    if last is None:
        raise UsageError(f"there is no {file} and nothing has run here", todo="Begin with `spe init`.")
    if last.others:
        tell(last.note)
    return runs / last.name


def tell(note: str) -> None:
    """Tell people on stderr what was chosen for them, once a command, unless -q."""
    context = click.get_current_context(silent=True)
    if not note or context is None or context.params.get("quiet"):
        return
    told: set[str] = context.meta.setdefault("spe.told", set())
    if note not in told:
        told.add(note)
        click.echo(f"spe: {note}", err=True)


def start_logging(folder: Path | None, quiet: bool, verbose: int) -> None:
    """The log of the master: runs/<name>/master.log, and with -v the terminal."""
    logging.raiseExceptions = False  # a full disk below master.log is said by what waits for it, not by tracebacks
    root = logging.getLogger("spe")
    root.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    root.propagate = False
    layout = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    if folder:
        path = folder / "master.log"
        handler: logging.Handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
        handler.setFormatter(layout)
        root.addHandler(handler)
    screen = logging.StreamHandler()
    screen.setLevel(logging.ERROR if quiet or not verbose else logging.INFO if verbose == 1 else logging.DEBUG)
    screen.setFormatter(logging.Formatter("spe: %(message)s"))
    root.addHandler(screen)


def print_json(value: object) -> None:
    """For programs, on stdout."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    # A byte of a file's name that is no UTF-8 is a lone surrogate here, which JSON can spell as such.
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")


def files_there(left: Leftovers | None) -> dict[str, object]:
    """The files that were in the directory of a failed attempt, for programs; null where that was not told."""
    named = None if left is None else [{"name": one.name, "size": one.size} for one in left.files]
    return {"files": named, "more_files": None if left is None else left.more}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Aligned columns for people; long cells are clipped, control characters made visible."""
    cells = [[_cell(c) for c in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    numeric = [len(cells) > 1 and all(_is_number(row[i]) for row in cells[1:]) for i in range(len(head))]
    return "".join(_line(row, widths, numeric) for row in cells)


def _line(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = (c.rjust(w) if n else c.ljust(w) for c, w, n in zip(row, widths, numeric, strict=True))
    return "  ".join(padded).rstrip() + "\n"


def _cell(value: object) -> str:
    text = printable(str(value).replace("\n", "⏎").replace("\t", "→"))
    return text if len(text) <= CLIP else text[: CLIP - 1] + "…"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == ""
    return True
