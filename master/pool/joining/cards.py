"""What a user keeps of each farm: token, pinned address, and the hosts that he accepts.

One file a farm and host: ~/.config/spe/farms/ID@HOST.json, 0600 in a folder of 0700.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from ...errors import UsageError
from ...record import record
from ...session.run_folder import private_write
from ..texts import is_host_name, is_user_name
from .knocking import own_name

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_URL = re.compile(r"https://(?:[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\]):\d{1,5}")
LARGEST_PORT = 65535
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,100}")


@record
class Card:
    """A farm that was joined. accepted: host names; patterns: of names that are accepted later."""

    farm: str
    srv: str
    account: str
    public: str
    urls: list[str]
    fingerprint: str
    user: str
    token: str
    host: str
    accepted: list[str]
    patterns: list[str]

    def accepts(self, name: object) -> bool:
        """Tell whether clients may be started on what a farm says is the name of a host."""
        if not is_host_name(name):
            return False  # `lab*` is also like `lab:22` and `lab -oProxyCommand=…`
        return name in self.accepted or self.matches(str(name))

    def matches(self, name: str) -> bool:
        """Tell whether a name is like one of the patterns.

        No wildcard stands for a dot: who accepts `lab*` does not mean lab.example.com.
        """
        dots = name.count(".")
        return any(fnmatchcase(name, one) and one.count(".") == dots for one in self.patterns)


def folder() -> Path:
    """Return where the cards lie."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(base) / "spe" / "farms"


def load_cards() -> list[Card]:
    """Return all farms that were joined on this host. Raises UsageError for a damaged file."""
    return [_load(path) for path in sorted(folder().glob(f"*@{own_name()}.json"))]


def load_card(farm: str, host: str) -> Card | None:
    """Return the card of a farm on one host as it is now. Raises UsageError for a damaged file."""
    path = _path(farm, host)
    return _load(path) if path.exists() else None


def _path(farm: str, host: str) -> Path:
    # A token is bound to one host, and several hosts may share this folder.
    return folder() / f"{farm}@{host}.json"


def find_card(srv: str) -> Card | None:
    """Return the farm of this name or ID. Raises UsageError."""
    return next((one for one in load_cards() if srv in (one.srv, one.farm)), None)


def chosen_card(srv: str | None) -> Card:
    """Return the farm of this name or ID; without one, the only farm that was joined.

    Raises UsageError.
    """
    cards = load_cards()
    if srv is not None:
        found = next((one for one in cards if srv in (one.srv, one.farm)), None)
        if found is None:
            todo = f"Join it: spe farm join {srv}"
            raise UsageError("you have not joined this farm", where=srv, todo=todo)
        return found
    if not cards:
        todo = "Join one: spe farm join SRV"
        raise UsageError("you have not joined a farm on this machine", todo=todo)
    if len(cards) > 1:
        named = ", ".join(one.srv for one in cards)
        todo = f"Name one: --farm {cards[0].srv}"
        raise UsageError(f"you have joined several farms: {named}", todo=todo)
    return cards[0]


def _load(path: Path) -> Card:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Card(**{name: found[name] for name in Card.__dataclass_fields__})
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        todo = "Remove the file and join the farm again."
        raise UsageError(f"the file cannot be read: {error}", where=str(path), todo=todo) from None


def save_card(card: Card) -> None:
    """Store a card. Raises UsageError."""
    where = folder()
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        where.chmod(0o700)
        private_write(_path(card.farm, card.host), json.dumps(asdict(card), indent=1) + "\n")
    except OSError as error:
        raise UsageError(
            f"the token cannot be stored: {error.strerror}", where=str(where)
        ) from None


def remove_card(card: Card) -> None:
    """Forget a farm on this host."""
    _path(card.farm, card.host).unlink(missing_ok=True)


def checked_answer(answer: dict[str, Any], srv: str) -> dict[str, Any]:
    """Return the words of a farm's answer that are kept. Raises UsageError."""
    urls = answer.get("urls")
    whole = {word: str(answer.get(word, "")) for word in ("farm", "fingerprint", "user", "token")}
    is_right = (
        are_addresses(urls)
        and _ID.fullmatch(whole["farm"])  # it becomes the name of a file
        and _FINGERPRINT.fullmatch(whole["fingerprint"])
        and _TOKEN.fullmatch(whole["token"])
        and is_user_name(whole["user"])  # it is printed
    )
    if not is_right:
        raise UsageError(
            "the farm's answer has no proper address", where=srv, todo="Ask its administrator."
        )
    return {**whole, "urls": urls}


def are_addresses(urls: object) -> TypeGuard[list[str]]:
    """Tell whether these are the addresses of a gate."""
    if not isinstance(urls, list) or not 0 < len(urls) <= 10:
        return False
    return all(isinstance(one, str) and _is_address(one) for one in urls)


def _is_address(url: str) -> bool:
    """Tell whether this is an address of a gate that can be asked."""
    if not _URL.fullmatch(url):
        return False
    try:
        return 0 < (urlsplit(url).port or 0) <= LARGEST_PORT
    except ValueError:  # more than a port can be, or brackets around what is no address
        return False


def earlier_card(farm: str, fingerprint: str, srv: str, account: str) -> Card | None:
    """Return the card of a farm that was joined before, here or on a host that shares the home.

    Raises UsageError for a changed key.
    A farm whose registry came from a backup has another ID and the same key. Its card keeps the
    first ID, by which the orders of its jobs are found.
    """
    cards = load_cards() + [_load(path) for path in sorted(folder().glob("*@*.json"))]
    old = next((one for one in cards if one.farm == farm), None)
    if old is None:
        known = (srv, account, fingerprint)
        same = (one for one in cards if (one.srv, one.account, one.fingerprint) == known)
        return next(same, None)
    if old.fingerprint != fingerprint:
        todo = (
            "Ask its administrator whether that is right. If it is: spe farm leave "
            f"{old.srv} --anyway, then join again."
        )
        raise UsageError("the key of this farm has changed", where=srv, todo=todo)
    return old
