"""The user's known_hosts files: is this the machine that it was last time?

No option makes spe accept a key that differs from the recorded one. An unknown key is accepted only
when the user said so, and is then recorded. Host certificates (@cert-authority) are not checked:
paramiko does not know them, so such a host counts as unknown until its own key is recorded.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import functools
import hashlib
import hmac
import os
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path

import paramiko

from ...errors import Fault, LaunchError
from ...record import record
from .config.read_files import stamp
from .config.target import Target

_reading = threading.Lock()  # the first of many hosts fills the cache for all
_writing = threading.Lock()  # many hosts are accepted at once; each adds one whole line
_SSH_PORT = 22


@record
class Entry:
    """A line of a known_hosts file: host names, their key, and the place of the line."""

    names: str
    kind: str
    key: bytes
    revoked: bool
    file: Path
    line: int

    def is_for(self, name: str) -> bool:
        """Return whether the line is about this host.

        Patterns may be hashed, have wildcards, and be negated; a negated one that matches decides.
        """
        found = False
        for pattern in self.names.split(","):
            if _matches(pattern.removeprefix("!"), name):
                if pattern.startswith("!"):
                    return False
                found = True
        return found


def entries(target: Target) -> list[Entry]:
    """Return every recorded key of this host."""
    names = [target.known_name]
    if target.port != _SSH_PORT and not target.key_alias:
        # As OpenSSH: a key that is known without the port is good with it.
        names.append(target.hostname.lower())
    with _reading:
        files = target.known_hosts + target.system_known_hosts
        found = [entry for file in files for entry in _read(file, stamp(file))]
    for name in names:
        mine = [entry for entry in found if entry.is_for(name)]
        if mine:
            return mine
    return []


def preferred(known: list[Entry], offered: tuple[str, ...]) -> list[str]:
    """Return the key types in the order to ask for: recorded ones first.

    In another order a host with several keys may show one that is not recorded.
    """
    kinds = {_family(entry.kind) for entry in known}
    return sorted(offered, key=lambda kind: _family(kind) not in kinds)


def _family(kind: str) -> str:
    """Return the same text for all types of one key: rsa-sha2-256 and ssh-rsa sign with the same."""
    return "rsa" if "rsa" in kind else kind


def verify(
    target: Target,
    key: paramiko.PKey,
    known: list[Entry],
    accept_new: bool,
    recorded_only: bool = False,
) -> None:
    """Raise LaunchError unless the key is recorded, or unknown and to be accepted.

    recorded_only: an unknown key is refused, whatever the options and ssh_config say.
    """
    shown = key.asbytes()
    same = [entry for entry in known if entry.key == shown]
    # Revoked wins over recorded: a file may have both lines for one key.
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
        raise _changed(target, key, live[0])
    if recorded_only or not (accept_new or target.accept_new):
        todo = f"Check it with: {_asking(target, recorded_only)}"
        if not recorded_only:
            todo += "    (or give --accept-new-host-keys)"
        raise _fault(target, f"it showed {_fingerprint(key)}", todo, Fault.UNKNOWN_KEY)
    _record(target, key)


def _changed(target: Target, key: paramiko.PKey, entry: Entry) -> LaunchError:
    file = shlex.quote(str(entry.file))
    forget = f"ssh-keygen -R '{target.known_name}' -f {file}"
    return _fault(
        target,
        f"it showed {_fingerprint(key)}, not the key of {_place(entry)}",
        f"If the host was installed anew: {forget}; then {_asking(target)} once. "
        "If not, somebody may be in between.",
        Fault.CHANGED_KEY,
    )


def _asking(target: Target, always: bool = False) -> str:
    """Return a command line of ssh that shows an unknown key and asks about it.

    always: also where ssh_config lets ssh accept it unseen.
    """
    asks = "-o StrictHostKeyChecking=ask " if target.strict or always else ""
    return f"ssh {asks}{target.words}"


def _fault(target: Target, what: str, todo: str, fault: Fault = Fault.HOST_KEY) -> LaunchError:
    return LaunchError(fault, what, where=target.alias, todo=todo)


def _place(entry: Entry) -> str:
    return f"{entry.file}:{entry.line}"


def _fingerprint(key: paramiko.PKey) -> str:
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


# Eight files: two of the user and two of the system, and as many for hosts with their own.
@functools.lru_cache(maxsize=8)
def _read(file: Path, _stamp: object) -> list[Entry]:
    """Return the entries of a file, none when it is not there.

    Cached by its `stamp`: many hosts share one reading, which has thousands of lines in some labs.
    """
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        what = f"{file} cannot be read: {error.strerror}"
        raise LaunchError(Fault.HOST_KEY, what, todo=f"ls -l {shlex.quote(str(file))}") from error
    return list(_entries(file, lines))


def _entries(file: Path, lines: list[str]) -> Iterator[Entry]:
    """Yield the lines that are entries; others are skipped, as ssh does."""
    for number, line in enumerate(lines, 1):
        entry = _entry(file, line, number)
        if entry is not None:
            yield entry


def _entry(file: Path, line: str, number: int) -> Entry | None:
    words = line.split()
    marker = ""
    if line.lstrip().startswith("@"):
        marker = words.pop(0)
    if len(words) < 3 or words[0].startswith("#") or marker == "@cert-authority":
        return None
    try:
        key = base64.b64decode(words[2], validate=True)
    except binascii.Error:
        return None
    return Entry(words[0], words[1], key, marker == "@revoked", file, number)


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith("|1|"):
        return _matches_hash(pattern, name)
    # Compared first: most lines have no wildcard, and fnmatch compiles a regex for each pattern.
    if "*" not in pattern and "?" not in pattern:
        return pattern.lower() == name
    # [host]:port has brackets that fnmatch would read as a set
    return fnmatch.fnmatchcase(name, pattern.lower().replace("[", "[[]"))


def _matches_hash(pattern: str, name: str) -> bool:
    """Return whether the pattern is the salted hash of this name: `|1|SALT|DIGEST`, in base64."""
    try:
        salt, digest = (base64.b64decode(part) for part in pattern[3:].split("|"))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)


def _record(target: Target, key: paramiko.PKey) -> None:
    """Add a line to the user's first file, as ssh does; HashKnownHosts hashes the name."""
    if not target.known_hosts:  # UserKnownHostsFile none
        return
    file = target.known_hosts[0]
    name = target.known_name
    if target.hash_names:
        name = paramiko.HostKeys.hash_host(name)
    line = f"{name} {key.get_name()} {key.get_base64()}\n".encode()
    try:
        with _writing:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _append_line(file, line)
    except OSError as error:
        what = f"its new key cannot be recorded in {file}: {error.strerror}"
        raise _fault(target, what, f"ls -l {shlex.quote(str(file))}") from error


def _append_line(file: Path, line: bytes) -> None:
    """Append a whole line in one write, so that lines of other programs do not mix with it."""
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        end = os.lseek(handle, 0, os.SEEK_END)
        # Edited by hand, the last line may lack its newline: ours would be glued to it.
        if end > 0 and os.pread(handle, 1, end - 1) != b"\n":
            line = b"\n" + line
        os.write(handle, line)
    finally:
        os.close(handle)
