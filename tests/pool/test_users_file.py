"""The users file: what it says, and where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.errors import ConfigError
from spe.pool.rows import Role, UserRow
from spe.pool.users_file import parse_users, read_users

FILE = b"""# who is here
ada admin 2 cfd thesis also=alovelace,countess
ben          # a member with one share

cyd member 0.5
"""
NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,20}", fullmatch=True)


def test_a_line_is_name_role_share_groups_and_other_names() -> None:
    assert parse_users(FILE, "users.txt") == [
        UserRow("ada", Role.ADMIN, 2.0, groups="cfd thesis", also="alovelace countess"),
        UserRow("ben"),
        UserRow("cyd", share=0.5),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"ada boss", "the role is member or admin, not 'boss'"),
        (b"ada member much", "a number above 0, not 'much'"),
        (b"ada member nan", "a number above 0"),
        (b"ada member -1", "a number above 0"),
        (b"ada member inf", "a number above 0"),
        (b"-x", "is no name"),
        (b"ada;rm", "is no name"),
        (b"also=x", "names no user"),
        (b"ada also=", "is no name"),
        (b"ada\0", "is no name"),
        (b"x" * 101, "is no name"),
        (b"\xff", "not UTF-8"),
        (b"ben", "ben is named in line 1 already"),
        (b"eve also=ben", "ben is named in line 1 already"),
        (b"eve also=eve", "eve is named in line 3 already"),
    ],
)
def test_an_error_names_file_and_line(line: bytes, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_users(b"ben\n\n" + line + b"\n", "users.txt")
    assert caught.value.where == "users.txt:3"
    assert why in caught.value.what
    assert "\n" not in caught.value.what


def test_a_file_that_is_missing_or_too_large_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_users(tmp_path / "none")
    (tmp_path / "users").write_bytes(b"#" * 1_000_001)
    with pytest.raises(ConfigError, match="larger than 1 MB"):
        read_users(tmp_path / "users")
    (tmp_path / "users").write_bytes(FILE)
    assert len(read_users(tmp_path / "users")) == 3


@given(
    st.dictionaries(
        NAMES, st.tuples(st.sampled_from(Role), st.floats(1e-6, 1e6), st.lists(NAMES, max_size=3)), max_size=6
    ),
    st.sampled_from(["\n", "\r\n", " # x\n", "\n\n# x\n"]),
)
def test_what_is_written_is_read_again(users: dict[str, tuple[Role, float, list[str]]], end: str) -> None:
    lines = [" ".join((name, role, repr(share), *groups)) for name, (role, share, groups) in users.items()]
    wanted = [UserRow(name, role, share, groups=" ".join(groups)) for name, (role, share, groups) in users.items()]
    assert parse_users("".join(line + end for line in lines).encode(), "f") == wanted


@given(st.binary(max_size=200) | st.text("ad mb#,=\n\t\r\f\x85also10.", max_size=200).map(str.encode))
def test_any_bytes_are_users_with_names_of_their_own_or_one_error_with_its_line(raw: bytes) -> None:
    try:
        found = parse_users(raw, "f")
    except ConfigError as error:
        assert error.where.startswith("f:")
        assert 1 <= int(error.where[2:]) <= raw.count(b"\n") + 1
        return
    names = [name for one in found for name in (one.name, *one.also.split())]
    assert len(set(names)) == len(names)
    assert all(one.share > 0 for one in found)
