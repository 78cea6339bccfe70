"""Checks `notify:` in spe.yaml: those who are told of a run, and of which events.

spe.yaml is read by others and goes into version control, so no address with a password or a token
may stand here. Such an address has a name in the user's own file, which notify/address_book.py
reads, and spe.yaml has the name. Messages of this file never show an address that is refused.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from ...record import record
from ...text import nearest
from .. import values
from ..keys import Check, Faults, block, key
from ..values import WrongValue, did_you_mean, wrong

#: What people can be told of, in the order in which messages name them.
EVENTS = ("done", "first_failure", "stalled", "given_up")
COMMAND = "cmd:"  # before a command that gets the message
OWN_FILE = "~/.config/spe/notify.yaml"
STALLED_AFTER = 900.0  # seconds; a host may take ten minutes to come up

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*\Z", re.ASCII)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LOOPBACK = re.compile(r"//(?:[^@/]*@)?(?:localhost|127\.0\.0\.1|\[::1\])(?=[:/?#]|\Z)")
_MAILBOX = r"[^\s@,:/?%]+@[^\s@,:/?%]+"
_MAILTO = re.compile(rf"mailto:{_MAILBOX}(?:,{_MAILBOX})*\Z")
# `done=me`: an address has a colon before its first equals sign, a name has no equals sign.
_WITH_EVENTS = re.compile(r"([^=:/@]*)=(.*)\Z", re.DOTALL)
# A part of a path that is no token: short, with words in it and few digits.
_WORD = "[a-z]{1,12}[0-9]{0,4}"
_PLAIN_PART = re.compile(rf"(?:{_WORD}(?:[-_.]{_WORD}){{0,3}})?\Z")
_WANTED = "a name of your own file, mailto:ADDRESS, or cmd: COMMAND"


def _events(value: Any) -> tuple[str, ...]:
    """Return the events of a text or a list of texts. Raises WrongValue for an unknown one."""
    found: list[str] = []
    for word in values.words(value):
        for one in word.split(","):
            event = re.sub("[- ]", "_", one.strip())
            if event not in EVENTS:
                near = did_you_mean(nearest(event, EVENTS))
                raise wrong(one.strip(), ", ".join(EVENTS), todo=near)
            found.append(event)
    if not found:
        raise wrong("", ", ".join(EVENTS))
    return tuple(one for one in EVENTS if one in found)


def _address(value: Any) -> str:
    """Return who is told, in its one way to write it. Raises WrongValue that shows no secret."""
    text = values.text(value, _WANTED).strip()
    if text.startswith(COMMAND):
        command = text.removeprefix(COMMAND).strip()
        if not command:
            raise WrongValue("there is no command after cmd:", 'Write "cmd: COMMAND", in quotes.')
        return f"{COMMAND} {command}"
    if _NAME.match(text) or _MAILTO.match(text):
        return text
    if re.fullmatch(_MAILBOX, text):
        raise WrongValue("this is an e-mail address without mailto:", f"Write mailto:{text}.")
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise wrong(text, _WANTED)
    if _is_plain(text):
        return text
    _check_without_secret(scheme[1].lower(), text[scheme.end() :])
    raise WrongValue(
        f"an address that may hold a password or a token ({scheme[1]}:…) does not belong here: "
        "others read spe.yaml and command lines",
        f"Put it into {OWN_FILE} (mode 0600) as `me: ADDRESS`, and write `notify: me`.",
    )


def _check_without_secret(scheme: str, rest: str) -> None:
    """Raise WrongValue for what is wrong whatever secrets it holds, so that no file helps."""
    if scheme == "mailto" and not rest:
        raise WrongValue("mailto: without an e-mail address", "Write mailto:NAME@HOST.")
    if scheme == "mailto" and "@" not in rest and "?" not in rest and not rest.startswith("//"):
        raise WrongValue("this is no e-mail address after mailto:", "Write mailto:NAME@HOST.")
    if scheme == "http" and not _LOOPBACK.match(rest):
        what = "http: would send the message, and what the address holds, unencrypted"
        raise WrongValue(what, "Write https:.")


def _is_plain(text: str) -> bool:
    """Tell whether this is an https address in which nothing can be a password or a token."""
    try:
        parts = urlsplit(text)
        if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.port == 0:
            return False
    except ValueError:
        return False
    if "?" in text or "#" in text or not text.isascii() or not text.isprintable():
        return False
    return " " not in text and all(map(_PLAIN_PART.match, parts.path.split("/")))


def short_form(text: str) -> tuple[str | None, str]:
    """Return the events of `EVENT,…=TO`, None where it names none, and TO."""
    found = _WITH_EVENTS.match(text)
    return (found[1], found[2]) if found else (None, text)


def _short(value: Any) -> Any:
    """Return `me` and `done=me` as mappings."""
    if isinstance(value, str):
        events, to = short_form(value)
        return {"to": to} if events is None else {"to": to, "on": events}
    if value is None or isinstance(value, (list, tuple)):
        raise wrong(value, f"{_WANTED}; or {{to: …, on: [done]}}")
    if "to" not in value:
        raise WrongValue("there is no `to`", "Write it like {to: me, on: [done, given_up]}.")
    return value


def without_secret(text: str) -> str:
    """Return who is told as it was typed, without what may be a secret in it, for messages."""
    events, to = short_form(text)
    scheme = _SCHEME.match(to)
    if scheme and not to.startswith(COMMAND) and not _MAILTO.match(to) and not _is_plain(to):
        to = f"{scheme[0]}…"
    return to if events is None else f"{events}={to}"


@record
class Recipient:
    """Somebody who is told of a run: by a name of the user's own file, or an address without secrets."""

    to: str = key(_address)
    on: tuple[str, ...] = key(_events, EVENTS)
    after: float = key(values.seconds, STALLED_AFTER)  # seconds without an event: it has stalled


_recipient: Check[Recipient] = block(Recipient, _short)


def recipients(value: Any) -> tuple[Recipient, ...]:
    """Return all who are told: one, or a list."""
    if not isinstance(value, (list, tuple)):
        return (_recipient(value),)
    made: list[Recipient] = []
    found: list[WrongValue] = []
    for at, entry in enumerate(value):
        try:
            made.append(_recipient(entry))
        except Faults as faults:
            found += [one.below(at) for one in faults.found]
        except WrongValue as fault:
            found.append(fault.below(at))
    if found:
        raise Faults(found)
    return tuple(made)
