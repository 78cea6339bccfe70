"""Who may do what: one pure function."""

from __future__ import annotations

from ..record import Word
from .rows import Role, UserRow


class Verb(Word):
    """What a request asks for."""

    LIST = "list"  # jobs: owner, name, counts
    STREAM = "stream"
    HOSTS = "hosts"  # the list of hosts
    LEAVE = "leave"  # end the token of this request
    SUBMIT = "submit"
    WHY = "ask why a job waits"
    ACT = "act"  # cancel, pause, resume, priority
    GRANTS = "grants"
    REPORT = "report"
    CHANGE_HOSTS = "change hosts"
    USERS = "users"
    STATUS = "see the status"  # of the whole farm


_OF_ALL = frozenset({Verb.LIST, Verb.STREAM, Verb.HOSTS, Verb.LEAVE})
# A disabled user still reads his grants and reports: his running tasks end in order that way.
_OF_OWNER = frozenset({Verb.GRANTS, Verb.REPORT})
_OF_ADMIN = frozenset({Verb.CHANGE_HOSTS, Verb.USERS, Verb.STATUS})


def may(member: UserRow, verb: Verb, owner: str = "") -> bool:
    """Tell whether a user may do this to what belongs to `owner`.

    owner: "" for what is nobody's, such as the list of hosts.
    """
    if verb in _OF_ALL:
        return True
    if verb in _OF_OWNER:
        # Not even an administrator: he could make the farm believe in slots that are not free.
        return owner == member.name
    if verb is Verb.SUBMIT:
        return member.enabled and owner == member.name
    is_admin = member.role is Role.ADMIN and member.enabled
    if verb in (Verb.ACT, Verb.WHY):
        # A disabled owner may still cancel and pause what runs in his name.
        return is_admin or owner == member.name
    return verb in _OF_ADMIN and is_admin
