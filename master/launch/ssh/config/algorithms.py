"""The methods of encryption that the ssh configuration names, as far as paramiko knows them.

Without such a line paramiko's own lists hold, with AES-GCM first.
"""

from __future__ import annotations

import fnmatch
import socket
from collections.abc import Sequence

import paramiko
from paramiko.transport import SecurityOptions

from .target import Target
from .warn_once import Show, warn_once


def make_transport(
    sock: socket.socket | paramiko.Channel, target: Target, show: Show
) -> paramiko.Transport:
    """Return a transport that offers what the configuration allows. `show`: for warnings."""
    transport = paramiko.Transport(sock)
    refused = [kind for kind in transport.preferred_pubkeys if not _accepts(transport, target, kind)]
    if refused == list(transport.preferred_pubkeys):
        _warn("PubkeyAcceptedAlgorithms", target.key_signatures, show)
        refused = []
    transport.disabled_algorithms = {"pubkeys": refused}
    security = transport.get_security_options()
    # GCM needs no checksum of its own, which paramiko compares byte by byte in Python: with another
    # cipher that comparison is a third of the time of a start.
    security.ciphers = sorted(security.ciphers, key=lambda name: "gcm" not in name)
    for kind, option, said in (
        ("ciphers", "Ciphers", target.ciphers),
        ("digests", "MACs", target.macs),
        ("kex", "KexAlgorithms", target.kex),
        ("key_types", "HostKeyAlgorithms", target.host_keys),
    ):
        if said and not _restrict(security, kind, said):
            _warn(option, said, show)
    return transport


def chosen(said: str, ours: Sequence[str]) -> list[str]:
    """Return the names that a line of the configuration leaves, given the names without it.

    The line is `a,b`, with `*` in names, or changes the names: `+a,b` adds, `-a*` removes, and `^a`
    comes first.
    """
    patterns = said.lstrip("+-^").split(",")
    if said.startswith("-"):
        return [name for name in ours if not _is_one_of(name, patterns)]
    names = [name for pattern in patterns for name in _matching(pattern, ours)]
    if said.startswith("+"):
        return [*ours, *(name for name in names if name not in ours)]
    if said.startswith("^"):
        return [*names, *(name for name in ours if name not in names)]
    return names


def _matching(pattern: str, ours: Sequence[str]) -> list[str]:
    if "*" not in pattern:
        return [pattern]
    return fnmatch.filter(ours, pattern)


def _is_one_of(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _restrict(security: SecurityOptions, kind: str, said: str) -> bool:
    """Set one list of a transport to what the configuration says; return whether any is known."""
    ours = tuple(getattr(security, kind))
    wanted = [name for name in chosen(said, ours) if "cert" not in name]  # of host keys
    known = [name for name in wanted if name in ours or _is_known(security, kind, name)]
    setattr(security, kind, known or ours)
    return bool(known)


def _is_known(security: SecurityOptions, kind: str, name: str) -> bool:
    """Return whether paramiko has this algorithm, which it does not offer by itself."""
    try:
        setattr(security, kind, [name])
    except ValueError:
        return False
    return True


def accepts_key(transport: paramiko.Transport, target: Target, key: paramiko.PKey) -> bool:
    """Return whether PubkeyAcceptedAlgorithms allows this key, or its certificate when it has one."""
    if not (transport.disabled_algorithms or {}).get("pubkeys"):
        return True
    kind = key.get_name()
    if key.public_blob is not None:
        kind = key.public_blob.key_type
    # An RSA key signs with SHA-2; the name of its type is that of the old way.
    kinds = [kind.replace("ssh-rsa", name) for name in ("rsa-sha2-512", "rsa-sha2-256")]
    return any(_accepts(transport, target, name) for name in kinds)


def _accepts(transport: paramiko.Transport, target: Target, kind: str) -> bool:
    """Return whether PubkeyAcceptedAlgorithms allows signatures of this kind."""
    if not target.key_signatures:
        return True
    plain = list(type(transport)._preferred_pubkeys)  # type: ignore[attr-defined]
    ours = [*plain, *(f"{name}-cert-v01@openssh.com" for name in plain)]
    return kind in chosen(target.key_signatures, ours)


def _warn(option: str, said: str, show: Show) -> None:
    what = f"{option} {said} of the ssh configuration: paramiko knows none of these, so it uses its own"
    warn_once(what, show)
