"""The client as one file: a zip of client/ that Python runs.

Names are sorted and dates fixed, so that a machine makes the same bytes each time. Docstrings and
comments are left out, which are half of the file. The lines keep their numbers, so that a traceback
from a host points into our source.
"""

from __future__ import annotations

import hashlib
import io
import re
import threading
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
    with zipfile.ZipFile(target, "w") as archive:
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
    """Return the source without docstrings and comments, each line at its old number.

    Relies on the style of client/: three quotes at the beginning of a line open a docstring, and no
    other text spans indented lines. A test compares the syntax trees of both.
    """
    bare = DOCSTRING.sub(_empty_docstring, source)
    # Whole-line comments first: a remark is a comment with code before it.
    return REMARK.sub(b"", COMMENT.sub(b"", bare))


def _empty_docstring(found: re.Match[bytes]) -> bytes:
    """Return an empty docstring of as many lines: a function may consist of its docstring alone."""
    return found[1] + b'""' + b"\n" * found[0].count(b"\n")


def _folder() -> Path:
    spec = find_spec("spe.client")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("spe is installed without its client")
    return Path(next(iter(spec.submodule_search_locations)))


def _entry(name: str) -> zipfile.ZipInfo:
    from zipfile import ZIP_DEFLATED, ZipInfo

    entry = ZipInfo(name, DATE)
    entry.compress_type = ZIP_DEFLATED  # the archive's own does not reach an entry that is given
    entry.external_attr = 0o644 << 16
    entry.create_system = 3  # "made on Unix", wherever it was made
    return entry
