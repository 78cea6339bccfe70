"""Writes the tables of commands.md that are made of the commands, between their markers.

    python tests/docs/make_commands.py          writes them
    python tests/docs/make_commands.py --check  exits 1 where the page differs, and writes nothing

The text around the markers is written by hand. A new command needs its section with

    <!-- options: NAME -->
    <!-- end -->

a command with subcommands one with `subcommands: NAME`, and each subcommand a section below that, with `options`. The
names are whole: `options: farm join`.

An option that a command shares with `spe run` is named there by the title of its group.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from spe.cli import spe
from spe.cli.catalogue import GROUPS, SUBCOMMANDS, grouped, title_of
from spe.cli.lazy_group import every_command
from spe.cli.lookup import usage_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
MARKED = re.compile(r"(<!-- (commands|shared|options|subcommands): ?([\w -]*?) -->\n).*?(<!-- end -->\n)", re.DOTALL)
OF_ALL = ("--quiet", "--verbose", "--help")
OF_SWEEPS = ("--file", "--name", "--json")
OF_OTHERS = ("--at",)
WIDTH = 118
HEAD = "| option | what it does |\n|---|---|\n"
CONTEXT = click.Context(spe, info_name="spe", help_option_names=["-h", "--help"])


def options_of(name: str) -> list[click.Option]:
    """Return the options of a command."""
    found = {full: (command, context) for full, command, context in every_command(spe)}
    command, context = found[name]
    return [one for one in command.get_params(context) if isinstance(one, click.Option)]


def is_own(option: click.Option, name: str) -> bool:
    """Tell whether an option stands in the table of this command, not in one of all."""
    return not {*option.opts} & {*OF_ALL, *OF_SWEEPS} or (name == "log" and option.opts == ["--file"])


def row(option: click.Option) -> str:
    """Return an option as a line of a table."""
    text = (option.help or "").replace("|", "\\|").rstrip(".")
    return f"| `{usage_of(option, CONTEXT)}` | {text} |".replace("64kB|all", "64kB\\|all")


def escaped(line: str) -> str:
    """Return a row whose first cell has no bar that would end it."""
    return re.sub(r"`[^`]*`", lambda found: re.sub(r"(?<!\\)\|", r"\\|", found[0]), line)


def options(name: str) -> Iterator[str]:
    """Yield the tables of a command's own options, one a group."""
    own = [one for one in options_of(name) if is_own(one, name)]
    if name == "run":
        for title, some in grouped(own).items():
            yield f"**{title}**\n\n{HEAD}" + "".join(escaped(row(one)) + "\n" for one in some)
        return
    run = options_of("run")
    same = {(*one.opts, one.help) for one in own}
    groups = [title for title, some in grouped(run).items() if all((*one.opts, one.help) in same for one in some)]
    of_run = {(*one.opts, one.help) for one in run}
    shared = [one for one in own if (*one.opts, one.help) in of_run and title_of(one) not in groups]
    elsewhere = [one for one in own if "--at" in one.opts or one.help == "Not ~/.ssh/config, for --at."]
    rest = [one for one in own if (*one.opts, one.help) not in of_run and one not in elsewhere]
    lines = [escaped(row(one)) for one in rest]
    if groups:
        lines.append(f"| all of {', '.join(groups)} | as for [`spe run`](#spe-run) |")
    lines += [f"| {flags} | as for [`spe run`](#spe-run) |" for flags in _chunks(shared)]
    lines += [f"| {flags} | [on another machine](#a-sweep-on-another-machine) |" for flags in _chunks(elsewhere)]
    yield HEAD + "".join(f"{line}\n" for line in lines) if lines else ""


def _chunks(some: list[click.Option]) -> Iterator[str]:
    """Yield the names of options, as many as one line of the page takes."""
    line = ""
    for name in (", ".join(f"`{flag}`" for flag in one.opts) for one in some):
        if len(line) + len(name) > WIDTH - 60:
            yield line
            line = ""
        line += f", {name}" if line else name
    if line:
        yield line


def shared(which: str) -> Iterator[str]:
    """Yield the table of options that all commands have."""
    wanted = OF_ALL if which == "all" else OF_SWEEPS
    found = {one.opts[-1]: one for one in options_of("status")}
    yield HEAD + "".join(f"{escaped(row(found[flag]))}\n" for flag in wanted)


def commands(_: str) -> Iterator[str]:
    """Yield the table of commands of each group."""
    for title, group in GROUPS.items():
        rows = [f"| [`spe {name}`](#spe-{name}) | {text.rstrip('.')} |\n" for name, text in group.items()]
        yield f"**{title}**\n\n| command | what it does |\n|---|---|\n" + "".join(rows)


def subcommands(name: str) -> Iterator[str]:
    """Yield the table of the subcommands of a command."""
    rows = [
        f"| [`spe {name} {inner}`](#spe-{name}-{inner}) | {text.rstrip('.')} |\n"
        for inner, text in SUBCOMMANDS[name].items()
    ]
    yield "| command | what it does |\n|---|---|\n" + "".join(rows)


MAKERS: dict[str, Callable[[str], Iterator[str]]] = {
    "commands": commands,
    "shared": shared,
    "options": options,
    "subcommands": subcommands,
}


def made(page: str) -> str:
    """Return the page with its tables made afresh."""
    return MARKED.sub(lambda found: found[1] + "\n" + "\n".join(MAKERS[found[2]](found[3])) + "\n" + found[4], page)


def main() -> int:
    """Write the page, or check it."""
    before = PAGE.read_text(encoding="utf-8")
    after = made(before)
    if before == after:
        return 0
    if "--check" in sys.argv:
        print(f"{PAGE.name} differs from the commands: run `python tests/docs/make_commands.py`", file=sys.stderr)
        return 1
    PAGE.write_text(after, encoding="utf-8")
    print(f"wrote {PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
