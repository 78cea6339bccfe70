"""What makes a start short: each trick that a reader would not expect, why it is there, and what it is worth.

The figures are processor time that `spe run -- true` would need more without the trick: medians of twelve turns, on
Python 3.11 and a busy machine of two cores, where the whole run took 0.59 s.

    load_command      the modules of one command alone are loaded        0.3 s, of `spe --help`
    load_aiohttp      the certificates of the system are not read        68 ms
    while_loading     garbage is looked for rarely while modules load    70 ms
    while_working     what is loaded is not looked through again         12 ms; 40 ms in a run of 10,000 tasks
    at_the_end        Python ends without a last look for garbage        62 ms
    short_turns       the event loop has its turn ten times sooner       nothing at the start: clients wait less

The other half are late imports, inside the functions that need the library: paramiko, cryptography, jinja2, rich,
ClusterShell, PyYAML and zipfile. tests/cli/test_start.py holds which command loads which library.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

#: New objects between two looks for garbage while modules load. With Python's own 700 it looks hundreds of times at
#: modules, which are no garbage. No command loads as many objects as this.
LOADING = 300_000
#: New objects between two looks for garbage while a sweep runs. A held request is many objects, and to look through
#: those of thousands of clients takes long.
WORKING = 20_000


def load_command(name: str, package: str) -> Any:
    """Return the module of a command. A plain import would load those of all commands."""
    return import_module(f".{name}", package)


def load_aiohttp() -> None:
    """Import aiohttp.web without the certificates of the system.

    While it is imported, aiohttp reads all of them for its HTTP client, which no master uses. OpenSSL looks for them in
    the places that two variables name, so these variables name an empty file for that moment. Afterwards the user's
    values are back: hooks and programs see them.
    """
    nothing = dict.fromkeys(("SSL_CERT_FILE", "SSL_CERT_DIR"), os.devnull)
    before = {name: os.environ.get(name) for name in nothing}
    os.environ.update(nothing)
    try:
        import_module("aiohttp.web")
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def while_loading() -> None:
    """Look for garbage rarely: to be called before anything large is imported."""
    gc.set_threshold(LOADING)


def while_working() -> None:
    """Look for garbage as a server should, and never at what is loaded by now: it stays to the end."""
    gc.freeze()
    gc.set_threshold(WORKING)


def at_the_end() -> None:
    """Have Python end without a look through all that was ever loaded: the process ends anyway."""
    gc.freeze()


@contextmanager
def short_turns() -> Iterator[None]:
    """Let the event loop have its turn ten times sooner, while a thread of this process computes without a pause."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 10)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
