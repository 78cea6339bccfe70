"""Shared by the commands: their options, the sweep that is meant, logging, and tables as text."""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import UsageError
from ..text import printable
from .completion import names_of_sweeps
from .job_option import takes_job

if TYPE_CHECKING:
    from ..results.leftovers import Leftovers
    from ..store.reader import Reader
    from ..sweep.folders import ChosenFolder
    from ..sweep.sweep import Sweep

Keys = Mapping[str, Any]
KeyOptions = Mapping[tuple[str | int, ...], str]  # path of a key -> the option that gave it
GivenKeys = tuple[Keys, KeyOptions]
F = TypeVar("F", bound=Callable[..., Any])
CLIP = 48  # characters of a cell on the screen


def volume(command: F) -> F:
    """Add the options -q, -v and -vv."""
    command = click.option("-v", "--verbose", count=True, help="Say more; -vv: everything.")(
        command
    )
    return click.option("-q", "--quiet", is_flag=True, help="Say only what went wrong.")(command)


def sweep_file(command: F) -> F:
    """Add the options -f FILE and --job ID, for commands about a sweep that has a folder."""
    return _file("-f", "--file")(takes_job(command))


def sweep_file_by_its_long_name(command: F) -> F:
    """Add the options --file FILE and --job ID, for commands whose -f means to follow."""
    return _file("--file")(takes_job(command))


def sweep_file_to_run(command: F) -> F:
    """Add the option -f FILE, for commands about a sweep as it stands in its file."""
    return _file("-f", "--file")(command)


def _file(*names: str) -> Callable[[F], F]:
    return click.option(
        *names,
        "file",
        type=click.Path(path_type=Path),
        default=Path("spe.yaml"),
        show_default=True,
        help="The sweep.",
    )


def sweep_name(command: F) -> F:
    """Add the option -n NAME."""
    text = "The folder below runs/, where there is more than one."
    return click.option(
        "-n", "--name", "name", metavar="NAME", help=text, shell_complete=names_of_sweeps
    )(command)


def as_json(command: F) -> F:
    """Add the option --json."""
    # json_: `json` is a module that some commands use.
    return click.option("--json", "json_", is_flag=True, help="Print the data for programs.")(
        command
    )


def load(
    file: Path,
    words: Sequence[str] = (),
    given: GivenKeys | None = None,
    name: str | None = None,
) -> Sweep:
    """Return the sweep of a file, or of a command line.

    Without both the one-liner that was used last here. `given`: keys of spe.yaml from options; they
    belong to a one-liner, and stand above those of a file for this one run.
    """
    from ..line.one_liner import OneLiner
    from ..sweep import sweep

    keys, options = given or ({}, {})
    if words:
        line = OneLiner(tuple(words), keys, options)
        found = sweep.from_command_line(line, Path.cwd(), name)
        tell(found.folder_note)
        return found
    # A one-liner needs no file, and its folder remembers the words.
    if not file.exists():
        last = _used_last(file, keys, options, name)
        if last:
            return last
    return _of_file(file, keys, options, name)


def _of_file(file: Path, keys: Keys, options: KeyOptions, name: str | None) -> Sweep:
    """Return the sweep of a spe.yaml; a name of the command line stands above that of the file."""
    from ..sweep import sweep

    found = sweep.load(file, {**keys, **({"name": name} if name else {})}, options)
    tell(found.folder_note)
    return found


def _used_last(file: Path, keys: Keys, options: KeyOptions, name: str | None) -> Sweep | None:
    """Return the one-liner to go on with; None where nothing has run, or no sweep of this name.

    Raises UsageError where the sweep used last is one of a file: to go on with an older one instead
    would surprise.
    """
    from dataclasses import replace

    from ..sweep import sweep
    from ..sweep.folders import choose_without_file

    chosen = choose_without_file(file.parent, name)
    if chosen is None or (name and not chosen.line):
        return None
    if not chosen.line:
        raise _needs_its_file(file, chosen)
    tell(chosen.note)
    line = replace(chosen.line, settings={**chosen.line.settings, **keys}, options=options)
    found = sweep.from_command_line(line, file.parent, chosen.name)
    # As for a file: options without a command are for this run, and what is kept stays.
    return replace(found, line=chosen.line)


def _needs_its_file(file: Path, chosen: ChosenFolder) -> UsageError:
    """Return the error for a sweep used last whose file is not here."""
    what = f"there is no such file, and the sweep used last here, runs/{chosen.name}/, needs one"
    more = ""
    if chosen.others:
        more = f"; or another sweep: -n NAME ({', '.join(chosen.others)})"
    return UsageError(what, where=str(file), todo=f"Name its file: -f FILE{more}.")


def open_reader(file: Path, name: str | None) -> Reader:
    """Open the store of a sweep: of the name, else of the file, else of the one used last."""
    from ..store.reader import Reader

    return Reader(folder_of(file, name))


