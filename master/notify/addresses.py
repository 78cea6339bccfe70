"""An address as the sender needs it: an e-mail, an https address, a command, or one of Apprise.

The texts of addresses hold passwords. They are in memory only; `Address` shows none of them.
"""

from __future__ import annotations

import re
from dataclasses import field
from urllib.parse import parse_qsl, unquote, urlsplit

from ..config.notify.recipients import COMMAND
from ..errors import UsageError
from ..record import Word, record

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_MAILBOX = re.compile(r"[^\s@<>,]+@[^\s@<>,]+\Z")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
SECURITY = ("none", "starttls", "tls")
PORTS = {"none": 25, "starttls": 587, "tls": 465}
OPTIONS = ("smtp", "from", "to", "user", "pass", "mode")
LOCAL = "localhost"  # the mail server of this machine, which wants no password
_MODES = {"insecure": "none", "starttls": "starttls", "ssl": "tls"}


class Kind(Word):
    """The ways in which a message is sent."""

    MAIL = "mail"
    HTTPS = "https"
    COMMAND = "command"
    APPRISE = "Apprise"


@record
class Mail:
    """A mail server, and who writes to whom."""

    to: tuple[str, ...]
    server: str = LOCAL
    port: int = 25
    security: str = "none"
    sender: str = ""
    user: str = ""
    password: str = field(default="", repr=False)


@record
class Address:
    """An address, which is never shown: `name` stands for it."""

    name: str
    kind: Kind
    text: str = field(repr=False)  # the URL, or the command
    mail: Mail | None = field(default=None, repr=False)
    is_private: bool = False  # it is of the user's own file, so nothing that it holds is shown


def address(text: str, name: str, where: str, private: bool = True) -> Address:
    """Return the address in a text.

    `where`: its place, for messages. Raises UsageError, which shows nothing of the text.
    """
    if text.startswith(COMMAND):
        command = text.removeprefix(COMMAND).strip()
        if not command:
            raise UsageError("there is no command after cmd:", where=where)
        return Address(name, Kind.COMMAND, command, is_private=private)
    scheme = _SCHEME.match(text)
    if scheme is None or not text.isprintable():
        todo = "Write mailto:ADDRESS, https://…, cmd: COMMAND, or an address of Apprise."
        raise UsageError("this is no address", where=where, todo=todo)
    word = scheme[1].lower()
    try:
        if word in ("mailto", "mailtos"):
            return Address(name, Kind.MAIL, text, _mail(text, word, where), private)
        parts = urlsplit(text)
        if word in ("http", "https"):
            _check_https(word, parts.hostname, parts.port, where)
            return Address(name, Kind.HTTPS, text, is_private=private)
    except ValueError:
        # Not the words of urlsplit, which may show a part of the address.
        raise UsageError(f"this is no {word} address", where=where) from None
    return Address(name, Kind.APPRISE, text, is_private=private)


def _check_https(word: str, host: str | None, port: int | None, where: str) -> None:
    if not host or port == 0:
        raise ValueError
    if word == "http" and host not in _LOOPBACK:
        what = "http: would send the message, and what the address holds, unencrypted"
        raise UsageError(what, where=where, todo="Write https:.")


def _mail(text: str, word: str, where: str) -> Mail:
    """Return the mail of `mailto:ADDRESS?OPTIONS` or of `mailtos://USER:PASSWORD@SERVER?OPTIONS`."""
    parts = urlsplit(text)
    if "#" in text:
        raise UsageError("write # as %23 in an address", where=where)
    given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    for name in given:
        if name not in OPTIONS:
            what = f"unknown option {name!r} of a mail address"
            raise UsageError(what, where=where, todo=f"There are {', '.join(OPTIONS)}.")
    user = given.get("user") or unquote(parts.username or "")
    host, port = _server(given.get("smtp", ""), where) if "smtp" in given else (parts.hostname or "", parts.port)
    security = _security(given.get("mode"), word, bool(parts.netloc or "smtp" in given), host, where)
    to = given.get("to", "") if parts.netloc else unquote(parts.path)
    mailbox = user if "@" in user else ""
    if user and not mailbox and parts.hostname:
        mailbox = f"{user}@{parts.hostname}"
    chosen = [one.strip() for one in (to or mailbox).split(",")]
    if not all(map(_MAILBOX.match, chosen)):
        raise UsageError("it does not say to whom: to=ADDRESS", where=where)
    sender = given.get("from") or mailbox
    if sender and not _MAILBOX.match(sender):
        raise UsageError("from= is no e-mail address", where=where)
    password = given.get("pass") or unquote(parts.password or "")
    _check_login(user, password, security, host or LOCAL, where)
    return Mail(
        tuple(chosen), host or LOCAL, port or PORTS[security], security, sender, user, password
    )


def _server(text: str, where: str) -> tuple[str, int | None]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.port == 0:
        raise UsageError("smtp= is no server: HOST or HOST:PORT", where=where)
    return parts.hostname, parts.port


def _security(mode: str | None, word: str, has_server: bool, host: str, where: str) -> str:
    """Return how the connection is protected: as `mode` says, else with STARTTLS to all but localhost."""
    if mode is not None:
        if mode not in _MODES:
            what = f"mode={mode} is none of {', '.join(_MODES)}"
            raise UsageError(what, where=where)
        return _MODES[mode]
    if word == "mailtos" or (has_server and host not in _LOOPBACK):
        return "starttls"
    return "none"


def _check_login(user: str, password: str, security: str, host: str, where: str) -> None:
    if bool(password) and not user:
        raise UsageError("it has a password and no user", where=where)
    if password and security == "none" and host not in _LOOPBACK:
        what = "mode=insecure would send the password unencrypted"
        raise UsageError(what, where=where, todo="Write mode=starttls or mode=ssl.")
