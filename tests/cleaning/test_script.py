"""The script of `spe clean`, run by two shells at once: two hosts may share a home."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from spe.cleaning.script import BUILT, CLIENT, WORKER, read_found, read_removed, script
from spe.model import Host


class Shell:
    """The script at work in a shell of its own."""

    def __init__(self, home: Path) -> None:
        environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
        text = script(Host("h01"))
        self.process = subprocess.Popen(
            ["sh", "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=environment,
        )  # fmt: skip

    def lines(self, last: str) -> list[str]:
        assert self.process.stdout
        lines = []
        for line in self.process.stdout:
            if line.rstrip("\n") == last:
                return lines
            lines.append(line.rstrip("\n"))
        raise AssertionError(f"it ended without {last!r}")

    def tell(self, text: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(text)
        self.process.stdin.flush()


def fill(home: Path, built: int) -> Path:
    """Make a cache as clients leave it, in folders that they have made."""
    cache = home / ".cache/spe"
    for folder in (cache, cache / "workers/abc", cache / "built"):
        folder.mkdir(parents=True, exist_ok=True)
    for folder in (home / ".cache", cache, cache / "workers", cache / "built"):
        (folder / ".spe-made").touch()
    (cache / "client-0123456789abcdef.pyz").write_text("client")
    (cache / "workers/abc/work").write_text("worker")
    for number in range(built):
        folder = cache / f"built/{number:032x}"
        (folder / "below").mkdir(parents=True)
        (folder / "below/file").write_text("made")
    return cache


@pytest.mark.parametrize("built", [0, 1, 40])
def test_hosts_that_share_a_home_may_remove_the_same_things_at_the_same_time(tmp_path: Path, built: int) -> None:
    fill(tmp_path, built)
    shells = [Shell(tmp_path), Shell(tmp_path)]
    told = []
    for shell in shells:
        items = read_found(shell.lines("spe: looked")).items
        assert sorted(one.kind for one in items) == sorted([CLIENT, WORKER] + [BUILT] * built)
        told.append("".join(f"{item.kind} {item.path}\n" for item in items) + "\n")
    for shell, text in zip(shells, told, strict=True):
        shell.tell(text)
    for shell in shells:
        assert not any(read_removed(shell.lines("spe: end")).values()), "what the other one has removed is removed"
        assert shell.process.wait(60) == 0
        assert shell.process.stderr and shell.process.stderr.read() == ""
    assert not (tmp_path / ".cache").exists(), "also the folders that were made for it"


def test_a_lock_of_a_client_keeps_what_it_works_on(tmp_path: Path) -> None:
    cache = fill(tmp_path, 1)
    [made] = (cache / "built").glob("0*")
    made.with_name(made.name + ".lock").write_text("h02 123\n")
    shell = Shell(tmp_path)
    shell.lines("spe: looked")
    shell.tell(f"{BUILT} {made}\n\n")
    said = read_removed(shell.lines("spe: end"))
    assert said == {str(made): "a client works on it"}
    assert made.exists()
    shell.process.wait(60)


def test_what_does_not_lie_in_the_cache_stays(tmp_path: Path) -> None:
    fill(tmp_path, 0)
    mine = tmp_path / "mine"
    mine.touch()
    shell = Shell(tmp_path)
    shell.lines("spe: looked")
    shell.tell(f"{WORKER} {mine}\n{WORKER} {tmp_path}/.cache/spe/../../mine\n\n")
    said = read_removed(shell.lines("spe: end"))
    assert set(said.values()) == {"this is no file of spe's"}
    assert mine.exists()
    shell.process.wait(60)
