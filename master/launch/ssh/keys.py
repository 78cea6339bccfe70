"""The keys to log in with: those of the agent, then those in files, as ssh orders them.

A key file with a passphrase that no agent holds is named to the caller, never asked about.
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
    """The agent at a socket of our choice (IdentityAgent); paramiko's own knows only the environment's."""

    def __init__(self, path: str, limit: float = 30.0) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(limit)  # an agent that hangs, or waits for a click, does not hold us for ever
        try:
            connection.connect(path)
            self._connect(connection)  # type: ignore[attr-defined]  # the stubs leave it out
        except BaseException:
            connection.close()
            raise


def candidates(target: Target, locked: list[Path]) -> Iterator[tuple[str, paramiko.PKey]]:
    """(name, key) to try, lazily; files with a passphrase are added to `locked`."""
    wanted = {blob: file for file in target.keys if (blob := _public(file))}
    held: set[bytes] = set()
    for name, key in _agent_keys(target):
        if not target.identities_only or key.asbytes() in wanted:
            held.add(key.asbytes())
            yield name, key
    for file in target.keys:
        if _public(file) in held:
            continue  # the agent had it
        found = _load(file, locked)
        if found is not None:
            yield str(file), found
        elif target.keys_named and not file.exists():
            log.warning("%s: IdentityFile %s is not there", target.alias, file)


def _agent_keys(target: Target) -> list[tuple[str, AgentKey]]:
    if not target.agent:
        return []
    try:
        keys = _Agent(target.agent).get_keys()
    except (OSError, paramiko.SSHException) as error:
        log.info("%s: the agent at %s does not answer (%s)", target.alias, target.agent, error)
        return []
    return [(f"agent key {key.comment or key.get_name()}", key) for key in keys]


def _public(file: Path) -> bytes | None:
    """The public half, from FILE.pub; without that file we know it only by loading the key."""
    try:
        return base64.b64decode(Path(f"{file}.pub").read_text().split()[1])
    except (OSError, IndexError, UnicodeError, binascii.Error):
        return None


def _load(file: Path, locked: list[Path]) -> paramiko.PKey | None:
    """A key of any kind, with its certificate beside it if there is one."""
    if not file.is_file():
        return None
    reasons = []
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            key: paramiko.PKey = kind.from_private_key_file(str(file))
        except PasswordRequiredException:
            locked.append(file)
            return None
        except (paramiko.SSHException, ValueError, OSError) as error:
            reasons.append(str(error))
            continue
        certificate = Path(f"{file}-cert.pub")
        if certificate.is_file():
            key.load_certificate(str(certificate))
        return key
    log.warning("the key file %s cannot be used: %s", file, reasons[-1])
    return None
