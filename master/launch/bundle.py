"""The client as one file: a zip of client/ that Python runs.

The same source gives the same bytes on every machine: sorted names, fixed dates, not compressed (the
versions of zlib differ in their output). Docstrings, comments, annotations of functions, imports
for these, blanks around signs and three of four spaces of each indentation are left out, and `self`
has a short name: that is a third of the source. The lines keep their numbers, so that a traceback
from a host points into our source.
"""

from __future__ import annotations

import ast
import hashlib
import io
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import zipfile

PACKAGE = "spe_client"
INSTALLED = "installed.py"  # starts the installed client: of no use in the one file
SHEBANG = b"#!/usr/bin/env python3\n"
DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
DOCSTRING = re.compile(rb'^( *)""".*?"""$', re.MULTILINE | re.DOTALL)
COMMENT = re.compile(rb"^ *#.*$", re.MULTILINE)
# A comment behind code; kept when a quote is in it, which may belong to a text.
REMARK = re.compile(rb"(?<=\S)  # [^\"'\n]*$", re.MULTILINE)
# A text of one line, which stays as it is; a sign with the blanks around it; or `self`.
PIECES = re.compile(
    rb"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')| *([-+*/%=<>!&|,:(){}\[\]]) *|\bself\b"""
)
SELF = b"S"  # in the place of `self`, of which there are two thousand
INDENT = re.compile(rb"^(?: {4})+", re.MULTILINE)
# Hosts are started in threads, all at once, and `cache` alone lets each of them pack: 0.14 s each.
_PACKING = threading.Lock()


def client_pyz() -> bytes:
    """Return the client program, as it is copied to hosts and answered to `GET /client`."""
    with _PACKING:
        return _pack()


@cache
def _pack() -> bytes:
    import zipfile  # late: a run that works on its own machine alone packs nothing

    target = io.BytesIO()
    target.write(SHEBANG)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in _members():
            archive.writestr(_entry(name), content)
    return target.getvalue()


def installed_client() -> Path:
    """Return the program that runs the installed client, for this machine and this Python alone.

    Why not the zip: Python compiles it anew at each start, which takes longer than all else that the
    client does before its first task.
    """
    return _folder() / INSTALLED


@cache
def client_module(name: str) -> str:
    """Return the text of a single file of the client, for a host that runs it alone."""
    return stripped((_folder() / name).read_bytes()).decode()


def client_name() -> str:
    """Return the client's file name on a host, made from its content: equal names mean equal bytes."""
    return f"client-{hashlib.sha256(client_pyz()).hexdigest()[:16]}.pyz"


def _members() -> list[tuple[str, bytes]]:
    """Return (name, source) of the files in the zip.

    `__main__.py` lies at the top, where Python looks for it; the others are a package beside it.
    """
    members = []
    top = _folder()
    for path in sorted(top.rglob("*.py")):
        inner = path.relative_to(top).as_posix()
        if inner == INSTALLED:
            continue
        name = inner if inner == "__main__.py" else f"{PACKAGE}/{inner}"
        members.append((name, stripped(path.read_bytes())))
    return members


