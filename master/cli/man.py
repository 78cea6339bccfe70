"""Pages for man, made of the commands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from ..version import __version__
from .catalogue import ALL_COMMANDS, GROUPS, SUBCOMMANDS, grouped
from .lazy_group import every_command
from .lookup import usage_of

_BLOCK = "\b"  # click's mark of a paragraph whose lines stay as they are
_EXIT = (
    ("0", "All sets are done."),
    ("1", "Something failed."),
    ("2", "Wrong usage or configuration: nothing was run."),
    ("3", "No host came up."),
    ("130", "Interrupted."),
)


def write_pages(root: click.Group, folder: Path) -> int:
    """Write spe.1 and a page for each command into a folder; return how many."""
    folder.mkdir(parents=True, exist_ok=True)
    context = click.Context(root, info_name="spe")
    (folder / "spe.1").write_text(_page_of_root(root, context), encoding="utf-8")
    for name, command, inner in every_command(root):
        file = folder / f"spe-{name.replace(' ', '-')}.1"
        file.write_text(_page(name, command, inner), encoding="utf-8")
    return len(ALL_COMMANDS) + 1


def _page_of_root(root: click.Group, context: click.Context) -> str:
    lines = [*_begin("spe", "one program over many parameter sets"), ".B spe", ".I COMMAND"]
    lines += [".SH DESCRIPTION", *_paragraphs(root.help or "")]
    for title, commands in GROUPS.items():
        lines += _list_of(title.upper(), "spe", commands)
    return "\n".join([*lines, *_end()]) + "\n"


def _list_of(title: str, above: str, commands: Mapping[str, str]) -> Iterator[str]:
    yield f".SH {_quoted(title)}"
    for name, summary in commands.items():
        yield from (".TP", rf"\fB{_escaped(f'{above}-{name}')}\fR(1)", _escaped(summary))


def _page(name: str, command: click.Command, context: click.Context) -> str:
    title = f"spe-{name.replace(' ', '-')}"
    words = " ".join(command.collect_usage_pieces(context))
    lines = [*_begin(title, ALL_COMMANDS[name]), f".B spe {name}", _escaped(words)]
    lines += [".SH DESCRIPTION", *_paragraphs(command.help or "")]
    if name in SUBCOMMANDS:
        lines += _list_of("COMMANDS", title, SUBCOMMANDS[name])
    lines.append(".SH OPTIONS")
    options = [one for one in command.get_params(context) if isinstance(one, click.Option)]
    groups = grouped(options)
    for title, some in groups.items():
        if len(groups) > 1:
            lines.append(f".SS {_quoted(title)}")
        for one in some:
            lines += [".TP", rf"\fB{_escaped(usage_of(one, context))}\fR", _escaped(one.help or "")]
    return "\n".join([*lines, *_end()]) + "\n"


def _begin(name: str, summary: str) -> Iterator[str]:
    yield f'.TH {_quoted(name.upper())} 1 "" "spe {__version__}" "spe"'
    yield from (".SH NAME", rf"{_escaped(name)} \- {_escaped(summary.rstrip('.'))}", ".SH SYNOPSIS")


def _end() -> Iterator[str]:
    yield ".SH EXIT STATUS"
    for code, meaning in _EXIT:
        yield from (".TP", rf"\fB{code}\fR", meaning)
    yield from (".SH SEE ALSO", r"\fBspe\fR(1), \fBspe docs\fR, \fBspe help\fR \fIWORD\fR")


def _paragraphs(text: str) -> Iterator[str]:
    """Yield a help text as roff: a paragraph of lines that stay has a break after each."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in paragraph.splitlines()]
        yield ".PP"
        if lines[0] == _BLOCK:
            yield from (".nf", *map(_escaped, lines[1:]), ".fi")
        else:
            yield _escaped(" ".join(lines))


def _escaped(text: str) -> str:
    """Return a text that roff shows as it is."""
    found = text.replace("\\", r"\e").replace("-", r"\-").replace("`", r"\(ga")
    found = found.replace("'", r"\(aq").replace("~", r"\(ti").replace("^", r"\(ha")
    # A line that begins with a dot is a request.
    return rf"\&{found}" if found.startswith(".") else found


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'
