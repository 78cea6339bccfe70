"""Logging in: each key in turn, no prompt, and an error that says what to do.

keys.py finds the keys.
"""

from __future__ import annotations

import logging
import os
import shlex
from pathlib import Path

import paramiko
from paramiko.ssh_exception import BadAuthenticationType

from ...errors import Fault, LaunchError
from .config.algorithms import accepts_key
from .config.target import Target
from .keys import candidates

log = logging.getLogger("spe.launch")


def log_in(transport: paramiko.Transport, target: Target) -> None:
    """Log in with the first key that the host takes. Raises LaunchError when it takes none."""
    tried: list[str] = []
    locked: list[Path] = []
    for name, key in candidates(target, locked):
        if not accepts_key(transport, target, key):
            continue
        tried.append(name)
        more = _offer(transport, target, name, key, len(tried))
        if more is None:
            continue
        # A second factor: nobody sits here to type it, and a prompt for each host would never end.
        if more:
            what = f"beside the key it wants {', '.join(more)}"
            raise _no_login(target, what, "spe logs in with keys alone.")
        return
    raise _refused(target, tried, locked)


def _offer(
    transport: paramiko.Transport,
    target: Target,
    name: str,
    key: paramiko.PKey,
    number: int,
) -> list[str] | None:
    """Return what the host wants beside this key, mostly nothing; None when it refuses the key.

    `number`: of the try, from 1. Raises LaunchError when no further key can be tried.
    """
    try:
        return transport.auth_publickey(target.user, key)
    except BadAuthenticationType as error:
        what = f"it allows only {', '.join(error.allowed_types)}"
        raise _no_login(target, what, "spe logs in with keys.") from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        log.debug("%s: %s refused (%s)", target.alias, name, error)
        if "timeout" in str(error).lower():  # paramiko has no class of its own for it
            raise _no_answer(target) from error
        if not transport.is_active():
            raise _hung_up(target, name, number, error) from error
        return None


def _no_answer(target: Target) -> LaunchError:
    return LaunchError(
        Fault.TIMEOUT,
        "connected, but the login was not answered (does its home hang?)",
        where=target.alias,
        todo=f"The machine may hang. Try: ssh -v {target.words}",
        broke_off=True,
    )


def _hung_up(target: Target, name: str, number: int, error: Exception) -> LaunchError:
    """Return the error of a host that closed the connection during the login."""
    # At the first key it cannot have been too many keys (MaxAuthTries).
    if number == 1 or isinstance(error, ConnectionError):
        what = f"while logging in with {name} ({error or 'closed'})"
        todo = f"Try: ssh -v {target.words}"
        return LaunchError(Fault.LOST, what, where=target.alias, todo=todo)
    what = f"it hung up at {name}, after {number} tries ({error})"
    todo = f"Name the right key: IdentityFile and IdentitiesOnly yes in {target.config}."
    return _no_login(target, what, todo)


def _refused(target: Target, tried: list[str], locked: list[Path]) -> LaunchError:
    # Before "no key": ssh-add helps at once, and a new key would not be on the host.
    if locked:
        names = ", ".join(map(str, locked))
        what = f"{names} has a passphrase and no agent holds it"
        return _no_login(target, what, f"Run: {_add_to_agent(target, locked[0])}")
    if not tried:
        file = f" -f {shlex.quote(str(target.keys[0]))}" if _names_keys(target) else ""
        todo = f"ssh-keygen -t ed25519{file}; {_copy_key(target)}"
        return _no_login(target, "there is no key to log in with", todo)
    what = f"{target.user} is refused with {', '.join(tried)}"
    return _no_login(target, what, f"Try: {_copy_key(target)}")


def _names_keys(target: Target) -> bool:
    return target.keys_named and bool(target.keys)


def _copy_key(target: Target) -> str:
    """Return a command line that brings the key to the host with which spe and ssh log in there."""
    # Without -i, ssh-copy-id takes the newest key of ~/.ssh, which the configuration may not name.
    file = f"-i {shlex.quote(str(target.keys[0]))} " if _names_keys(target) else ""
    return f"ssh-copy-id {file}{target.words}"


def _add_to_agent(target: Target, file: Path) -> str:
    """Return a command line that gives the key to the ssh-agent that the host's settings name."""
    command = f"ssh-add {shlex.quote(str(file))}"
    if target.agent in (None, os.environ.get("SSH_AUTH_SOCK")):
        return command
    return f"SSH_AUTH_SOCK={shlex.quote(str(target.agent))} {command}"


def _no_login(target: Target, what: str, todo: str) -> LaunchError:
    return LaunchError(Fault.LOGIN, what, where=target.alias, todo=todo)
