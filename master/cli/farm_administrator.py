"""The farm of this account, asked as its administrator."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..errors import UsageError
from ..text import span
from ..version import __version__

F = TypeVar("F", bound=Callable[..., Any])


def public_option(command: F) -> F:
    """Add --public DIR, the folder in which a farm is found."""
    text = "The farm's folder, if it is another one."
    return click.option("--public", default="", metavar="DIR", help=text)(command)


def check_public(public: str) -> None:
    """Raise UsageError for a folder that is no absolute path."""
    if public and not public.startswith("/"):
        raise UsageError(f"--public {public}: that is no absolute path, such as /srv/spe-farm")


class Administrator:
    """Talks to the farm of this account on this host, for one command."""

    def __init__(self, public: str) -> None:
        """Get the right to administer from the farm's socket. Raises UsageError."""
        from ..pool.joining import socket_check
        from ..pool.service.living import find_living, own_account, public_folder

        check_public(public)
        find_living(public)
        request = {"do": "administer", "spe": __version__}
        folder = str(public_folder(public))
        try:
            found = socket_check.ask(own_account(), folder, request)
        except socket_check.Doubt as doubt:
            raise UsageError(doubt.args[0], todo=doubt.args[1]) from None
        if "token" not in found:
            raise UsageError(str(found.get("error")), todo=str(found.get("todo", "")))
        self._address = found
        self.fingerprint: str = found["fingerprint"]
        self.port = int(found["urls"][0].rpartition(":")[2])

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the farm's answer. Raises UsageError."""
        from ..pool.joining.answering import ask_gate

        found = self._address
        # This host last: the address of which the farm says that it listens there is certain.
        urls = [*found["urls"], f"https://127.0.0.1:{self.port}"]
        return ask_gate(urls, self.fingerprint, found["token"], method, path, body)


def runs_since(since: float) -> str:
    """Return since when a farm runs, as text."""
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since))
    return f"{started}, for {span(max(1.0, time.time() - since))}"
