"""What a request shows of who sends it: its token and its version."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...version import __version__
from ..members import Refused


class WrongVersion(Refused):
    """The farm does not speak the version of who asks."""


_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,100}")
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.[\w.+-]{1,40})?")


def token_of(headers: Sequence[str]) -> str:
    """Return the token of the Authorization headers; "" without exactly one that can be right."""
    if len(headers) != 1:
        return ""
    scheme, _, token = headers[0].partition(" ")
    if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
        return ""
    return token


def version_of(agent: str) -> str:
    """Return the version that a User-Agent like `spe/0.2.0` names; "" without one."""
    name, _, version = agent.partition("/")
    return version if name == "spe" else ""


def check_version(theirs: str, ours: str = __version__) -> None:
    """Raise WrongVersion unless the farm speaks this version: its own, or the one before.

    Versions differ in their first two numbers; the third changes nothing that is spoken.
    """
    given, own = _VERSION.fullmatch(theirs), _VERSION.fullmatch(ours)
    assert own is not None
    if given is not None:
        major, minor = int(own[1]), int(own[2])
        if int(given[1]) == major and int(given[2]) in (minor, minor - 1):
            return
    shown = theirs if given is not None else "none"
    raise WrongVersion(
        f"this farm speaks spe {own[1]}.{own[2]} and the version before, not {shown}",
        todo=f"Install spe {own[1]}.{own[2]}.",
    )
