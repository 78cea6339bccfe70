"""farm.json, which the farm's account writes as it likes: nobody waits for it, and no token follows it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from spe.pool.joining import socket_check

ACCOUNT = pwd.getpwuid(os.getuid()).pw_name


@pytest.mark.parametrize(
    "text", ["", "[]", "nonsense", "[" * 60_000, "\x00", '{"a": ' + "9" * 5000 + "}", "x" * 100_000]
)
def test_an_address_file_that_is_none_is_doubted(tmp_path: Path, text: str) -> None:
    (tmp_path / "farm.json").write_text(text)
    tmp_path.chmod(0o755)
    with pytest.raises(socket_check.Doubt):
        socket_check.look(ACCOUNT, str(tmp_path))


def test_a_pipe_in_the_place_of_the_address_file_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    os.mkfifo(tmp_path / "farm.json")
    with pytest.raises(socket_check.Doubt, match="not what it should be"):
        socket_check.look(ACCOUNT, str(tmp_path))
    # It may come there between the check and the reading.
    monkeypatch.setattr(socket_check, "_check_files", lambda *_: None)
    with pytest.raises(socket_check.Doubt, match="cannot be read"):
        socket_check.look(ACCOUNT, str(tmp_path))
