"""A build on a host: what a client does whose lock another one has taken, and archives that are none."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from spe.client import exits
from spe.client.software import build as module
from spe.client.software.build import WHOLE, Build

KEY = "0123456789abcdef" * 2
# Another host has taken the lock while this one was frozen, and has made the folder.
TAKEN = f"""
cd ..; rm {KEY}.lock; printf 'other host\\n1\\n2\\n' > {KEY}.lock
rm -r {KEY}; mkdir {KEY}; echo other > {KEY}/who; touch {KEY}/{WHOLE}; rm {KEY}.lock
"""


def build(cache: Path, script: str = "", **more: Any) -> Build:
    said = {
        "kind": "prepare", "shown": "prepare: make", "key": KEY, "files": [], "unpack": "", "timeout": 60,
        "words": ["/bin/sh", "-c", script] if script else [], "keep": False, "path": "", "variables": {},
        "programs": [], "image": "", **more,
    }  # fmt: skip
    return Build(said, "session", "user", "python3", str(cache))


def have(one: Build, tmp_path: Path) -> Path:
    own = tmp_path / "own"
    own.mkdir()
    nobody: Any = None
    return Path(one.have(nobody, {"PATH": "/usr/bin:/bin"}, str(own), lambda path: None))


@pytest.mark.parametrize("end", ["true", "false", "echo late > who"])
def test_a_client_that_was_taken_for_dead_touches_nothing_of_the_folder_that_another_has_made(
    tmp_path: Path, end: str
) -> None:
    place = have(build(tmp_path / "cache", f"{TAKEN}\n{end}"), tmp_path)
    assert place == tmp_path / "cache/built" / KEY
    assert (place / "who").read_text() == "other\n" and (place / WHOLE).exists()
    assert not (place.parent / f"{KEY}.failed").exists()


def test_a_client_whose_lock_is_its_own_makes_the_folder_or_says_why_not(tmp_path: Path) -> None:
    place = have(build(tmp_path / "cache", "echo mine > who"), tmp_path)
    assert (place / "who").read_text() == "mine\n" and (place / WHOLE).exists()


def packed(*members: tuple[str, str]) -> bytes:
    """An archive of these (name, hard link to): "" is a file."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, target in members:
            entry = tarfile.TarInfo(name)
            if target:
                entry.type, entry.linkname = tarfile.LNKTYPE, target
            tar.addfile(entry)
    return made.getvalue()


@pytest.mark.parametrize(
    ("archive", "says"),
    [
        (b"", "cannot be unpacked"),
        (b"no archive", "cannot be unpacked"),
        (packed(("bin/python", ""))[:-30], "cannot be unpacked"),
        (packed(("../../outside", "")), "would lie outside"),
        (packed(("/tmp/outside", "")), "would lie outside"),
        (packed(("bin/python", "../../precious")), "would lie outside"),
        (packed(("myenv/bin/python", "")), "has no folder bin"),
    ],
    ids=["empty", "text", "cut off", "above", "absolute", "hard link", "folder around it"],
)
def test_an_archive_that_is_no_environment_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: bytes, says: str
) -> None:
    def fetch(connection: object, sha256: str, path: str) -> None:
        Path(path).write_bytes(archive)

    monkeypatch.setattr(module, "fetch", fetch)
    one = build(tmp_path / "cache", files=[["env.tar.gz", "a" * 64, 0o644]], unpack="env.tar.gz", path="bin")
    with pytest.raises(exits.Ending) as caught:
        have(one, tmp_path)
    assert caught.value.code == exits.SOFTWARE and says in caught.value.text
    assert not (tmp_path / "cache/built" / KEY).exists() and not list(tmp_path.rglob("outside"))
