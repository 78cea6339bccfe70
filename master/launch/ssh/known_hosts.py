"""The user's known_hosts files: is this the machine that it was last time?

A key that is not the recorded one is never accepted, by no option. An unknown one is accepted only when the
user said so, and is then recorded. Host certificates (@cert-authority) are not checked: paramiko does not
know them, so such a host counts as unknown until its own key is recorded.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import functools
import hashlib
import hmac
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import paramiko

from ...errors import Fault, LaunchError
from ...record import record
from .target import Target, stamp

_reading = threading.Lock()  # the first of many hosts reads for all
_writing = threading.Lock()  # many hosts are accepted at once; each adds one whole line


@record
class Entry:
    """One line: whose key, which, and where it stands."""

    names: str
    kind: str
    key: bytes
    revoked: bool
    file: Path
    line: int

    def is_for(self, name: str) -> bool:
        """Patterns may be hashed, have wildcards, and be negated; a negated one that matches decides."""
        found = False
        for pattern in self.names.split(","):
            if _matches(pattern.removeprefix("!"), name):
                if pattern.startswith("!"):
                    return False
                found = True
        return found


def entries(target: Target) -> list[Entry]:
    """Every recorded key of this host."""
    names = [target.known_name]
    if target.port != 22 and not target.key_alias:
        names.append(target.hostname.lower())  # as OpenSSH: a key known without the port is good with it
    with _reading:
        found = [e for file in target.known_hosts + target.system_known_hosts for e in _read(file, stamp(file))]
    for name in names:
        mine = [entry for entry in found if entry.is_for(name)]
        if mine:
            return mine
    return []


def preferred(known: list[Entry], offered: tuple[str, ...]) -> list[str]:
    """The key types in the order to ask for: those that are recorded first, else a host shows one we cannot check."""
    kinds = {"rsa" if "rsa" in entry.kind else entry.kind for entry in known}
    return sorted(offered, key=lambda kind: ("rsa" if "rsa" in kind else kind) not in kinds)


def verify(target: Target, key: paramiko.PKey, known: list[Entry], accept_new: bool) -> None:
    """Raises LaunchError unless the key is recorded, or unknown and to be accepted."""
    shown = key.asbytes()
    same = [entry for entry in known if entry.key == shown]
    if any(entry.revoked for entry in same):
        raise _fault(
            target,
            f"the key that it showed is marked as revoked in {_place(same[0])}",
            "Do not connect; ask who runs that host.",
        )
    if same:
        return
    live = [entry for entry in known if not entry.revoked]
    if live:
        raise _fault(
            target,
            f"it showed {_fingerprint(key)}, not the key of {_place(live[0])}",
            f"If the host was installed anew: ssh-keygen -R '{target.known_name}' -f {live[0].file}; "
            f"then ssh {target.alias} once. If not, somebody may be in between.",
            Fault.CHANGED_KEY,
        )
    if not (accept_new or target.accept_new):
        raise _fault(
            target,
            f"it showed {_fingerprint(key)}",
            f"Check it with: ssh {target.alias}    (or give --accept-new-host-keys)",
            Fault.UNKNOWN_KEY,
        )
    _record(target, key)


def _fault(target: Target, what: str, todo: str, fault: Fault = Fault.HOST_KEY) -> LaunchError:
    return LaunchError(fault, what, where=target.alias, todo=todo)


def _place(entry: Entry) -> str:
    return f"{entry.file}:{entry.line}"


def _fingerprint(key: paramiko.PKey) -> str:
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


@functools.lru_cache(maxsize=8)
def _read(file: Path, _stamp: object) -> list[Entry]:
    """The entries of a file, read once for many hosts while it is the same. One that is not there has none."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise LaunchError(Fault.HOST_KEY, f"{file} cannot be read: {error.strerror}", todo=f"ls -l {file}") from error
    return list(_entries(file, lines))


def _entries(file: Path, lines: list[str]) -> Iterator[Entry]:
    """The lines that are entries; others are skipped as ssh skips them."""
    for number, line in enumerate(lines, 1):
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#") or marker == "@cert-authority":
            continue
        try:
            key = base64.b64decode(words[2], validate=True)
        except binascii.Error:
            continue
        yield Entry(words[0], words[1], key, marker == "@revoked", file, number)


def _matches(pattern: str, name: str) -> bool:
    if not pattern.startswith("|1|"):
        if "*" not in pattern and "?" not in pattern:
            return pattern.lower() == name
        # [host]:port has brackets that fnmatch would read as a set
        return fnmatch.fnmatchcase(name, pattern.lower().replace("[", "[[]"))
    try:
        salt, digest = (base64.b64decode(part) for part in pattern[3:].split("|"))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)


def _record(target: Target, key: paramiko.PKey) -> None:
    """Adds one line to the user's first file, as ssh does, its name hashed if HashKnownHosts says so."""
    if not target.known_hosts:
        return
    file, name = target.known_hosts[0], target.known_name
    shown = paramiko.HostKeys.hash_host(name) if target.hash_names else name
    line = f"{shown} {key.get_name()} {key.get_base64()}\n".encode()
    try:
        with _writing:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                end = os.lseek(handle, 0, os.SEEK_END)
                torn = end > 0 and os.pread(handle, 1, end - 1) != b"\n"  # somebody's last line has no end
                os.write(handle, (b"\n" if torn else b"") + line)
            finally:
                os.close(handle)
    except OSError as error:
        raise _fault(target, f"its new key cannot be recorded in {file}: {error.strerror}", f"ls -l {file}") from error
