"""What ~/.ssh/config says about a host, as one typed value.

Reading and matching is paramiko's; added here are `Include`, which it does not know, and the meaning of each
option. Options that only a terminal or OpenSSH itself needs are ignored, as ssh ignores what it does not need.
"""

from __future__ import annotations

import functools
import getpass
import glob
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko

from ...errors import ConfigError
from ...model import Host
from ...record import record

SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
USER_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
SYSTEM_HOSTS = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
_JUMP = re.compile(r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?:\[(?P<six>[^]]+)]|(?P<host>[^:/]+))(?::(?P<port>\d+))?/?")
_DEEPEST_INCLUDE = 16  # as OpenSSH
_MOMENT = 2.0  # seconds: files that others include are looked at again after it
_reading = threading.Lock()


@record
class Target:
    """Where to connect, as whom, with what, and by which way."""

    alias: str  # as the user wrote it
    hostname: str
    port: int
    user: str
    keys: tuple[Path, ...]
    keys_named: bool  # IdentityFile was given: a missing one is worth a word
    identities_only: bool
    agent: str | None  # the socket; None: no agent
    timeout: float | None
    proxy_command: str | None
    jumps: tuple[str, ...]  # "[user@]host[:port]", the nearest first
    known_hosts: tuple[Path, ...]  # the first is written to
    system_known_hosts: tuple[Path, ...]
    key_alias: str | None
    accept_new: bool  # StrictHostKeyChecking accept-new, the user's own decision
    hash_names: bool
    family: str  # AddressFamily: any, inet, inet6
    bind: str | None

    @property
    def known_name(self) -> str:
        """The name that known_hosts has for it: an alias stands as it is, another port than 22 is written along."""
        if self.key_alias:
            return self.key_alias
        name = self.hostname.lower()
        return name if self.port == 22 else f"[{name}]:{self.port}"

    def __str__(self) -> str:
        return f"{self.user}@{self.hostname}" + ("" if self.port == 22 else f":{self.port}")


@functools.lru_cache(maxsize=1)
def _parsed(path: Path | None, stamps: tuple[object, ...], moment: int) -> SshConfig:
    return SshConfig(path)


def ssh_config(path: Path | None) -> SshConfig:
    """The configuration as it is now; the many hosts that are started in one moment share one reading."""
    with _reading:
        return _parsed(path, tuple(stamp(file) for file in _files(path)), int(time.monotonic() / _MOMENT))


def _files(path: Path | None) -> list[Path]:
    return [path] if path else [Path.home() / ".ssh" / "config", SYSTEM_CONFIG]


def stamp(file: Path) -> object:
    """Another one when the file was changed."""
    try:
        seen = file.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