def folder_of(file: Path, name: str | None) -> Path:
    """Return runs/<name>/ for the reading commands, which need no valid spe.yaml.

    Which folder is meant is the rule of sweep/folders.py.
    """
    from ..sweep.folders import choose_for_file, choose_without_file

    runs = file.parent / "runs"
    if name:
        return _named_folder(runs, name)
    if file.exists():
        chosen = choose_for_file(file.absolute().parent, _name_in(file))
        tell(chosen.note)
        return runs / chosen.name
    last = choose_without_file(file.parent)
    if last is None:
        raise UsageError(
            f"there is no {file} and nothing has run here", todo="Begin with `spe init`."
        )
    # The only sweep here needs no word: no other one could be meant.
    if last.others:
        tell(last.note)
    return runs / last.name


def _named_folder(runs: Path, name: str) -> Path:
    """Return the folder of -n. Raises UsageError where it is none, and there are others."""
    from ..session.known_runs import known_runs, unknown_run

    # A run that has just begun has a folder and no database yet.
    if not (runs / name).exists() and known_runs(runs):
        raise unknown_run(name, runs)
    return runs / name


def _name_in(file: Path) -> str | None:
    """Return the `name:` of a spe.yaml, of which nothing else is checked; None without one.

    Raises ConfigError, which names the way that needs no spe.yaml.
    """
    from ..config.yaml_file import read  # late: it loads PyYAML
    from ..errors import ConfigError

    try:
        # Results of a sweep are read while its file is being edited, so a wrong name is no error here.
        given = read(file).data.get("name")
    except ConfigError as error:
        todo = f"{error.todo} Or name the sweep, -n NAME, which reads no {file.name}."
        raise ConfigError(error.what, where=error.where, todo=todo.strip()) from error
    return given if isinstance(given, str) else None


def tell(note: str) -> None:
    """Tell people on stderr what was chosen for them: once for each command, and not with -q."""
    context = click.get_current_context(silent=True)
    if not note or context is None or context.params.get("quiet"):
        return
    told: set[str] = context.meta.setdefault("spe.told", set())
    if note not in told:
        told.add(note)
        click.echo(f"spe: {note}", err=True)


def start_logging(folder: Path | None, quiet: bool, verbose: int) -> None:
    """Start the log of the master: runs/<name>/master.log, and with -v the terminal."""
    # A full disk below master.log is told by those who wait for it. Tracebacks of the logging
    # module would fill the terminal.
    logging.raiseExceptions = False
    root = logging.getLogger("spe")
    root.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    root.propagate = False  # the handlers below are all that there are
    if folder:
        root.addHandler(_log_file(folder))
    screen = logging.StreamHandler()
    screen.setLevel(_screen_level(quiet, verbose))
    screen.setFormatter(logging.Formatter("spe: %(message)s"))
    root.addHandler(screen)


def _log_file(folder: Path) -> logging.Handler:
    """Return the handler that writes master.log."""
    # Names of files may hold bytes that are not UTF-8: escaped, so that no line is lost for one.
    path = folder / "master.log"
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return handler


def _screen_level(quiet: bool, verbose: int) -> int:
    """Return the level from which on the terminal shows the log."""
    if quiet or not verbose:
        return logging.ERROR
    if verbose == 1:
        return logging.INFO
    return logging.DEBUG


def end_by_sigterm() -> None:
    """Have SIGTERM end this process in order: programs that it has started are ended with it."""
    signal.signal(signal.SIGTERM, _exit_by_signal)


def _exit_by_signal(number: int, frame: object) -> None:
    sys.exit(128 + number)  # as a shell tells of a program that a signal ended


def print_json(value: object, one_line: bool = False) -> None:
    """Print a value as JSON on stdout, for programs."""
    text = json.dumps(value, ensure_ascii=False, indent=None if one_line else 1)
    # A byte of a file's name that is not UTF-8 is a lone surrogate here, which JSON spells as such.
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")


def files_there(left: Leftovers | None) -> dict[str, object]:
    """Return the files in the directory of a failed attempt, for programs; null where nobody told."""
    if left is None:
        return {"files": None, "more_files": None}
    named = [{"name": one.name, "size": one.size} for one in left.files]
    return {"files": named, "more_files": left.more}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return aligned columns for people.

    Long cells are cut, control characters are made visible.
    """
    # All at once, although a caller may have many rows: widths are known when all cells are.
    cells = [list(map(_cell, row)) for row in [head, *rows]]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    # Numbers stand on the right, so that their digits are below each other.
    numeric = list(map(_is_numeric, columns))
    return "".join(_line(row, widths, numeric) for row in cells)


def _is_numeric(column: Sequence[str]) -> bool:
    """Tell whether all cells below the head of a column are numbers or empty."""
    return len(column) > 1 and all(map(_is_number, column[1:]))


def _line(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = []
    for cell, width, is_numeric in zip(row, widths, numeric, strict=True):
        padded.append(cell.rjust(width) if is_numeric else cell.ljust(width))
    return "  ".join(padded).rstrip() + "\n"


def _cell(value: object) -> str:
    # One cell is one line: a newline in a value would break the table, and an escape sequence
    # that a program wrote could do anything to the terminal.
    text = printable(str(value).replace("\n", "⏎").replace("\t", "→"))
    if len(text) > CLIP:
        return text[: CLIP - 1] + "…"
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == ""
    return True
