"""Root trees of other machines for the lab: made once by debootstrap, kept in /var/cache/spe-tests.

The second stage of debootstrap is not run: unpacked packages are all that an sshd and a Python need, and
emulating their installation would take minutes.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from needs import missing, need

_CACHE = Path("/var/cache/spe-tests")
_LOCKS = Path("/run/spe-tests")
_BINFMT = Path("/proc/sys/fs/binfmt_misc")


@contextlib.contextmanager
def emulation(machine: str) -> Iterator[None]:
    """The kernel runs this machine's programs through qemu; the last test run that needs it switches it off again."""
    entry, rule = _BINFMT / f"qemu-{machine}", Path(f"/usr/lib/binfmt.d/qemu-{machine}.conf")
    need(rule.exists(), f"needs {rule}: apt-get install qemu-user-static")
    _LOCKS.mkdir(parents=True, exist_ok=True)
    with (_LOCKS / f"qemu-{machine}.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        while not entry.exists():  # who holds it with others keeps it on; only to switch it on one must be alone
            fcntl.flock(lock, fcntl.LOCK_EX)
            _switch_on(entry, rule, lock)
            fcntl.flock(lock, fcntl.LOCK_SH)
        try:
            yield
        finally:
            with contextlib.suppress(BlockingIOError):  # another test run needs it still
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _switch_off(entry, lock)


def _switch_on(entry: Path, rule: Path, lock: IO[str]) -> None:
    """The lock's file says what we changed, for whoever is the last."""
    if not (_BINFMT / "register").exists():
        done = subprocess.run(["mount", "-t", "binfmt_misc", "none", str(_BINFMT)], capture_output=True, text=True)
        need(done.returncode == 0, f"needs binfmt_misc in the kernel: {done.stderr}")
        lock.write("mounted\n")
    if not entry.exists():
        (_BINFMT / "register").write_text(rule.read_text().strip())
        lock.write("registered\n")
    lock.flush()


def _switch_off(entry: Path, lock: IO[str]) -> None:
    lock.seek(0)
    changed = lock.read().split()
    lock.truncate(0)
    if "registered" in changed and entry.exists():
        entry.write_text("-1")
    if "mounted" in changed:
        subprocess.run(["umount", str(_BINFMT)], check=False)  # busy: somebody else uses it now


def tree(architecture: str) -> Path:
    """The tree of this Debian for another architecture, complete with sshd and Python."""
    codename = _codename()
    place = _CACHE / f"{codename}-{architecture}"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / ".complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            _make(place, architecture, codename)
            (place / ".complete").touch()
    return place


def _make(place: Path, architecture: str, codename: str) -> None:
    command = [
        "debootstrap",
        "--foreign",
        f"--arch={architecture}",
        "--variant=minbase",
        "--include=openssh-server,python3",
    ]
    done = subprocess.run([*command, codename, str(place), _mirror(codename)], capture_output=True, text=True)
    if done.returncode != 0:
        missing(f"needs a Debian mirror with {architecture}: {done.stdout[-300:]}{done.stderr[-300:]}")
    for package in sorted((place / "var/cache/apt/archives").glob("*.deb")):
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as unpacked:
            # -k says so for every file that the first stage has already put there, and exits non-zero
            subprocess.run(["tar", "-xkf", "-", "-C", str(place)], stdin=unpacked.stdout, stderr=subprocess.DEVNULL)
        package.unlink()
    if (place / "proc").is_symlink():
        (place / "proc").unlink()  # else a mount there would follow it
    for name in ("proc", "mnt", "srv"):
        (place / name).mkdir(exist_ok=True)
    for name in ("passwd", "group", "shadow"):
        shutil.copy(f"/etc/{name}", place / "etc" / name)
    for name in ("hosts", "hostname"):
        (place / "etc" / name).touch()


def _codename() -> str:
    text = Path("/etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=(\w+)", text, re.MULTILINE)
    return found[1] if found and "ID=debian" in text else "bookworm"


def _mirror(codename: str) -> str:
    """The one that this machine uses, from its apt sources of either format."""
    for file in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        text = file.read_text() if file.is_file() else ""
        for block in text.split("\n\n"):
            uri = re.search(r"^URIs:\s*(\S+)", block, re.MULTILINE)
            suites = re.search(r"^Suites:(.*)$", block, re.MULTILINE)
            if uri and suites and codename in suites[1].split():
                return uri[1]
        line = re.search(rf"^deb\s+(?:\[[^]]*]\s+)?(\S+)\s+{codename}\s", text, re.MULTILINE)
        if line:
            return line[1]
    return missing(f"needs a Debian mirror with {codename} in /etc/apt/sources.list or sources.list.d")
