"""The client as one file: a zip of client/ that Python runs. Knows nothing of what is in it but file names.

The same source gives the same bytes on every machine: sorted names, fixed dates, not compressed (so that no
version of zlib shows, and a Python without zlib can run it). Docstrings, comments and three of four spaces of each
indentation stay here: they are a quarter of what each host would fetch. The lines keep their numbers, so that a
traceback from a host points into our source.
"""

from __future__ import annotations

import hashlib
import io
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import zipfile

PACKAGE = "spe_client"
INSTALLED = "installed.py"  # of no use in the one file
SHEBANG = b"#!/usr/bin/env python3\n"
DATE = (1980, 1, 1, 0, 0, 0)
DOCSTRING = re.compile(rb'^( *)""".*?"""$', re.MULTILINE | re.DOTALL)
COMMENT = re.compile(rb"^ *#.*$", re.MULTILINE)
REMARK = re.compile(rb"(?<=\S)  # [^\"'\n]*$", re.MULTILINE)  # behind code; one with a quote in it is left
INDENT = re.compile(rb"^(?: {4})+", re.MULTILINE)


@cache
def client_pyz() -> bytes:
    """The client program, as it is copied to hosts and answered to `GET /client`."""
    import zipfile  # late: a run that works on its own machine alone packs nothing

    target = io.BytesIO()
    target.write(SHEBANG)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in _members():
            archive.writestr(_entry(name), content)
    return target.getvalue()


def installed_client() -> Path:
    """A program that runs the client from where it is installed, for this machine and this Python alone.

    A zip is compiled anew at each start, which takes longer than all else that the client does until it works.
    """
    return _folder() / INSTALLED


def client_module(name: str) -> str:
    """Return the text of one of the client's files, for a host that runs it alone."""
    return stripped((_folder() / name).read_bytes()).decode()


def client_name() -> str:
    """Its name on a host, made from its content: who finds the name finds these bytes."""
    return f"client-{hashlib.sha256(client_pyz()).hexdigest()[:16]}.pyz"


def _members() -> list[tuple[str, bytes]]:
    """`__main__.py` stands alone at the top, where Python looks for it; the rest is a package beside it."""
    members = []
    top = _folder()
    for path in sorted(top.rglob("*.py")):
        inner = path.relative_to(top).as_posix()
        if inner != INSTALLED:
            name = inner if inner == "__main__.py" else f"{PACKAGE}/{inner}"
            members.append((name, stripped(path.read_bytes())))
    return members


def stripped(source: bytes) -> bytes:
    """Return the source without docstrings and whole-line comments, little indented, each line at its old number.

    It goes by how client/ is written: what begins a line with three quotes is a docstring, and no other text goes over
    lines that are indented. A test compares the syntax trees of both.
    """
    bare = DOCSTRING.sub(lambda found: found[1] + b'""' + b"\n" * found[0].count(b"\n"), source)
    return INDENT.sub(lambda found: b" " * (len(found[0]) // 4), REMARK.sub(b"", COMMENT.sub(b"", bare)))


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
