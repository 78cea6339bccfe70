"""Users, tokens and codes of the farm, in memory."""

from __future__ import annotations

import pytest
from spe.pool.members import CODE_LIFETIME, DAY, LIFETIME, MOST_TOKENS, Members, Refused, digest
from spe.pool.rows import Role, TokenRow, UserRow

NOW = 1_800_000_000.0


def farm(*names: str) -> Members:
    return Members([UserRow(name) for name in names])


def test_a_token_names_its_user_and_is_stored_as_a_digest_alone() -> None:
    members = farm("ada")
    token = members.issue("ada", "lab07", NOW)
    came = members.bearer(token, NOW + 1)
    assert came is not None
    assert (came.user.name, came.token.host) == ("ada", "lab07")
    saved = members.take_changes().save
    assert saved == (TokenRow(digest(token), "ada", "lab07", NOW + LIFETIME),)
    assert token not in repr(saved)


@pytest.mark.parametrize("wrong", ["", "x", "\0", "\udc80", "é" * 10_000])
def test_a_wrong_token_is_nobodys(wrong: str) -> None:
    members = farm("ada")
    members.issue("ada", "lab07", NOW)
    assert members.bearer(wrong, NOW) is None


def test_the_digest_of_a_token_is_no_token() -> None:
    members = farm("ada")
    assert members.bearer(digest(members.issue("ada", "lab07", NOW)), NOW) is None


def test_a_token_is_renewed_by_use_at_most_daily() -> None:
    members = farm("ada")
    token = members.issue("ada", "lab07", NOW)
    members.take_changes()
    assert members.bearer(token, NOW + DAY - 1)
    assert members.take_changes().save == ()
    came = members.bearer(token, NOW + DAY)
    assert came is not None
    assert came.token.until == NOW + DAY + LIFETIME
    assert members.take_changes().save == (came.token,)
    assert members.bearer(token, NOW + DAY + LIFETIME - 1)


def test_a_token_that_is_not_used_ends_after_90_days() -> None:
    members = farm("ada")
    token = members.issue("ada", "lab07", NOW)
    assert members.bearer(token, NOW + LIFETIME) is None


def test_each_host_of_a_user_has_one_token() -> None:
    members = farm("ada")
    first = members.issue("ada", "lab07", NOW)
    other = members.issue("ada", "lab08", NOW)
    members.take_changes()
    second = members.issue("ada", "lab07", NOW)
    assert members.bearer(first, NOW) is None
    assert members.bearer(second, NOW) and members.bearer(other, NOW)
    assert [one.sha256 for one in members.take_changes().remove] == [digest(first)]
    assert [one.host for one in members.tokens("ada")] == ["lab07", "lab08"]


def test_forget_ends_all_tokens_and_codes_of_one_user_alone() -> None:
    members = farm("ada", "ben")
    adas = [members.issue("ada", host, NOW) for host in ("a", "b")]
    bens = members.issue("ben", "a", NOW)
    code = members.make_code("ada", NOW)
    members.take_changes()
    assert members.forget("ada") == 2
    assert [members.bearer(one, NOW) for one in adas] == [None, None]
    assert members.bearer(bens, NOW)
    assert len(members.take_changes().remove) == 2
    with pytest.raises(Refused):
        members.redeem(code, "a", NOW)


def test_a_token_that_came_and_went_between_two_commits_is_only_removed() -> None:
    members = farm("ada")
    members.issue("ada", "a", NOW)
    members.forget("ada")
    changes = members.take_changes()
    assert changes.save == ()
    assert len(changes.remove) == 1


def test_a_user_has_so_many_tokens_at_most_and_old_ones_do_not_count() -> None:
    members = farm("ada")
    for number in range(MOST_TOKENS):
        members.issue("ada", f"h{number}", NOW)
    members.issue("ada", "h3", NOW)
    with pytest.raises(Refused, match="tokens on 100 hosts"):
        members.issue("ada", "one-more", NOW)
    members.issue("ada", "one-more", NOW + LIFETIME)
    assert len(members.tokens("ada")) == 1


