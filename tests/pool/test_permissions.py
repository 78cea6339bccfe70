"""Who may do what, over all pairs."""

from __future__ import annotations

import itertools

import pytest
from spe.pool.permissions import Verb, may
from spe.pool.rows import Role, UserRow

# (role, enabled, whose) -> the verbs; written out by hand, so that the function is not its own judge.
READ = {Verb.LIST, Verb.STREAM, Verb.HOSTS, Verb.LEAVE}
OWN = READ | {Verb.GRANTS, Verb.REPORT, Verb.ACT, Verb.WHY}
ADMINS = {Verb.USERS, Verb.CHANGE_HOSTS, Verb.STATUS}
ALLOWED = {
    (Role.MEMBER, True, "own"): OWN | {Verb.SUBMIT},
    (Role.MEMBER, True, "another's"): READ,
    (Role.MEMBER, True, "nobody's"): READ,
    (Role.MEMBER, False, "own"): OWN,
    (Role.MEMBER, False, "another's"): READ,
    (Role.MEMBER, False, "nobody's"): READ,
    (Role.ADMIN, True, "own"): OWN | {Verb.SUBMIT} | ADMINS,
    (Role.ADMIN, True, "another's"): READ | ADMINS | {Verb.ACT, Verb.WHY},
    (Role.ADMIN, True, "nobody's"): READ | ADMINS | {Verb.ACT, Verb.WHY},
    (Role.ADMIN, False, "own"): OWN,
    (Role.ADMIN, False, "another's"): READ,
    (Role.ADMIN, False, "nobody's"): READ,
}
OWNERS = {"own": "ada", "another's": "ben", "nobody's": ""}


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize(("role", "enabled", "whose"), list(itertools.product(Role, (True, False), OWNERS)))
def test_a_user_may_do_what_the_table_says(role: Role, enabled: bool, whose: str, verb: Verb) -> None:
    ada = UserRow("ada", role, enabled=enabled)
    assert may(ada, verb, OWNERS[whose]) == (verb in ALLOWED[role, enabled, whose])
