"""The methods of encryption that the ssh configuration names, as far as paramiko knows them.

Without such a line paramiko's own lists hold, with AES-GCM first.
"""

from __future__ import annotations

import fnmatch
import logging
import socket
from collections.abc import Sequence

import paramiko
from paramiko.transport import SecurityOptions

from .target import Target

log = logging.getLogger("spe.launch")

_warned: set[str] = set()


def make_transport(sock: socket.socket | paramiko.Channel, target: Target) -> paramiko.Transport:
    """Return a transport that offers what the configuration allows."""
    transport = paramiko.Transport(sock)
    allowed = _allowed_signatures(transport, target)
    refused = [kind for kind in transport.preferred_pubkeys if kind not in allowed]
    transport.disabled_algorithms = {"pubkeys": refused}
    security = transport.get_security_options()
    # GCM needs no checksum of its own, which paramiko compares byte by byte in Python: with another
    # cipher that comparison is a third of the time of a start.
    security.ciphers = sorted(security.ciphers, key=lambda name: "gcm" not in name)
    _restrict(security, "ciphers", "Ciphers", target.ciphers)
    _restrict(security, "digests", "MACs", target.macs)
    _restrict(security, "kex", "KexAlgorithms", target.kex)
    _restrict(security, "key_types", "HostKeyAlgorithms", target.host_keys)
    return transport


def chosen(said: str, ours: Sequence[str]) -> list[str]:
    """Return the names that a line like `+a,b`, `-a*`, `^a` or `a,b` leaves, given the names without it."""
    names = said.lstrip("+-^").split(",")
    if said.startswith("+"):
        return [*ours, *(name for name in names if name not in ours)]
    if said.startswith("-"):
        return [name for name in ours if not any(fnmatch.fnmatchcase(name, one) for one in names)]
    if said.startswith("^"):
        return [*names, *(name for name in ours if name not in names)]
    return names


def _restrict(security: SecurityOptions, kind: str, option: str, said: str) -> None:
    """Set one list of a transport to what the configuration says."""
    if not said:
        return
    ours = tuple(getattr(security, kind))
    wanted = [name for name in chosen(said, ours) if "cert" not in name]  # of host keys
    known = [name for name in wanted if name in ours or _is_known(security, kind, name)]
    if known:
        setattr(security, kind, known)
        return
    setattr(security, kind, ours)
    _warn(f"{option} {said} of the ssh configuration: paramiko knows none of these, so it uses its own")


def _is_known(security: SecurityOptions, kind: str, name: str) -> bool:
    """Return whether paramiko has this algorithm, which it does not offer by itself."""
    try:
        setattr(security, kind, [name])
    except ValueError:
        return False
    return True


def accepts_key(transport: paramiko.Transport, target: Target, key: paramiko.PKey) -> bool:
    """Return whether PubkeyAcceptedAlgorithms allows this key, or its certificate when it has one."""
    kind = key.get_name()
    if key.public_blob is not None:
        kind = key.public_blob.key_type
    # An RSA key signs with SHA-2; the name of its type is that of the old way.
    kinds = [kind.replace("ssh-rsa", name) for name in ("rsa-sha2-512", "rsa-sha2-256")]
    return any(name in _allowed_signatures(transport, target) for name in kinds)


def _allowed_signatures(transport: paramiko.Transport, target: Target) -> list[str]:
    plain = list(type(transport)._preferred_pubkeys)  # type: ignore[attr-defined]
    ours = [*plain, *(f"{kind}-cert-v01@openssh.com" for kind in plain)]
    if not target.key_signatures:
        return ours
    allowed = [kind for kind in chosen(target.key_signatures, ours) if kind in ours]
    if not allowed:
        _warn(
            f"PubkeyAcceptedAlgorithms {target.key_signatures} of the ssh configuration: "
            "paramiko knows none of these, so it uses its own"
        )
    return allowed or ours


def _warn(text: str) -> None:
    """Tell the user once, not once for each host."""
    if text not in _warned:
        _warned.add(text)
        log.warning("%s", text)
