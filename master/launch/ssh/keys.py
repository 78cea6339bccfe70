"""The keys to log in with: the agent's, then those in files, in the order of ssh.

The user is never asked for a passphrase: the caller gets the names of key files that need one.
"""

from __future__ import annotations

import base64
import binascii
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import paramiko
from paramiko.agent import AgentKey, AgentSSH
from paramiko.ssh_exception import PasswordRequiredException

from .target import Target

log = logging.getLogger("spe.launch")


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

    Files with a passphrase are added to `locked`.
    """
    tried: set[bytes] = set()
    for name, key in _wanted_agent_keys(target):
        tried.add(key.asbytes())
        yield name, key
    for file in target.keys:
        # sshd counts each offer (MaxAuthTries, 6): a key of the agent is not offered again.
        if _public(file) not in tried:
            yield from _file_key(target, file, locked)


def _file_key(
    target: Target, file: Path, locked: list[Path]
) -> Iterator[tuple[str, paramiko.PKey]]:
    found = _load(file, locked)
    if found is not None:
        yield str(file), found
    elif target.keys_named and not file.exists():  # the default names are mostly not there
        log.warning("%s: IdentityFile %s is not there", target.alias, file)


def _wanted_agent_keys(target: Target) -> list[tuple[str, AgentKey]]:
    keys = _agent_keys(target)
    if not target.identities_only:
        return keys
    wanted = {_public(file) for file in target.keys}
    return [(name, key) for name, key in keys if key.asbytes() in wanted]


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


def _public(file: Path) -> bytes | None:
    """Return the public half from FILE.pub; None without that file.

    Loading the key would tell it too, but a key with a passphrase cannot be loaded.
    """
    try:
        return base64.b64decode(Path(f"{file}.pub").read_text().split()[1])
    except (OSError, IndexError, UnicodeError, binascii.Error):
        return None


def _load(file: Path, locked: list[Path]) -> paramiko.PKey | None:
    """Return the key in this file, of any kind, with its certificate when there is one.

    None when there is no such file, when it has a passphrase, or when it cannot be used.
    """
    if not file.is_file():
        return None
    reasons = []
    # paramiko does not guess the kind of a key: each class in turn, the common ones first.
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            key: paramiko.PKey = kind.from_private_key_file(str(file))
        except PasswordRequiredException:
            locked.append(file)
            return None
        except (paramiko.SSHException, ValueError, OSError) as error:
            reasons.append(str(error))
            continue
        return _with_certificate(key, Path(f"{file}-cert.pub"))
    log.warning("the key file %s cannot be used: %s", file, reasons[-1])
    return None


def _with_certificate(key: paramiko.PKey, certificate: Path) -> paramiko.PKey:
    if certificate.is_file():
        key.load_certificate(str(certificate))
    return key
