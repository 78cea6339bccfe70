"""Pages for man, made of the commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from ..version import __version__
from .catalogue import GROUPS, SUMMARY, grouped
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
    names = root.list_commands(context)
    for name in names:
        command = root.get_command(context, name)
        assert command is not None, "each name of the list is a command"
        inner = click.Context(command, parent=context, info_name=name)
        (folder / f"spe-{name}.1").write_text(_page(command, inner), encoding="utf-8")
    return len(names) + 1


def _page_of_root(root: click.Group, context: click.Context) -> str:
    lines = [*_begin("spe", "one program over many parameter sets"), ".B spe", ".I COMMAND"]
    lines += [".SH DESCRIPTION", *_paragraphs(root.help or "")]
    for title, commands in GROUPS.items():
        lines.append(f".SH {_quoted(title.upper())}")
        for name, summary in commands.items():
            lines += [".TP", rf"\fBspe\-{name}\fR(1)", _escaped(summary)]
    return "\n".join([*lines, *_end()]) + "\n"


def _page(command: click.Command, context: click.Context) -> str:
    name = context.info_name or ""
    words = " ".join(command.collect_usage_pieces(context))
    lines = [*_begin(f"spe-{name}", SUMMARY[name]), f".B spe {name}", _escaped(words)]
    lines += [".SH DESCRIPTION", *_paragraphs(command.help or ""), ".SH OPTIONS"]
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
