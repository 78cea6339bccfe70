"""`spe ask`."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .common import as_json, folder_of, load, print_json, sweep_file, sweep_name, volume
from .elsewhere import anywhere
from .steer import is_number


class WithAllowed(click.Command):
    """A command whose help says what this sweep allows."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what `ask:` allows; nothing where there is no spe.yaml here."""
        try:
            allowed = load(Path(ctx.params.get("file") or "spe.yaml")).config.ask
        except Exception:  # whatever is wrong with spe.yaml: the command itself says so
            return
        with formatter.section("Allowed by this sweep (`ask:` in spe.yaml)"):
            formatter.write_text(" ".join(allowed))


# Options that spe does not know are those of the command: `spe ask 17 ls -l` needs no dashes.
@click.command(cls=WithAllowed, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[TASK] -- COMMAND...")
@click.option(
    "--host",
    metavar="HOST",
    help="Run it in the client's folder on this host, where no task needs to run.",
)
@click.option(
    "--limit",
    type=click.FloatRange(0.1, 3600),
    default=60.0,
    help="Time limit in seconds.  [60]",
)
@sweep_file
@sweep_name
@as_json
@volume
@anywhere
def command(
    words: tuple[str, ...],
    host: str | None,
    limit: float,
    file: Path,
    name: str | None,
    json_: bool,
    quiet: bool,
    verbose: int,
) -> int:
    """Run a command in the directory of a running set, on its host; print what it prints, end with
    its exit code.

    What may be run is `ask:` in spe.yaml: by default ls, ps, du, cat, tail and head, on files of
    the set itself, with options that lead nowhere else, spelled out. `ps` shows its processes.

    \b
    Example: spe ask 17 -- tail -n 3 progress.txt
    Example: spe ask --host lab03 -- du -sh .
    """
    # Options are not refused as such, because the program has its own behind its name.
    if words and words[0].startswith("-"):
        raise click.NoSuchOption(words[0], ctx=click.get_current_context())
    where: dict[str, Any] = {"host": host}
    asked = words
    if not host:
        where = {"task": _number(words)}
        asked = words[1:]
    if not asked:
        raise UsageError("there is no command", todo="spe ask 17 -- ls -l")
    body = {**where, "words": list(asked), "limit": limit}
    if not json_:
        return printed(folder_of(file, name), "/ask", body)
    # JSON needs the exit code, which comes last, so the output is kept until then.
    kept = io.TextIOWrapper(io.BytesIO())
    code = printed(folder_of(file, name), "/ask", body, kept)
    print_json({"exit": code, "output": kept.buffer.getvalue().decode("utf-8", "replace")})
    return code


def _number(words: Sequence[str]) -> int:
    """Return the number of the set that is named first. Raises UsageError."""
    if not words or not is_number(words[0]):
        raise UsageError("name a set by its number, or a host", todo="spe ask 17 -- ls -l")
    return int(words[0])


def printed(folder: Path, path: str, body: dict[str, Any] | None, to: Any = None) -> int:
    """Print a streamed answer as it comes, and return its exit code.

    Raises UsageError with the reason where there is none.
    """
    from ..session.calling import answers

    # stdout of now, not as a default of the argument: output.py puts a stream of its own there.
    target = to or sys.stdout
    # The text goes on as bytes: a character may be cut in two where one piece ends.
    for event, data in answers(folder, path, body):
        if event == "error":
            raise UsageError(str(data))
        if event == "exit":
            return int(data)
        target.buffer.write(data)
        target.flush()  # a command may print one line a minute
    raise UsageError("the master ended before the answer was complete")
