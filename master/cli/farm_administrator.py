"""A farm, asked by its administrator: the account that runs it, or a user with that role."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import UsageError
from ..text import span
from ..version import __version__
from .farm_options import farm_option

if TYPE_CHECKING:
    from ..pool.joining.cards import Card

F = TypeVar("F", bound=Callable[..., Any])


def public_option(command: F) -> F:
    """Add --public DIR, the folder in which a farm is found."""
    text = "The farm's folder, if it is another one."
    return click.option("--public", default="", metavar="DIR", help=text)(command)


def check_public(public: str) -> None:
    """Raise UsageError for a folder that is no absolute path."""
    if public and not public.startswith("/"):
        raise UsageError(f"--public {public}: that is no absolute path, such as /srv/spe-farm")


def which_farm(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --public and --farm: a farm of this account here, or one that was joined."""
    return public_option(farm_option(command))


class Administrator:
    """Talks to a farm for one command: to that of this account on this host, or to a joined one."""

    def __init__(self, public: str, srv: str | None) -> None:
        """Get the right to administer. Raises UsageError.

        The account that runs the farm gets it at the farm's socket. Others have the token with
        which they joined; the farm knows who of them is an administrator.
        """
        check_public(public)
        card = None if public else _joined(srv)
        if card is None:
            found = _at_the_socket(public)
            self._token, self.fingerprint = str(found["token"]), str(found["fingerprint"])
            self.port = int(found["urls"][0].rpartition(":")[2])
            # This host last: where the farm says that it listens is certain.
            self._urls = [*found["urls"], f"https://127.0.0.1:{self.port}"]
        else:
            self._token, self.fingerprint, self._urls = card.token, card.fingerprint, card.urls
            self.port = int(card.urls[0].rpartition(":")[2])

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the farm's answer. Raises UsageError."""
        from ..pool.joining.answering import ask_gate

        return ask_gate(self._urls, self.fingerprint, self._token, method, path, body)


def _joined(srv: str | None) -> Card | None:
    """Return the joined farm that is meant; None where one of this account runs here, or none was."""
    from ..pool.joining.cards import chosen_card, load_cards
    from ..pool.service.living import living

    if srv is None and (living() is not None or not load_cards()):
        return None
    return chosen_card(srv)


def _at_the_socket(public: str) -> dict[str, Any]:
    """Return what the socket of this account's farm answers. Raises UsageError."""
    from ..pool.joining import socket_check
    from ..pool.service.living import find_living, own_account, public_folder

    find_living(public)
    request = {"do": "administer", "spe": __version__}
    try:
        found: dict[str, Any] = socket_check.ask(own_account(), str(public_folder(public)), request)
    except socket_check.Doubt as doubt:
        raise UsageError(doubt.args[0], todo=doubt.args[1]) from None
    if "token" not in found:
        raise UsageError(str(found.get("error")), todo=str(found.get("todo", "")))
    return found


def runs_since(since: float) -> str:
    """Return since when a farm runs, as text."""
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since))
    return f"{started}, for {span(max(1.0, time.time() - since))}"