def stripped(source: bytes) -> bytes:
    """Return the source without docstrings, comments and annotations, each line at its old number.

    Relies on the style of client/: three quotes at the beginning of a line open a docstring, and no
    other text spans indented lines. A test compares the syntax trees of both.
    """
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))  # once: parsing and this are most of the time that packing takes
    annotations = list(_annotations(nodes))
    bare = _without(source, [(first, _end(node)) for first, node in annotations])
    lines = bare.split(b"\n")
    _clear_idle_imports(lines, nodes, [node for _, node in annotations])
    bare = DOCSTRING.sub(_empty_docstring, b"\n".join(lines))
    # Whole-line comments first: a remark is a comment with code before it.
    bare = REMARK.sub(b"", COMMENT.sub(b"", bare))
    lines = bare.split(b"\n")
    _squeeze(lines, nodes)
    return INDENT.sub(lambda found: b" " * (len(found[0]) // 4), b"\n".join(lines))


Position = tuple[int, int]  # line from 1, column in bytes from 0


def _without(source: bytes, places: list[tuple[Position, Position]]) -> bytes:
    """Return the source without these places; the lines keep their numbers."""
    begins = [0]
    for line in source.splitlines(keepends=True):
        begins.append(begins[-1] + len(line))
    cuts = [
        (begins[first[0] - 1] + first[1], begins[last[0] - 1] + last[1]) for first, last in places
    ]
    for begin, end in sorted(cuts, reverse=True):
        lines = source.count(b"\n", begin, end)
        source = source[:begin].rstrip(b" ") + b"\n" * lines + source[end:]
    return source


def _annotations(nodes: Sequence[ast.AST]) -> Iterator[tuple[Position, ast.expr]]:
    """Yield each annotation of a function, or of what it assigns, and where its sign begins.

    Those in the body of a class stay: a NamedTuple is made of them.
    """
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    in_classes = {id(one) for node in classes for one in node.body}
    for node in nodes:
        if isinstance(node, ast.arg) and node.annotation:
            name_ends = (node.lineno, node.col_offset + len(node.arg.encode()))
            yield name_ends, node.annotation
        elif isinstance(node, ast.FunctionDef) and node.returns:
            # All results are annotated on one line: the arrow and its blank lie just before.
            arrow = len(b"-> ")
            yield (node.returns.lineno, node.returns.col_offset - arrow), node.returns
        elif isinstance(node, ast.AnnAssign) and node.value and id(node) not in in_classes:
            yield _end(node.target), node.annotation


def _clear_idle_imports(
    lines: list[bytes], nodes: Sequence[ast.AST], annotations: Iterable[ast.expr]
) -> None:
    """Remove names that are imported for these annotations alone.

    No module of the client is imported for what happens then.
    """
    idle = {id(inner) for one in annotations for inner in ast.walk(one)}
    used = {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in idle}
    for node in nodes:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        kept = [one for one in node.names if (one.asname or one.name.partition(".")[0]) in used]
        if len(kept) < len(node.names):
            last = node.end_lineno or node.lineno
            lines[node.lineno - 1 : last] = [b""] * (last - node.lineno + 1)
            node.names = kept
            lines[node.lineno - 1] = ast.unparse(node).encode() if kept else b""


def _squeeze(lines: list[bytes], nodes: Sequence[ast.AST]) -> None:
    """Remove blanks around signs, and those before lines inside of brackets; shorten `self`.

    Lines with a part of a longer text stay as they are.
    """
    texts: set[int] = set()
    inner: set[int] = set()
    for node in nodes:
        last = getattr(node, "end_lineno", None)
        if not isinstance(node, ast.expr) or not last or last == node.lineno:
            continue
        (texts if isinstance(node, ast.Constant) else inner).update(range(node.lineno, last))
        if isinstance(node, ast.Constant):
            texts.add(node.lineno - 1)
    for at, line in enumerate(lines):
        if at not in texts:
            code = line.lstrip()
            before = b"" if at in inner else line[: len(line) - len(code)]
            lines[at] = before + PIECES.sub(_squeezed, code)


def _squeezed(found: re.Match[bytes]) -> bytes:
    return found[1] or found[2] or SELF


def _end(node: ast.expr) -> Position:
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset


def _empty_docstring(found: re.Match[bytes]) -> bytes:
    """Return an empty docstring of as many lines: a function may consist of its docstring alone."""
    return found[1] + b'""' + b"\n" * found[0].count(b"\n")


def _folder() -> Path:
    spec = find_spec("spe.client")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("spe is installed without its client")
    return Path(next(iter(spec.submodule_search_locations)))


def _entry(name: str) -> zipfile.ZipInfo:
    from zipfile import ZipInfo

    entry = ZipInfo(name, DATE)
    entry.external_attr = 0o644 << 16
    entry.create_system = 3  # "made on Unix", wherever it was made
    return entry
