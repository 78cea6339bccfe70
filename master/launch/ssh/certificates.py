"""Certificates of the user's keys: CertificateFile, and KEY-cert.pub beside a key."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from pathlib import Path

import paramiko
from paramiko.agent import AgentKey

from .config.target import Target

log = logging.getLogger("spe.launch")


def with_each(
    target: Target, name: str, key: paramiko.PKey, file: Path | None
) -> Iterator[tuple[str, paramiko.PKey]]:
    """Yield (name, key) for each certificate of this key. `file`: of the key, None for an agent's."""
    places = list(target.certificates)
    if file is not None:
        places.append(Path(f"{file}-cert.pub"))
    for place in places:
        certified = _certified(key, place)
        if certified is not None:
            yield f"{name} with {place.name}", certified


def _certified(key: paramiko.PKey, place: Path) -> paramiko.PKey | None:
    """Return a copy of the key with the certificate; None when it is absent or of another key."""
    if not place.is_file():
        return None
    if isinstance(key, AgentKey):  # which cannot be copied: it looks up everything in the real key
        made: paramiko.PKey = AgentKey(key.agent, key.blob, key.comment)
    else:
        made = copy.copy(key)
    try:
        made.load_certificate(str(place))
        blob = made.public_blob
        assert blob is not None
        return made if _is_of(key, blob.key_blob) else None
    except (paramiko.SSHException, ValueError, OSError, IndexError) as error:
        log.info("the certificate %s is not used: %s", place, error)
        return None


def _is_of(key: paramiko.PKey, certificate: bytes) -> bool:
    """Return whether the certificate is of this key: it repeats the key's fields after its nonce."""
    message = paramiko.Message(certificate)
    message.get_string()  # the type
    message.get_string()  # the nonce
    public = paramiko.Message(key.asbytes())
    public.get_string()
    return message.get_remainder().startswith(public.get_remainder())
