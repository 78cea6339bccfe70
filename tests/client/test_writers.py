"""Who else may write where a client works: everybody is refused, a group is named, the user's own group is nobody."""

from __future__ import annotations

import grp
import os
import pwd
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from needs import need_root
from spe.client.host import writers

from .pretended_master import Master, task
from .shared_folder import EVE, GROUP, OURS, SharedFolder

STICKY = 0o1777


def told(master: Master) -> dict[str, str]:
    """What the client said about others when it registered."""
    query = master.of("/config")[0].query
    return {name: query[name][0] for name in ("others", "where") if name in query}


@pytest.fixture
def sweep(master: Master) -> Master:
    master.add(task(1, "echo", "works"))
    return master


def test_a_workdir_that_everybody_may_write_is_refused(sweep: Master, shared: SharedFolder) -> None:
    code, said = shared.client(sweep).run()
    assert code == 10
    assert f"all users may write into {shared.common} (mode 777)" in said
    assert not sweep.requests
    assert list(shared.common.iterdir()) == []


def test_a_folder_above_that_everybody_may_write_is_refused_and_nothing_is_left(
    sweep: Master, shared: SharedFolder
) -> None:
    client = shared.client(sweep)
    client.workdir = shared.common / "deep" / "down"
    code, said = client.run()
    assert code == 10
    assert f"{shared.common}, above the workdir {client.workdir}" in said
    assert list(shared.common.iterdir()) == []


def test_a_sticky_folder_is_nobodys_business(sweep: Master, shared: SharedFolder) -> None:
    shared.common.chmod(STICKY)
    code, said = shared.client(sweep).run()
    assert code == 0, said
    assert told(sweep) == {}


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o2777])
def test_who_trusts_the_workdir_works_there_and_says_nothing(sweep: Master, shared: SharedFolder, mode: int) -> None:
    os.chown(shared.common, OURS, GROUP)
    shared.common.chmod(mode)
    code, said = shared.client(sweep).run("--trust-workdir")
    assert code == 0, said
    assert told(sweep) == {}
    assert list(shared.common.iterdir()) == []


def test_a_group_that_may_write_is_named(sweep: Master, shared: SharedFolder) -> None:
    os.chown(shared.common, 0, GROUP)
    shared.common.chmod(0o2775)
    client = shared.client(sweep, GROUP)
    code, said = client.run()
    assert code == 0, said
    assert told(sweep) == {"others": f"the group {GROUP}", "where": str(shared.common)}


def test_the_owner_of_a_folder_above_is_named(sweep: Master, shared: SharedFolder) -> None:
    ours = shared.common / "ours"
    ours.mkdir()
    os.chown(ours, OURS, OURS)
    os.chown(shared.common, EVE, EVE)
    shared.common.chmod(0o755)
    client = shared.client(sweep)
    client.workdir = ours
    code, said = client.run()
    assert code == 0, said
    assert told(sweep) == {"others": f"the user {EVE}", "where": str(shared.common)}


def test_a_group_is_named_only_where_it_may_rename(sweep: Master, shared: SharedFolder) -> None:
    os.chown(shared.common, 0, GROUP)
    shared.common.chmod(0o3775)
    code, said = shared.client(sweep, GROUP).run()
    assert code == 0, said
    assert told(sweep) == {}


def test_what_the_client_makes_is_its_own_whatever_the_umask_is(sweep: Master, shared: SharedFolder) -> None:
    shared.common.chmod(STICKY)
    client = shared.client(sweep)
    client.workdir = shared.common / "deep" / "down"
    wrapper = Path(client.python)
    wrapper.write_text(wrapper.read_text().replace("exec", "umask 000; exec"))
    code, said = client.run()
    assert code == 0, said
    assert told(sweep) == {}
    assert list(shared.common.iterdir()) == []


# -- the way to the workdir


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    """A folder, made with its mode."""

    def make(name: str, mode: int = 0o755) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
        return folder

    return make


def everybody(path: Path) -> str:
    return writers.others(str(path)).everybody


