"""Who is a user of the farm: users, tokens, and one-time codes, in memory.

Nothing here does I/O, and time is an argument: seconds since 1970. Each change is remembered as
rows, which the registry commits.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..errors import SpeError
from ..record import record
from .rows import Role, TokenRow, UserRow
from .texts import is_host_name, is_user_name
from .users_file import is_person

DAY = 86400.0
LIFETIME = 90 * DAY  # of a token that is not used
RENEWED = DAY  # a token is renewed at most this often: each renewal is a commit
CODE_LIFETIME = 3600.0
MOST_TOKENS = 100  # of one user, who has one on each of his hosts
MOST_CODES = 1000
ADMINISTRATOR = "the administrator"  # no name of a user, since it has a blank


class Refused(SpeError):
    """The farm does not let somebody in: `what` says why."""


@record
class Member:
    """A user, and the token with which he has come."""

    user: UserRow
    token: TokenRow


@record
class Changes:
    """Rows to be saved and to be removed, in one commit."""

    save: tuple[UserRow | TokenRow, ...] = ()
    remove: tuple[UserRow | TokenRow, ...] = ()


@record
class _Code:
    user: str
    until: float


def digest(secret: str) -> str:
    """Return what is stored of a token or code."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Members:
    """The users of one farm. Codes live in memory alone: a restart of the farm ends them."""

    def __init__(
        self,
        users: Iterable[UserRow] = (),
        tokens: Iterable[TokenRow] = (),
        *,
        anyone: bool = False,
    ) -> None:
        """anyone: accounts of people become users when they first join."""
        self.anyone = anyone
        self._users = {one.name: one for one in users}
        self._tokens = {one.sha256: one for one in tokens}
        self._codes: dict[str, _Code] = {}
        # The token of the farm's own account, which the socket gives to it alone. It is stored
        # nowhere, and the account is no user by it: it takes no share.
        self._own = secrets.token_urlsafe(32)
        # Key of a row -> the row to save, or to remove
        self._saved: dict[tuple[str, str], UserRow | TokenRow] = {}
        self._removed: dict[tuple[str, str], UserRow | TokenRow] = {}

    # -- users

    def user(self, name: str) -> UserRow | None:
        """Return a user by name."""
        return self._users.get(name)

    def users(self) -> list[UserRow]:
        """Return all users by name."""
        return sorted(self._users.values(), key=lambda one: one.name)

    def add(self, name: str) -> UserRow:
        """Return the user of this name, who is added when missing. Raises Refused."""
        if not is_user_name(name):
            raise Refused(f"{name[:100]!r} is no name of a user")
        return self._users.get(name) or self._save_user(UserRow(name))

    def enable(self, name: str, enabled: bool) -> UserRow:
        """Enable or disable a user: jobs of a disabled one wait. Raises Refused."""
        return self._save_user(replace(self._known(name), enabled=enabled))

    def set_share(self, name: str, share: float) -> UserRow:
        """Change the share of a user. Raises Refused."""
        if not 0 < share <= 1e6:
            raise Refused("a share is a number above 0")
        return self._save_user(replace(self._known(name), share=float(share)))

    def take_over(self, listed: Sequence[UserRow]) -> None:
        """Make the users those of a users file. Use and settings of known ones stay.

        Users that the file does not name any more are disabled and lose their tokens: their rows
        stay, because jobs and the ledger name them.
        """
        names = {row.name for row in listed}
        for row in listed:
            old = self._users.get(row.name)
            if old is not None:
                row = replace(old, role=row.role, share=row.share, groups=row.groups, also=row.also)
            if row != old:
                self._save_user(row)
        for name in self._users.keys() - names:
            if self._users[name].enabled or self.tokens(name):
                # Not an administrator any more either, should somebody enable him again.
                gone = replace(self._users[name], enabled=False, role=Role.MEMBER)
                self._save_user(gone)
                self.forget(name)

    def welcome(self, name: str, uid: int, shell: str) -> UserRow:
        """Return the user whom the kernel has named. Raises Refused: unknown, disabled."""
        user = self._users.get(name)
        if user is None and self.anyone and is_user_name(name) and is_person(uid, shell):
            user = self._newcomer(name)
        return self._admitted(name, user)

    def _newcomer(self, name: str) -> UserRow:
        """Return a new user. Raises Refused when the name is the other name of a user."""
        for one in self._users.values():
            if name in one.also.split():
                todo = f"Join as {one.name}."
                raise Refused(f"{name} is another name of {one.name}", todo=todo)
        return self._save_user(UserRow(name))

    def _admitted(self, name: str, user: UserRow | None) -> UserRow:
        if user is None:
            todo = f"Ask its administrator: spe farm users add {name}"
            raise Refused(f"{name} is not a user of this farm", todo=todo)
        if not user.enabled:
            todo = f"Ask its administrator: spe farm users enable {name}"
            raise Refused(f"{name} is disabled in this farm", todo=todo)
        return user

    def _known(self, name: str) -> UserRow:
        user = self._users.get(name)
        if user is None:
            raise Refused(f"there is no user {name[:100]!r}")
        return user

    # -- tokens

    def tokens(self, name: str) -> list[TokenRow]:
        """Return the tokens of a user, by host."""
        found = [one for one in self._tokens.values() if one.user == name]
        return sorted(found, key=lambda one: one.host)

    def issue(self, name: str, host: str, now: float) -> str:
        """Return a new token of a user for one host; it ends his older one there. Raises Refused."""
        user = self._admitted(name, self._users.get(name))
        if not is_host_name(host):
            raise Refused(f"{host[:100]!r} is no host name")
        others = [one for one in self.tokens(user.name) if one.host != host]
        if len([one for one in others if one.until > now]) >= MOST_TOKENS:
            todo = f"End them: spe farm users forget {name}"
            raise Refused(f"{name} has tokens on {MOST_TOKENS} hosts already", todo=todo)
        for one in self.tokens(user.name):
            if one.host == host or one.until <= now:
                self._remove_token(one)
        token = secrets.token_urlsafe(32)
        self._save_token(TokenRow(digest(token), user.name, host, now + LIFETIME))
        return token

    def bearer(self, token: str, now: float) -> Member | None:
        """Return who has come with this token, which is renewed by that; None for a wrong one.

        The digest is looked up in a dict, not compared in constant time: how long the look takes
        could tell something about digests, from which nobody can find a token.
        """
        if digest(token) == digest(self._own):
            return Member(UserRow(ADMINISTRATOR, Role.ADMIN), self._own_row())
        row = self._tokens.get(digest(token))
        user = None if row is None else self._users.get(row.user)
        if row is None or user is None or row.until <= now:
            return None
        if now + LIFETIME - row.until >= RENEWED:
            row = self._save_token(replace(row, until=now + LIFETIME))
        return Member(user, row)

    def stands(self, token: TokenRow) -> bool:
        """Tell whether nobody has ended this token since it was used."""
        return token.sha256 in self._tokens or token == self._own_row()

    def own_token(self) -> str:
        """Return the token of the account that runs the farm: it acts as an administrator."""
        return self._own

    def _own_row(self) -> TokenRow:
        return TokenRow(digest(self._own), ADMINISTRATOR, "", math.inf)

    def end(self, token: TokenRow) -> None:
        """End one token."""
        if token.sha256 in self._tokens:
            self._remove_token(token)

    def forget(self, name: str) -> int:
        """End all tokens and codes of a user; return how many tokens there were."""
        tokens = self.tokens(name)
        for one in tokens:
            self._remove_token(one)
        self._codes = {key: one for key, one in self._codes.items() if one.user != name}
        return len(tokens)

    # -- codes

    def make_code(self, name: str, now: float) -> str:
        """Return a code with which a user joins once, within the hour. Raises Refused."""
        self._admitted(name, self._users.get(name))
        self._codes = {
            key: one for key, one in self._codes.items() if one.until > now and one.user != name
        }
        if len(self._codes) >= MOST_CODES:
            raise Refused(f"{MOST_CODES} codes wait to be used; the oldest end within the hour")
        code = secrets.token_hex(16)
        self._codes[digest(code)] = _Code(name, now + CODE_LIFETIME)
        return code

    def redeem(self, code: str, host: str, now: float) -> tuple[str, str]:
        """Return the user of a code, and a token for him. Raises Refused."""
        # A wrong host name must not use up the code.
        if not is_host_name(host):
            raise Refused(f"{host[:100]!r} is no host name")
        found = self._codes.pop(digest(code), None)
        if found is None or found.until <= now:
            todo = "Ask its administrator for a new one: spe farm users add NAME --code"
            raise Refused("the code is wrong, used, or older than an hour", todo=todo)
        return found.user, self.issue(found.user, host, now)

    # -- what is to be stored

    def take_changes(self) -> Changes:
        """Return what has changed since the last call."""
        changes = Changes(tuple(self._saved.values()), tuple(self._removed.values()))
        self._saved, self._removed = {}, {}
        return changes

    def put_back(self, changes: Changes) -> None:
        """Remember changes that could not be committed. Newer ones of the same rows stand."""
        for row in changes.remove:
            self._removed.setdefault(_key(row), row)
        for row in changes.save:
            if _key(row) not in self._removed:
                self._saved.setdefault(_key(row), row)

    def _save_user(self, user: UserRow) -> UserRow:
        self._users[user.name] = user
        self._saved[_key(user)] = user
        return user

    def _save_token(self, token: TokenRow) -> TokenRow:
        self._tokens[token.sha256] = token
        self._saved[_key(token)] = token
        return token

    def _remove_token(self, token: TokenRow) -> None:
        key = _key(token)
        del self._tokens[token.sha256]
        self._saved.pop(key, None)
        self._removed[key] = token


def _key(row: UserRow | TokenRow) -> tuple[str, str]:
    return ("user", row.name) if isinstance(row, UserRow) else ("token", row.sha256)
