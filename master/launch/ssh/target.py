"""The settings of ~/.ssh/config for a host, as one typed value.

paramiko reads the file and matches hosts. This module adds `Include`, which paramiko does not know,
and the meaning of each option. Options that only a terminal or OpenSSH itself needs are ignored.
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
_JUMP = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?:\[(?P<six>[^]]+)]|(?P<host>[^:/]+))(?::(?P<port>\d+))?/?"
)
_DEEPEST_INCLUDE = 16  # as OpenSSH
# Seconds that one reading serves: the stamps below miss a change in an included file.
_MOMENT = 2.0
_reading = threading.Lock()
_SSH_PORT = 22
# Names in a list of paths, quoted or not.
_NAMES = re.compile(r'"([^"]+)"|(\S+)')


@record
class Target:
    """Settings of one connection: the address, the user, the keys, and the way there."""

    alias: str  # as the user wrote it
    hostname: str
    port: int
    user: str
    keys: tuple[Path, ...]
    keys_named: bool  # IdentityFile was given, so that a missing file is worth a warning
    identities_only: bool
    agent: str | None  # socket of the ssh-agent; None: do not use one
    timeout: float | None
    proxy_command: str | None
    jumps: tuple[str, ...]  # "[user@]host[:port]", the nearest first
    known_hosts: tuple[Path, ...]  # new keys are written to the first
    system_known_hosts: tuple[Path, ...]
    key_alias: str | None
    accept_new: bool  # StrictHostKeyChecking accept-new, the user's own decision
    hash_names: bool
    family: str  # AddressFamily: any, inet, inet6
    bind: str | None

    @property
    def known_name(self) -> str:
        """The host's name in known_hosts: an alias as it is, else the host name, with an unusual port."""
        if self.key_alias:
            return self.key_alias
        name = self.hostname.lower()
        if self.port == _SSH_PORT:
            return name
        return f"[{name}]:{self.port}"

    def __str__(self) -> str:
        text = f"{self.user}@{self.hostname}"
        if self.port != _SSH_PORT:
            text += f":{self.port}"
        return text


@functools.lru_cache(maxsize=1)
def _parsed(path: Path | None, stamps: tuple[object, ...], moment: int) -> SshConfig:
    return SshConfig(path)


def ssh_config(path: Path | None) -> SshConfig:
    """Return the configuration as it is now; hosts that start within _MOMENT share one reading."""
    with _reading:
        stamps = tuple(stamp(file) for file in _files(path))
        return _parsed(path, stamps, int(time.monotonic() / _MOMENT))


def _files(path: Path | None) -> list[Path]:
    """Return the user's file and then the system's, or only the given one, as `ssh -F` does."""
    if path:
        return [path]
    return [Path.home() / ".ssh" / "config", SYSTEM_CONFIG]


def stamp(file: Path) -> object:
    """Return a value that changes when the file does; None when it is not there."""
    try:
        seen = file.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


