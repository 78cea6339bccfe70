"""Empty folders and permissions of inputs come with a zip, and give a hostile one nothing."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from pathlib import Path

import pytest
from cli.kit import Bench
from spe.handin.manifest import Manifest, Role, SweepFile, read_manifest
from spe.handin.workplace import _set_mode

from .kit import Sweep, contents, record_of, rewritten

SHOWS = 'cd data && find . -printf "%p %y %m\\n" | sort'
MODES = {"data/private": 0o600, "data/read": 0o444, "data/run": 0o750, "data/group": 0o640}


def folders_sweep(bench: Bench, inputs: str = "[data/]") -> None:
    """A program that prints the tree of its inputs, with kinds and permissions."""
    bench.worker(SHOWS)
    for name, mode in MODES.items():
        bench.write(name, "1\n")
        (bench.folder / name).chmod(mode)
    (bench.folder / "data" / "empty" / "deep").mkdir(parents=True)
    bench.write("spe.yaml", f"command: ./work\ninputs: {inputs}\n")
    bench.ok("run", "-q")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("inputs", ["[data/]", '["da*"]', "{data: {folder: data}}"])
@pytest.mark.parametrize("words", [("--program", "--inputs"), ("--program",)])
def test_a_replay_has_the_empty_folders_and_the_permissions_of_the_run(
    bench: Bench, inputs: str, words: tuple[str, ...]
) -> None:
    folders_sweep(bench, inputs)
    bench.ok("export", *words, "-o", "x.zip")
    supplies = () if "--inputs" in words else ("--with", ".")
    done = bench.ok("replay", "x.zip", "--into", "a", *supplies)
    assert "1 set compared: all are the same" in done.err
    assert (bench.folder / "a" / "data" / "empty" / "deep").is_dir()
    for name, mode in MODES.items():
        assert mode_of(bench.folder / "a" / name) == mode


def test_the_zip_unpacks_elsewhere_with_its_empty_folders_and_permissions(bench: Bench) -> None:
    folders_sweep(bench)
    bench.ok("export", "--program", "--inputs", "-o", "x.zip")
    with zipfile.ZipFile(bench.folder / "x.zip") as opened:
        attributes = {one.filename: one.external_attr >> 16 for one in opened.infolist()}
    assert stat.S_ISDIR(attributes["sweep/data/empty/deep/"])
    assert {name: stat.S_IMODE(attributes[f"sweep/{name}"]) for name in MODES} == MODES
    assert record_of(contents(bench.folder / "x.zip"))["folders"] == ["data/empty/deep"]


def test_an_interrupted_replay_puts_permissions_and_read_only_files_right(bench: Bench) -> None:
    folders_sweep(bench)
    bench.ok("export", "--program", "--inputs", "-o", "x.zip")
    bench.ok("replay", "x.zip", "--into", "a")
    from spe.handin.archive import Archive

    with Archive(bench.folder / "x.zip", 10**9) as archive:
        (bench.folder / "a" / ".spe-replay").write_text(archive.digest + "\n")
    (bench.folder / "a" / "data" / "private").chmod(0o644)
    (bench.folder / "a" / "data" / "read").chmod(0o644)
    (bench.folder / "a" / "data" / "read").write_text("another\n")
    (bench.folder / "a" / "data" / "read").chmod(0o444)
    bench.ok("replay", "x.zip", "--into", "a")
    assert mode_of(bench.folder / "a" / "data" / "private") == 0o600
    assert (bench.folder / "a" / "data" / "read").read_text() == "1\n"
    assert mode_of(bench.folder / "a" / "data" / "read") == 0o444


def test_permissions_that_were_changed_in_the_zip_are_named_and_nothing_runs(ran: Sweep) -> None:
    path = with_attributes(ran, "sweep/work", stat.S_IFREG | 0o777)
    said = ran.replay_refused(path)
    assert "the permissions of the program work in it were changed: they are 0777, not " in said


@pytest.mark.parametrize("bits", [0o4755, 0o2755, 0o1755])
def test_setuid_setgid_and_sticky_files_are_refused(ran: Sweep, bits: int) -> None:
    path = with_attributes(ran, "sweep/work", stat.S_IFREG | bits)
    assert "'sweep/work' would be setuid, setgid or sticky" in ran.replay_refused(path)


def with_attributes(ran: Sweep, name: str, attributes: int) -> Path:
    target = ran.bench.root / "attributes.zip"
    with zipfile.ZipFile(ran.whole()) as opened, zipfile.ZipFile(target, "w") as made:
        for one in opened.infolist():
            content = opened.read(one)
            if one.filename == name:
                one.external_attr = attributes << 16
            made.writestr(one, content)
    return target


@pytest.mark.parametrize("mode", ["4755", "04755", "-755", "0999", "", "0o755", 493, None])
def test_permissions_in_spe_json_that_are_none_are_refused(ran: Sweep, mode: object) -> None:
    def change(files: dict[str, bytes]) -> None:
        record = record_of(files)
        record["files"][0]["mode"] = mode
        files["spe.json"] = json.dumps(record).encode()

    path = rewritten(ran.whole(), ran.bench.root / "hostile.zip", change, with_sums=True)
    assert "spe.json in it is damaged" in ran.replay_refused(path)


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("../evil", "is no folder of the sweep"),
        ("/tmp/evil", "is no folder of the sweep"),
        (".", "is no folder of the sweep"),
        ("a/../../evil", "is no folder of the sweep"),
        ("a//b", "is no folder of the sweep"),
        (7, "is no printable text"),
        ("runs/sweep", "would lie where a run keeps its own files"),
        ("runs/sweep/files", "would lie where a run keeps its own files"),
        ("spe.yaml", "would lie where a run keeps its own files"),
        ("work/deep", "the zip cannot be unpacked here"),
    ],
)
def test_a_hostile_folder_in_spe_json_is_refused(ran: Sweep, folder: object, said: str) -> None:
    def change(files: dict[str, bytes]) -> None:
        files["spe.json"] = json.dumps({**record_of(files), "folders": [folder]}).encode()

    path = rewritten(ran.whole(), ran.bench.root / "hostile.zip", change, with_sums=True)
    assert said in ran.replay_refused(path)
    assert not (ran.bench.root / "evil").exists()


@pytest.mark.parametrize(("umask", "there"), [(0o022, 0o755), (0o002, 0o775), (0o077, 0o755)])
def test_others_may_write_only_what_the_umask_lets_them(tmp_path: Path, umask: int, there: int) -> None:
    (tmp_path / "work").touch()
    before = os.umask(umask)
    try:
        _set_mode(tmp_path, SweepFile("work", Role.PROGRAM, "0" * 64, 0, 0o777, True))
        assert os.umask(umask) == umask, "the umask is as it was"
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "work") == there


def test_a_zip_of_an_earlier_spe_has_no_permissions_but_says_what_is_executable() -> None:
    one = SweepFile("work", Role.PROGRAM, "0" * 64, 0, 0o700, True)
    record = json.loads(Manifest("x", 0.0, [], {}, [], [one]).as_text())
    del record["folders"], record["files"][0]["mode"]
    for executable, mode in ((True, 0o755), (False, 0o644)):
        record["files"][0]["executable"] = executable
        assert read_manifest(json.dumps(record).encode(), "x.zip").files[0].mode == mode
