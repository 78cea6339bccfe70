"""Joining by a one-time code, and what administrators do with users."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from ..members import Member, Members
from ..rows import UserRow
from .bodies import user_name
from .heart import Json, Unfit


class SignUp:
    """What is done with the users of one farm over HTTPS."""

    def __init__(self, members: Members, clock: Callable[[], float] = time.time) -> None:
        self._members, self._clock = members, clock
        self._acts: Mapping[str, Callable[[str, Json], dict[str, Any]]] = {
            "add": self._add,
            "enable": lambda name, _: self._shown(self._members.enable(name, True)),
            "disable": lambda name, _: self._shown(self._members.enable(name, False)),
            "share": self._share,
            "forget": lambda name, _: {"ended": self._members.forget(name)},
        }

    def join(self, code: str, body: Json) -> dict[str, Any]:
        """Return the user of a code, and his token. Raises Refused."""
        name, token = self._members.redeem(code, str(body.get("host", "")), self._clock())
        return {"user": name, "token": token}

    def leave(self, member: Member) -> dict[str, Any]:
        """End the token with which somebody has come."""
        self._members.end(member.token)
        return {"ended": 1}

    def listed(self) -> dict[str, Any]:
        """Return all users with their tokens; of a token, its host and its end alone."""
        return {"users": [self._shown(one) for one in self._members.users()]}

    def change(self, body: Json) -> dict[str, Any]:
        """Do {"do": "disable", "name": "ada"} for an administrator. Raises Unfit, Refused."""
        act = self._acts.get(str(body.get("do", "")))
        if act is None:
            raise Unfit(f"`do` is one of {', '.join(self._acts)}")
        return act(user_name(body.get("name")), body)

    def _add(self, name: str, body: Json) -> dict[str, Any]:
        added = self._shown(self._members.add(name))
        if body.get("code") is True:
            added["code"] = self._members.make_code(name, self._clock())
        return added

    def _share(self, name: str, body: Json) -> dict[str, Any]:
        share = body.get("share")
        if not isinstance(share, int | float) or isinstance(share, bool):
            raise Unfit("a share is a number")
        return self._shown(self._members.set_share(name, share))

    def _shown(self, user: UserRow) -> dict[str, Any]:
        tokens = self._members.tokens(user.name)
        return asdict(user) | {"tokens": [{"host": one.host, "until": one.until} for one in tokens]}
