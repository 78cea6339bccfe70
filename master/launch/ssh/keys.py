"""The keys to log in with: the agent's, then those in files, in the order of ssh.

The user is never asked for a passphrase: the caller gets the names of key files that need one.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import paramiko
from paramiko.agent import AgentKey, AgentSSH
from paramiko.ssh_exception import PasswordRequiredException

from . import certificates
from .config.target import Target

log = logging.getLogger("spe.launch")

_MAGIC = b"openssh-key-v1\0"


class _Agent(AgentSSH):
    """An ssh-agent at a socket of our choice (IdentityAgent).

    paramiko.Agent knows only the socket that the environment names.
    """

    def __init__(self, path: str, limit: float = 30.0) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(limit)  # the agent may hang, or wait for a click
        try:
            connection.connect(path)
            self._connect(connection)  # type: ignore[attr-defined]  # the stubs leave it out
        except BaseException:
            connection.close()
            raise


def candidates(target: Target, locked: list[Path]) -> Iterator[tuple[str, paramiko.PKey]]:
    """Yield (name, key) to try, each only when it is needed.

    Files with a passphrase are added to `locked`. A key with a certificate comes twice: an sshd that
    does not take the certificate may take the key.
    """
    tried: set[bytes] = set()
    for name, key in _wanted_agent_keys(target):
        tried.add(key.asbytes())
        yield from certificates.with_each(target, name, key, None)
        yield name, key
    for file in target.keys:
        # sshd counts each offer (MaxAuthTries, 6): a key of the agent is not offered again.
        if public_half(file) not in tried:
            yield from _file_key(target, file, locked)


def _file_key(
    target: Target, file: Path, locked: list[Path]
) -> Iterator[tuple[str, paramiko.PKey]]:
    found = _load(file, locked, target.keys_named)
    if found is not None:
        yield from certificates.with_each(target, str(file), found, file)
        yield str(file), found
    elif target.keys_named and not file.exists():  # the default names are mostly not there
        log.warning("%s: IdentityFile %s is not there", target.alias, file)


def _wanted_agent_keys(target: Target) -> list[tuple[str, AgentKey]]:
    """Return the agent's keys in the order of ssh: first those of which the files are named.

    Of an agent with many keys the host would else refuse too many before the right one.
    """
    keys = _agent_keys(target)
    places = {public_half(file): number for number, file in reversed([*enumerate(target.keys)])}
    named = [pair for pair in keys if pair[1].asbytes() in places]
    named.sort(key=lambda pair: places[pair[1].asbytes()])
    if target.identities_only:
        return named
    return named + [pair for pair in keys if pair[1].asbytes() not in places]


def _agent_keys(target: Target) -> list[tuple[str, AgentKey]]:
    if not target.agent:
        return []
    try:
        keys = _Agent(target.agent).get_keys()
    except (OSError, paramiko.SSHException) as error:
        # No error: keys in files may do, and a stale SSH_AUTH_SOCK is common after a reconnect.
        log.info("%s: the agent at %s does not answer (%s)", target.alias, target.agent, error)
        return []
    return [(f"agent key {key.comment or key.get_name()}", key) for key in keys]


def public_half(file: Path) -> bytes | None:
    """Return the public half of a key; None when it cannot be told.

    It is in FILE.pub, in FILE itself when that is a public key (its other half is with the agent),
    or at the beginning of FILE, also when the rest has a passphrase.
    """
    for text in (_text(file), _text(Path(f"{file}.pub"))):
        words = text.split(None, 2)
        if len(words) > 1 and not text.startswith("-"):
            with contextlib.suppress(binascii.Error):
                return base64.b64decode(words[1], validate=True)
    return _public_part(_text(file))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _public_part(text: str) -> bytes | None:
    """Return the public part of a private key in OpenSSH's own format: PROTOCOL.key of OpenSSH."""
    lines = text.strip().splitlines()
    if not lines or lines[0] != "-----BEGIN OPENSSH PRIVATE KEY-----":
        return None
    try:
        message = paramiko.Message(base64.b64decode("".join(lines[1:-1])))
    except binascii.Error:
        return None
    if message.get_bytes(len(_MAGIC)) != _MAGIC:
        return None
    for _ in range(3):  # cipher, method and options of the passphrase
        message.get_string()
    message.get_int()  # number of keys: always 1
    return message.get_string()


def _load(file: Path, locked: list[Path], named: bool) -> paramiko.PKey | None:
    """Return the key in this file, of any kind.

    None when there is no such file, when it has a passphrase, or when it cannot be used.
    """
    # A public key alone is for a key of the agent.
    if not file.is_file() or _text(file).startswith(("ssh-", "ecdsa-", "sk-")):
        return None
    reasons = []
    # paramiko does not guess the kind of a key: each class in turn, the common ones first.
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key_file(str(file))
        except PasswordRequiredException:
            locked.append(file)
            return None
        except (paramiko.SSHException, ValueError, OSError) as error:
            reasons.append(str(error))
    # A default name, such as of a key that needs its hardware, is mostly not the one that is needed.
    level = logging.WARNING if named else logging.INFO
    log.log(level, "the key file %s cannot be used: %s", file, reasons[-1])
    return None