def test_links_count_where_they_lie_and_where_they_lead(tree: Callable[..., Path], tmp_path: Path) -> None:
    open_, good = tree("open", 0o777), tree("good/deep")
    (tmp_path / "to-open").symlink_to("open/inner")
    (open_ / "inner").mkdir()
    assert everybody(tmp_path / "to-open") == str(open_), "leads through an open folder"
    (open_ / "to-good").symlink_to(good)
    assert everybody(open_ / "to-good") == str(open_), "lies in one"
    (tmp_path / "chain").symlink_to("open/to-good")
    assert everybody(tmp_path / "chain") == str(open_), "leads to a link that lies in one"
    (tmp_path / "round").symlink_to("open/../good/deep")
    assert everybody(tmp_path / "round") == str(open_), "goes through one and back"
    (tmp_path / "fine").symlink_to("good")
    assert everybody(tmp_path / "fine" / "deep") == ""
    (tmp_path / "loop").symlink_to("loop")
    assert everybody(tmp_path / "loop" / "deep") == ""
    assert everybody(tmp_path / "good" / "not" / "yet" / "made") == ""


def test_the_owner_of_a_link_on_the_way_is_named(tree: Callable[..., Path], tmp_path: Path) -> None:
    need_root()
    tree("sticky", STICKY)
    tree("good/deep")
    (tmp_path / "sticky" / "link").symlink_to(tmp_path / "good")
    way = tmp_path / "sticky" / "link" / "deep"
    assert writers.others(str(way)) == writers.NOBODY
    os.chown(tmp_path / "sticky" / "link", EVE, EVE, follow_symlinks=False)
    link = tmp_path / "sticky" / "link"
    assert writers.others(str(way)) == writers.Others("", f"the user {EVE}", str(link))
    tree("good", 0o777)
    assert everybody(way) == str(tmp_path / "good"), "where it leads counts all the same"


def test_each_folder_is_looked_at_once_in_its_order(tree: Callable[..., Path], tmp_path: Path) -> None:
    deep = tree("a/b/c")
    passed = list(writers.passed(str(deep)))
    assert passed == [str(one) for one in [*reversed(deep.parents), deep]]


def test_everybody_counts_more_than_a_group_above(tree: Callable[..., Path]) -> None:
    need_root()
    group, inner = tree("group", 0o775), tree("group/open", 0o777)
    os.chown(group, 0, GROUP)
    assert writers.others(str(inner)) == writers.Others(everybody=str(inner))
    inner.chmod(0o755)
    assert writers.others(str(inner)) == writers.Others("", f"the group {GROUP}", str(group))


@pytest.mark.parametrize(
    ("name", "members", "is_ours"),
    [("anna", [], True), ("anna", ["anna"], True), ("anna", ["anna", "bert"], False), ("staff", [], False)],
)
def test_a_users_own_group_is_one_of_his_name_without_others(
    tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, name: str, members: list[str], is_ours: bool
) -> None:
    need_root()
    folder = tree("mine", 0o775)
    os.chown(folder, 0, GROUP)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: SimpleNamespace(pw_name="anna"))
    monkeypatch.setattr(grp, "getgrgid", lambda number: SimpleNamespace(gr_name=name, gr_mem=members))
    expected = writers.NOBODY if is_ours else writers.Others("", f"the group {name}", str(folder))
    assert writers.others(str(folder)) == expected


def test_an_access_list_makes_a_group_more_than_the_users_own(
    tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    need_root()
    folder = tree("listed", 0o775)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: SimpleNamespace(pw_name="anna"))
    monkeypatch.setattr(grp, "getgrgid", lambda number: SimpleNamespace(gr_name="anna", gr_mem=[]))
    assert writers.others(str(folder)) == writers.NOBODY
    nobody = 0xFFFFFFFF
    entries = [(0x01, 7, nobody), (0x02, 7, EVE), (0x04, 5, nobody), (0x10, 7, nobody), (0x20, 5, nobody)]
    listed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in entries)
    try:
        os.setxattr(folder, "system.posix_acl_access", listed)
    except OSError as fault:
        pytest.skip(f"no access lists on this file system: {fault}")
    assert writers.others(str(folder)).who == "the group anna and those of its access list"
