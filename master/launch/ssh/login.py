"""Logging in: each key in turn, no prompt, and a message that says what to do when none is taken.

Which keys there are is keys.py's to find.
"""

from __future__ import annotations

import logging
from pathlib import Path

import paramiko
from paramiko.ssh_exception import BadAuthenticationType

from ...errors import Fault, LaunchError
from .keys import candidates
from .target import Target

log = logging.getLogger("spe.launch")


def log_in(transport: paramiko.Transport, target: Target) -> None:
    """Each key in turn, those of the agent first."""
    tried: list[str] = []
    locked: list[Path] = []
    for name, key in candidates(target, locked):
        tried.append(name)
        rest = _offer(transport, target, name, key, tried)
        if rest is None:
            continue
        if rest:
            raise _no_login(target, f"beside the key it wants {', '.join(rest)}", "spe logs in with keys alone.")
        return
    raise _refused(target, tried, locked)


def _offer(
    transport: paramiko.Transport, target: Target, name: str, key: paramiko.PKey, tried: list[str]
) -> list[str] | None:
    """None: this key is not taken, the next one may be. A list: it is, and what is wanted beside it."""
    try:
        return transport.auth_publickey(target.user, key)
    except BadAuthenticationType as error:
        raise _no_login(target, f"it allows only {', '.join(error.allowed_types)}", "spe logs in with keys.") from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        log.debug("%s: %s refused (%s)", target.alias, name, error)
        if "timeout" in str(error).lower():
            what, todo = (
                "connected, but the login was not answered (does its home hang?)",
                f"The machine may hang. Try: ssh -v {target.alias}",
            )
            raise LaunchError(Fault.TIMEOUT, what, where=target.alias, todo=todo, broke_off=True) from error
        if not transport.is_active():
            if len(tried) == 1 or isinstance(error, ConnectionError):  # too many keys were not what it minded
                what = f"while logging in with {name} ({error or 'closed'})"
                todo = f"Try: ssh -v {target.alias}"
                raise LaunchError(Fault.LOST, what, where=target.alias, todo=todo) from error
            todo = "Name the right key: IdentityFile and IdentitiesOnly yes in ~/.ssh/config."
            raise _no_login(target, f"it hung up at {name}, after {len(tried)} tries ({error})", todo) from error
        return None


def _refused(target: Target, tried: list[str], locked: list[Path]) -> LaunchError:
    if locked:
        names = ", ".join(map(str, locked))
        return _no_login(target, f"{names} has a passphrase and no agent holds it", f"Run: ssh-add {locked[0]}")
    if not tried:
        return _no_login(target, "there is no key to log in with", f"ssh-keygen -t ed25519; ssh-copy-id {target.alias}")
    return _no_login(target, f"{target.user} is refused with {', '.join(tried)}", f"Try: ssh-copy-id {target.alias}")


def _no_login(target: Target, what: str, todo: str) -> LaunchError:
    return LaunchError(Fault.LOGIN, what, where=target.alias, todo=todo)