class SshConfig:
    """The ssh configuration at one moment: immutable once it is read, shared by many hosts."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._config = paramiko.SSHConfig()
        if path is not None and not path.is_file():
            raise ConfigError(
                "no such ssh configuration file",
                where=str(path),
                todo="Check the path given with -F.",
            )
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
        """Return the settings for this host; its line in the hosts file wins over the configuration."""
        return self._target(host.name, host.user, host.port)

    def jump(self, spec: str) -> Target:
        """Return the settings for one hop of ProxyJump: `[user@]host[:port]` or `ssh://…`.

        The hop is looked up by its own name, as any host.
        """
        match = _JUMP.fullmatch(spec)
        if match is None:
            what = f"ProxyJump {spec!r} is not [user@]host[:port]"
            raise ConfigError(what, where=str(self.path or "~/.ssh/config"))
        port = int(match["port"]) if match["port"] else None
        return self._target(match["six"] or match["host"], match["user"], port)

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
        options = _HostOptions(said)
        return Target(
            alias=name,
            hostname=said["hostname"],
            port=port or options.number("port") or 22,
            user=user or said.get("user") or getpass.getuser(),
            keys=tuple(_path(key) for key in keys or DEFAULT_KEYS if key != "none"),
            keys_named=bool(keys),
            identities_only=options.yes("identitiesonly"),
            agent=_agent(said.get("identityagent")),
            timeout=options.number("connecttimeout"),
            proxy_command=options.command("proxycommand"),
            jumps=options.jumps(),
            known_hosts=options.paths("userknownhostsfile", USER_HOSTS),
            system_known_hosts=options.paths("globalknownhostsfile", SYSTEM_HOSTS),
            key_alias=said.get("hostkeyalias"),
            accept_new=said.get("stricthostkeychecking", "").lower() == "accept-new",
            hash_names=options.yes("hashknownhosts"),
            family=said.get("addressfamily", "any").lower(),
            bind=said.get("bindaddress"),
        )


class _HostOptions:
    """The options of one host, read by the kind of their values."""

    def __init__(self, said: paramiko.SSHConfigDict) -> None:
        self._said = said

    def yes(self, key: str) -> bool:
        return self._said.get(key, "no").lower() in ("yes", "true")

    def command(self, key: str) -> str | None:
        text: str | None = self._said.get(key)
        return None if text == "none" else text

    def number(self, key: str) -> int | None:
        """Return a positive number; None for anything else, such as `ConnectTimeout none`."""
        text = self._said.get(key, "")
        if text.isascii() and text.isdigit():
            return int(text) or None
        return None

    def paths(self, key: str, default: str) -> tuple[Path, ...]:
        names = _split_names(self._said.get(key, default))
        return tuple(_path(name) for name in names if name.lower() != "none")

    def jumps(self) -> tuple[str, ...]:
        text = self._said.get("proxyjump") or "none"
        if text.lower() == "none":
            return ()
        return tuple(hop.strip() for hop in text.split(","))


def _split_names(text: str) -> list[str]:
    return [quoted or bare for quoted, bare in _NAMES.findall(text)]


# A class and not a list: parse() is typed for a file, and iterates over it.
class _Lines:
    """Lines in the form that SSHConfig.parse wants: anything that it can iterate over."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)


def _expanded(file: Path, depth: int) -> Iterator[str]:
    """Yield the lines of a file with its Includes in place.

    After an Include, the Host or Match block around it goes on, so its first line is repeated.
    """
    block = "Host *"
    for line in file.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        include = re.match(r"\s*include[\s=]+(.*)", line, re.IGNORECASE)
        if re.match(r"\s*(host|match)[\s=]", line, re.IGNORECASE):
            block = line
        if include is None:
            yield line
        elif depth < _DEEPEST_INCLUDE:  # a file may include itself
            for name in _included(file, include[1]):
                yield from _expanded(name, depth + 1)
            yield block


def _included(file: Path, patterns: str) -> Iterator[Path]:
    """Yield the files that an Include names.

    Relative names are those of ~/.ssh, or of /etc/ssh for the system's file, as ssh_config(5) says.
    """
    folder = "/etc/ssh" if file.is_relative_to("/etc/ssh") else "~/.ssh"
    for name in _split_names(patterns):
        pattern = os.path.expanduser(os.path.join(folder, os.path.expanduser(name)))
        found = [Path(path) for path in sorted(glob.glob(pattern))]
        yield from filter(Path.is_file, found)


def _path(text: str) -> Path:
    """Return the path, with ~ and the tokens expanded that paramiko leaves in some options."""
    text = text.strip('"').replace("%d", "~")
    if "%u" in text:  # asked only then: an account without a name would raise
        text = text.replace("%u", getpass.getuser())
    return Path(os.path.expanduser(text))


def _agent(said: str | None) -> str | None:
    """Return the ssh-agent's socket: from IdentityAgent, else from the environment."""
    if said is None or said == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK") or None
    if said.lower() == "none":
        return None
    if said.startswith("$"):  # $NAME or ${NAME}
        return os.environ.get(said[1:].strip("{}"))
    return os.path.expanduser(said.strip('"'))
