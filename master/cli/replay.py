"""`spe replay`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .common import as_json, print_json, volume
from .execution import run_to_its_end
from .output import plain_option
from .run_options import make_options, run_options

if TYPE_CHECKING:
    from ..handin.archive import Archive
    from ..handin.compared import Comparison, Difference, Tally
    from ..sweep.sweep import Sweep

CLIP = 200  # characters of a value in a line
FINEST = 5000  # places of a tolerance behind the point: more than a result of `as: int` has digits


@click.command()
@click.argument("zip_", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Run it in this folder: new, empty, or interrupted. Default: FILE without .zip, and -replay.",
)
@click.option(
    "--with",
    "supplies",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    metavar="PATH",
    help="Take what the zip is without from this folder, or this file; repeat it.",
)
@click.option(
    "--tolerance",
    default="0",
    show_default=True,
    metavar="X",
    help="Numbers may differ by this part of the larger one: 1e-9.",
)
@click.option(
    "--max-size",
    default="10 GB",
    show_default=True,
    metavar="SIZE",
    help="Refuse a zip that unpacks to more.",
)
@run_options
@as_json
@plain_option
@volume
def command(
    zip_: Path,
    into: Path | None,
    supplies: tuple[Path, ...],
    tolerance: str,
    max_size: str,
    json_: bool,
    quiet: bool,
    verbose: int,
    **options: Any,
) -> int:
    """Run what is in a zip of `spe export` again, and compare each result of each set.

    It runs the program of the zip with your rights, on this machine unless --hosts says otherwise.
    Texts and files must be the same byte for byte. A replay that was interrupted goes on where it
    was when you give the same command again. Exit codes: 0 all sets are the same, 1 some
    differ (each is printed, with both values), 2 the zip was refused and nothing was run.

    \b
    Example: spe replay pi.zip
    Example: spe replay pi.zip --tolerance 1e-9 --hosts lab01,lab02 --into /scratch/pi
    Example: spe replay pi.zip --with ~/pi
    """
    from ..handin.archive import Archive
    from ..handin.workplace import end_replay, made_workplace

    allowed = _tolerance(tolerance)
    with Archive(zip_, _size(max_size)) as archive:
        archive.check_digests()
        folder = into or Path(f"{zip_.stem}-replay")
        with made_workplace(archive, folder, supplies):
            sweep, made_here = _sweep_of(archive, folder)
        from ..handin.compared import Comparison

        chosen = make_options(**options)
        ended = run_to_its_end(sweep, chosen, quiet, verbose, stdout_is_taken=True)
        comparison = Comparison(archive, sweep, made_here, allowed)
        code = _compare(comparison, ended.outcome.folder, json_, quiet)
        if not comparison.tally.not_run:
            end_replay(folder)
    return 130 if ended.outcome.interrupted else code


def _sweep_of(archive: Archive, folder: Path) -> tuple[Sweep, Callable[[int], bool]]:
    """Return the sweep in the folder of a replay, and which rows its program made."""
    from ..handin.program import made_by
    from ..handin.sweep_files import FILE
    from ..sweep import sweep

    # Hosts are the user's own, not those of whoever made the zip. Collect functions may write
    # anywhere, and nothing is compared with what they do.
    settings = {"name": archive.manifest.name, "hosts": ["localhost"], "collect": ["table"]}
    found = sweep.load(folder / FILE, settings)
    return found, made_by(archive.manifest, found, str(archive.path))


def _compare(comparison: Comparison, folder: Path, json_: bool, quiet: bool) -> int:
    """Print what differs; return the exit code."""
    from ..store.reader import Reader

    with Reader(folder) as reader:
        found = comparison.differences(reader)
        if json_:
            differences = [_record(one) for one in found]
            tally = comparison.tally
            print_json(
                {
                    "compared": tally.compared,
                    "differing": tally.differing,
                    "not_run": tally.not_run,
                    "of_other_programs": tally.of_other_programs,
                    "not_run_then": tally.not_run_then,
                    "differences": differences,
                }
            )
        else:
            _print(found)
    tally = comparison.tally
    if not quiet:
        click.echo(_summary(tally), err=True)
    return 1 if tally.differing or tally.not_run or tally.of_other_programs else 0


def _print(differences: Iterable[Difference]) -> None:
    from ..text import said

    for one in differences:
        what = f"{one.result}: " if one.result else ""
        if one.file:
            what = f"{one.result}, {one.file}: "
        values = _clipped(said(one.values))
        click.echo(f"set {one.number} ({values}): {what}{_clipped(one.then)} then, {_clipped(one.now)} now")


def _clipped(text: str) -> str:
    from ..text import printable

    shown = printable(text)
    return shown if len(shown) <= CLIP else shown[: CLIP - 1] + "…"


def _record(one: Difference) -> dict[str, object]:
    return {
        "number": one.number,
        "parameters": dict(one.values),
        "result": one.result,
        "file": one.file,
        "then": one.then,
        "now": one.now,
    }


def _summary(tally: Tally) -> str:
    from ..text import counted, sets

    text = f"{sets(tally.compared)} compared: "
    text += f"{counted(tally.differing, 'differs', 'differ')}" if tally.differing else "all are the same"
    if tally.not_run:
        text += f"; {counted(tally.not_run, 'was', 'were')} not run to the end"
        text += " (the same command goes on there)"
    if tally.of_other_programs:
        rows = counted(tally.of_other_programs, "is", "are")
        text += f"; {rows} of another version of the program, which is not here"
    if tally.not_run_then:
        missing = counted(tally.not_run_then, "set", "sets")
        text += f"; the run of the zip was not complete: {missing} had no result to compare with"
    return text


def _tolerance(text: str) -> Fraction:
    """Return a tolerance. Raises UsageError."""
    try:
        found = Decimal(text)
        # As it is written: 0.3 as a float is less, and 0.7 beside 1.0 would differ by more. One with
        # thousands of places is no tolerance that anybody means, and would fill the memory.
        if 0 <= found < 1 and (not found or found.adjusted() > -FINEST):
            return Fraction(found)
    except ArithmeticError:  # also what a comparison with NaN raises
        pass
    todo = "Write a number from 0 to below 1, such as 1e-9."
    raise UsageError(f"{text!r} is no tolerance", where="--tolerance", todo=todo)


def _size(text: str) -> int:
    """Return a number of bytes. Raises UsageError."""
    from ..config.values import WrongValue, size

    try:
        return size(text)
    except WrongValue as error:
        todo = "Write a size such as 500 MB or 20 GB."
        raise UsageError(f"{text!r} is no size", where="--max-size", todo=todo) from error
