"""The watcher as a program that is sent on standard input: modules of the client, made in memory.

Nothing is written on the host. The program's text on the command line only reads the modules.
"""

from __future__ import annotations

import json
from functools import cache

from ...launch.bundle import PACKAGE, client_module

# In the order in which they import each other.
_MODULES = (
    "machine/facts.py",
    "machine/process_tree.py",
    "machine/load.py",
    "machine/neighbours.py",
    "watch/accounts.py",
    "watch/report.py",
    "watch/watcher.py",
)
_PACKAGES = (PACKAGE, f"{PACKAGE}.machine", f"{PACKAGE}.watch")

# For Python 3.6 and newer. The input is read byte by byte up to the first line end, and then no byte
# more than that line says: what follows is for the watcher.
PROGRAM = """
import json, os, sys, types
def read(count):
    text = b""
    while len(text) < count:
        more = os.read(0, count - len(text))
        if not more:
            sys.exit(0)
        text += more
    return text
count = b""
while not count.endswith(b"\\n"):
    count += read(1)
sent = json.loads(read(int(count)).decode())
def add(name, is_package):
    made = sys.modules[name] = types.ModuleType(name)
    if is_package:
        made.__path__ = []
    made.__package__ = name if is_package else name.rpartition(".")[0]
    above, _, last = name.rpartition(".")
    if above:
        setattr(sys.modules[above], last, made)
    return made
for name in sent["packages"]:
    add(name, True)
for name, text in sent["modules"]:
    exec(compile(text, name, "exec"), add(name, False).__dict__)
sys.exit(sys.modules[sent["start"]].watch(sent["interval"], sent["lease"]))
"""


@cache
def sent_first(interval: float, lease: int) -> bytes:
    """Return what the program finds on its input first. Times are seconds; see watcher.py."""
    names = [f"{PACKAGE}.{name.removesuffix('.py').replace('/', '.')}" for name in _MODULES]
    texts = [client_module(name) for name in _MODULES]
    sent = {
        "packages": _PACKAGES,
        "modules": list(zip(names, texts, strict=True)),
        "start": names[-1],
        "interval": interval,
        "lease": lease,
    }
    text = json.dumps(sent).encode()
    return b"%d\n" % len(text) + text
