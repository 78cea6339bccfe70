"""The lock of a delegate, in a folder where everybody may make files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from needs import need_root
from spe.delegate.starting import lock_path, take_lock
from spe.errors import UsageError


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_one_process_has_the_lock_until_it_lets_go() -> None:
    first = take_lock("f00d")
    assert first is not None and take_lock("f00d") is None
    os.close(first)
    again = take_lock("f00d")
    assert again is not None
    os.close(again)


def test_a_lock_that_another_user_has_put_there_is_said_with_what_to_do() -> None:
    need_root()
    path = lock_path("f00d")
    path.touch()
    os.chown(path, 8, 8)
    with pytest.raises(UsageError, match="belongs to another user") as caught:
        take_lock("f00d")
    assert str(path) in caught.value.line and "remove it" in caught.value.todo


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    lock_path("f00d").symlink_to(tmp_path / "other")
    with pytest.raises(UsageError, match="cannot be locked"):
        take_lock("f00d")
    assert not (tmp_path / "other").exists()
