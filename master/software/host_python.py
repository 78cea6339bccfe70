"""The Python of a host as its client describes it, and the wheels that it can use.

The tags follow PEP 425, 600 (manylinux) and 656 (musllinux). pip would find them by itself for the
Python that runs it; here it runs on the master for a Python that is elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ..errors import SpeError
from ..record import record

LONGEST = 4000  # characters of a description
_VERSION = re.compile(r"\d{1,3}(\.\d{1,5}){1,2}")
_WORD = re.compile(r"[\w.-]{1,60}")
# The variables of PEP 508, by which a requirement may be left out: `numpy; python_version < "3.8"`.
MARKERS = (
    "implementation_name",
    "implementation_version",
    "os_name",
    "platform_machine",
    "platform_python_implementation",
    "platform_release",
    "platform_system",
    "platform_version",
    "python_full_version",
    "python_version",
    "sys_platform",
)
# It runs on the host, in the Python that tasks find there: 3.6 or newer.
DESCRIBE = r"""
import glob, json, os, platform, re, subprocess, sys, sysconfig
# Not libc_ver() alone: before Python 3.8 it reads versions of symbols out of the executable, which
# are older than the library, and much older where Python itself is a shared library.
try:
    libc, version = os.confstr("CS_GNU_LIBC_VERSION").split()
except (AttributeError, OSError, ValueError):
    libc, version = platform.libc_ver()
for name in glob.glob("/lib/ld-musl-*") if libc != "glibc" else []:
    process = subprocess.Popen([name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = re.search(rb"Version (\S+)", process.communicate()[0])
    libc, version = ("musl", found.group(1).decode()) if found else (libc, version)
own = sys.implementation
number = "%d.%d.%d" % own.version[:3]
full = platform.python_version()
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3],
    "platform": sysconfig.get_platform(),
    "libc": libc if libc in ("glibc", "musl") else "",
    "libc_version": version if libc in ("glibc", "musl") else "",
    "executable": sys.executable,
    "markers": {
        "implementation_name": own.name,
        "implementation_version": number,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": full,
        "python_version": ".".join(full.split(".")[:2]),
        "sys_platform": sys.platform,
    },
}))
"""
# The oldest glibc of manylinux: 2.5 for the processors of that time, 2.17 for all others.
_OLD_MACHINES = ("x86_64", "i686")
_ALIASES = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
_OLDEST_MACOS = 11  # the first with arm64; older ones are tags of 10.N


@record
class HostPython:
    """A Python that is going to run tasks on a host."""

    version: str  # 3.6.9
    platform: str  # as sysconfig.get_platform() says it: linux-x86_64, macosx-11.0-arm64
    libc: str  # glibc or musl, "" elsewhere
    libc_version: str  # 2.28
    executable: str
    markers: tuple[tuple[str, str], ...]  # of MARKERS

    @property
    def shown(self) -> str:
        """Return it for people: `linux-aarch64 (glibc 2.28), Python 3.6`."""
        libc = f" ({self.libc} {self.libc_version})" if self.libc else ""
        return f"{self.platform}{libc}, Python {self.version.rpartition('.')[0]}"

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the platform tags of wheels that run there, the best first."""
        system, _, machine = self.platform.partition("-")
        if system == "linux" and self.libc == "glibc":
            return (*_manylinux(machine, self.libc_version), f"linux_{machine}")
        if system == "linux" and self.libc == "musl":
            return (*_musllinux(machine, self.libc_version), f"linux_{machine}")
        if system == "macosx":
            return tuple(_macos(*machine.split("-", 1)))
        return (re.sub(r"[-.]", "_", self.platform),)


def parse(text: str) -> HostPython:
    """Return what a client says of its Python. Raises SpeError for what is no such description."""
    try:
        said = json.loads(text) if len(text) <= LONGEST else None
        return _checked(said)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SpeError("a client describes its Python in words that are not known") from error


def _checked(said: Any) -> HostPython:
    version, platform = str(said["version"]), str(said["platform"])
    libc, libc_version = str(said["libc"]), str(said["libc_version"])
    if not _VERSION.fullmatch(version) or not _WORD.fullmatch(platform):
        raise ValueError(version)
    if libc not in ("", "glibc", "musl") or not (_VERSION.fullmatch(libc_version) or not libc):
        raise ValueError(libc)
    markers = tuple((name, str(said["markers"][name])[:300]) for name in MARKERS)
    return HostPython(version, platform, libc, libc_version, str(said["executable"]), markers)


def _manylinux(machine: str, version: str) -> Iterator[str]:
    newest = int(version.split(".")[1])
    oldest = 5 if machine in _OLD_MACHINES else 17
    for minor in range(newest, oldest - 1, -1):
        yield f"manylinux_2_{minor}_{machine}"
        if minor in _ALIASES:
            yield f"{_ALIASES[minor]}_{machine}"


def _musllinux(machine: str, version: str) -> Iterator[str]:
    newest = int(version.split(".")[1])
    yield from (f"musllinux_1_{minor}_{machine}" for minor in range(newest, -1, -1))


def _macos(version: str, machine: str) -> Iterator[str]:
    newest = int(version.split(".")[0])
    kinds = (machine, "universal2")
    yield from (
        f"macosx_{major}_0_{kind}"
        for major in range(newest, _OLDEST_MACOS - 1, -1)
        for kind in kinds
    )
    if machine == "x86_64":
        yield from (f"macosx_10_{minor}_{kind}" for minor in range(16, 8, -1) for kind in kinds)