@pytest.mark.parametrize("host", ["", "-oProxyCommand=x", "a b", "a\n", "a/b", "x" * 101, "ä"])
def test_a_token_is_bound_to_a_host_name_and_to_nothing_else(host: str) -> None:
    members = farm("ada")
    code = members.make_code("ada", NOW)
    for attempt in (lambda: members.issue("ada", host, NOW), lambda: members.redeem(code, host, NOW)):
        with pytest.raises(Refused, match="is no host name"):
            attempt()
    assert members.redeem(code, "lab07", NOW)[0] == "ada"  # the code was not used up


def test_a_code_is_good_once() -> None:
    members = farm("ada")
    code = members.make_code("ada", NOW)
    name, token = members.redeem(code, "lab07", NOW + CODE_LIFETIME - 1)
    assert name == "ada"
    assert members.bearer(token, NOW)
    with pytest.raises(Refused, match="wrong, used, or older"):
        members.redeem(code, "lab07", NOW)


def test_a_code_ends_after_an_hour_and_when_a_new_one_is_made() -> None:
    members = farm("ada")
    old, new = members.make_code("ada", NOW), members.make_code("ada", NOW)
    with pytest.raises(Refused):
        members.redeem(old, "lab07", NOW)
    with pytest.raises(Refused):
        members.redeem(new, "lab07", NOW + CODE_LIFETIME)


def test_a_disabled_user_gets_no_token_and_no_code_and_his_old_ones_stay() -> None:
    members = farm("ada")
    token, code = members.issue("ada", "a", NOW), members.make_code("ada", NOW)
    members.enable("ada", False)
    for attempt in (
        lambda: members.issue("ada", "a", NOW),
        lambda: members.make_code("ada", NOW),
        lambda: members.redeem(code, "a", NOW),
        lambda: members.welcome("ada", 1000, "/bin/sh"),
    ):
        with pytest.raises(Refused, match="ada is disabled"):
            attempt()
    came = members.bearer(token, NOW)
    assert came is not None
    assert not came.user.enabled
    members.enable("ada", True)
    assert members.welcome("ada", 1000, "/bin/sh").enabled


def test_an_unknown_user_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="eve is not a user"):
        farm("ada").welcome("eve", 1005, "/bin/bash")


@pytest.mark.parametrize(
    ("uid", "shell", "is_welcome"),
    [
        (1000, "/bin/bash", True),
        (1000, "", True),
        (999, "/bin/bash", False),
        (1000, "/usr/sbin/nologin", False),
        (1000, "/bin/false", False),
    ],
)
def test_anyone_means_people(uid: int, shell: str, is_welcome: bool) -> None:
    members = Members(anyone=True)
    if is_welcome:
        assert members.welcome("eve", uid, shell) == UserRow("eve")
        assert members.take_changes().save == (UserRow("eve"),)
    else:
        with pytest.raises(Refused):
            members.welcome("eve", uid, shell)
        assert members.users() == []


def test_who_is_another_name_of_a_user_does_not_become_a_second_one() -> None:
    members = Members([UserRow("ada", also="alovelace countess")], anyone=True)
    with pytest.raises(Refused, match="another name of ada"):
        members.welcome("countess", 1000, "/bin/sh")


def test_a_users_file_changes_what_it_names_and_keeps_use_and_settings() -> None:
    members = Members([UserRow("ada", used=7.0, enabled=False, mail="a@b"), UserRow("ben", Role.ADMIN)])
    token = members.issue("ben", "a", NOW)
    members.take_over([UserRow("ada", Role.ADMIN, 2.0, groups="cfd"), UserRow("cyd")])
    assert members.user("ada") == UserRow("ada", Role.ADMIN, 2.0, used=7.0, enabled=False, mail="a@b", groups="cfd")
    assert members.user("ben") == UserRow("ben", enabled=False)
    assert members.bearer(token, NOW) is None
    assert {one.name for one in members.take_changes().save if isinstance(one, UserRow)} == {"ada", "ben", "cyd"}
    members.take_over([UserRow("ada", Role.ADMIN, 2.0, groups="cfd"), UserRow("cyd")])
    assert members.take_changes().save == ()  # the same file once more changes nothing


@pytest.mark.parametrize("share", [0.0, -1.0, float("nan"), float("inf")])
def test_a_share_is_a_number_above_zero(share: float) -> None:
    with pytest.raises(Refused):
        farm("ada").set_share("ada", share)