class SshConfig:
    """The user's file and then the system's, or only the one that was given, as `ssh -F`."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._config = paramiko.SSHConfig()
        if path is not None and not path.is_file():
            raise ConfigError("no such ssh configuration file", where=str(path), todo="Check the path given with -F.")
        for file in _files(path):
            self._read(file)

    def _read(self, file: Path) -> None:
        if not file.is_file():
            return
        try:
            self._config.parse(_Lines(["Host *", *_expanded(file, 0)]))
        except (OSError, UnicodeError, paramiko.SSHException) as error:
            raise ConfigError(
                f"cannot be read: {error}", where=str(file), todo=f"Try: ssh -G -F {file} HOST"
            ) from error

    def target(self, host: Host) -> Target:
        """What is known about this host; its line in the hosts file wins over the configuration."""
        return self._target(host.name, host.user, host.port)

    def jump(self, spec: str) -> Target:
        """One hop of ProxyJump: `[user@]host[:port]` or `ssh://…`, looked up by its own name."""
        match = _JUMP.fullmatch(spec)
        if match is None:
            raise ConfigError(f"ProxyJump {spec!r} is not [user@]host[:port]", where=str(self.path or "~/.ssh/config"))
        port = match["port"]
        return self._target(match["six"] or match["host"], match["user"], int(port) if port else None)

    def _target(self, name: str, user: str | None, port: int | None) -> Target:
        try:
            said = self._config.lookup(name)
        except (paramiko.SSHException, ImportError, KeyError, ValueError) as error:
            raise ConfigError(
                f"ssh configuration for {name}: {error}",
                where=str(self.path or "~/.ssh/config"),
                todo=f"Try: ssh -G {name}",
            ) from error
        keys = said.get("identityfile")
        words = _Words(said)
        return Target(
            alias=name,
            hostname=said["hostname"],
            port=port or words.number("port") or 22,
            user=user or said.get("user") or getpass.getuser(),
            keys=tuple(_path(key) for key in keys or DEFAULT_KEYS if key != "none"),
            keys_named=bool(keys),
            identities_only=words.yes("identitiesonly"),
            agent=_agent(said.get("identityagent")),
            timeout=words.number("connecttimeout"),
            proxy_command=said.get("proxycommand") if said.get("proxycommand") != "none" else None,
            jumps=words.jumps(),
            known_hosts=words.paths("userknownhostsfile", USER_HOSTS),
            system_known_hosts=words.paths("globalknownhostsfile", SYSTEM_HOSTS),
            key_alias=said.get("hostkeyalias"),
            accept_new=said.get("stricthostkeychecking", "").lower() == "accept-new",
            hash_names=words.yes("hashknownhosts"),
            family=said.get("addressfamily", "any").lower(),
            bind=said.get("bindaddress"),
        )


class _Words:
    """The options of one host, read by kind."""

    def __init__(self, said: paramiko.SSHConfigDict) -> None:
        self._said = said

    def yes(self, key: str) -> bool:
        return self._said.get(key, "no").lower() in ("yes", "true")

    def number(self, key: str) -> int | None:
        text = self._said.get(key, "")
        return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else None

    def paths(self, key: str, default: str) -> tuple[Path, ...]:
        names = re.findall(r'"([^"]+)"|(\S+)', self._said.get(key, default))
        return tuple(_path(quoted or bare) for quoted, bare in names if (quoted or bare).lower() != "none")

    def jumps(self) -> tuple[str, ...]:
        text = self._said.get("proxyjump") or "none"
        return () if text.lower() == "none" else tuple(hop.strip() for hop in text.split(","))


class _Lines:
    """Lines as the file that paramiko wants to iterate."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)


def _expanded(file: Path, depth: int) -> Iterator[str]:
    """The lines of a file with its Includes in place; after one, the block that it stood in goes on."""
    block = "Host *"
    for line in file.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        include = re.match(r"\s*include[\s=]+(.*)", line, re.IGNORECASE)
        if re.match(r"\s*(host|match)[\s=]", line, re.IGNORECASE):
            block = line
        if include is None:
            yield line
        elif depth < _DEEPEST_INCLUDE:
            for name in _included(file, include[1]):
                yield from _expanded(name, depth + 1)
            yield block


def _included(file: Path, patterns: str) -> Iterator[Path]:
    """Relative names are those of ~/.ssh, or of /etc/ssh for the system's file, as ssh_config(5) says."""
    folder = "/etc/ssh" if file.is_relative_to("/etc/ssh") else "~/.ssh"
    for quoted, bare in re.findall(r'"([^"]+)"|(\S+)', patterns):
        pattern = os.path.expanduser(os.path.join(folder, os.path.expanduser(quoted or bare)))
        yield from (Path(name) for name in sorted(glob.glob(pattern)) if Path(name).is_file())


def _path(text: str) -> Path:
    """A path with ~ and the tokens that paramiko leaves in some options."""
    text = text.strip('"').replace("%d", "~")
    return Path(os.path.expanduser(text.replace("%u", getpass.getuser()) if "%u" in text else text))


def _agent(said: str | None) -> str | None:
    """The agent's socket: IdentityAgent, or what the environment says."""
    if said is None or said == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK") or None
    if said.lower() == "none":
        return None
    return os.environ.get(said[1:].strip("{}")) if said.startswith("$") else os.path.expanduser(said.strip('"'))
