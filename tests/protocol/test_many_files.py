"""Results of several files over the wire: parts of one name, whose file names nobody trusts; files of failed sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spe.results import trees
from waiting import wait_until

from .kit import BOUNDARY, Master, Reply, form

YAML = "attempts: 1\nmax_result: 100 kB\nresults: {frames: {from: 'f/*.png', as: files}, all: {from: d, as: folder}}"
MANY = {"results": "many"}
GOOD = (("frames", "f/1.png", b"one"), ("frames", "f/2.png", b"two"), ("all", "d/x/y", b"deep"))


def part(name: str, filename: str, content: bytes) -> tuple[str, bytes]:
    return f'{name}"; filename="{filename}', content


def bring(master: Master, ticket: int, *parts: tuple[str, str, bytes], path: str = "/complete") -> Reply:
    return master.post(path, {"ticket": ticket}, [part(*one) for one in parts])


def files(master: Master, below: str = "files") -> dict[str, bytes]:
    root = master.runs / below
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Master:
    """A sweep that all tests of hostile names share; no test may count on which set it gets."""
    made = Master(tmp_path_factory.mktemp("many"))
    sets = "listen: 127.0.0.1:0\ncommand: echo {{ x }}\nparameters: {grid: {x: {range: [1, 5000]}}}\n"
    return made.write(f"{sets}{YAML.replace('attempts: 1', 'attempts: 3')}").start()


@pytest.fixture(autouse=True, scope="module")
def _end(many: Master) -> object:
    yield
    many.close()


def test_a_record_tells_that_a_result_has_several_files(many: Master) -> None:
    reply = many.ask("/task", MANY)
    assert reply.status == 200
    assert b"[Result]\nName=frames\nFile=f/*.png\nKind=files\n[Result]\nName=all\nFile=d\nKind=folder\n" in reply.body


def test_a_client_that_does_not_know_them_gets_no_task_and_is_not_sent_home(many: Master) -> None:
    reply = many.ask("/task", {"wait": 10})
    assert (reply.status, reply.headers["Retry-After"]) == (503, "10")
    assert "results=many" in reply.text


def test_a_client_that_does_not_know_them_hears_the_end_of_the_sweep(sweep: Callable[..., Master]) -> None:
    master = sweep(1, YAML)
    old = master.register()
    (ticket,) = master.take(**MANY)
    assert bring(master, ticket, *GOOD).text == "accepted\n"
    reply = master.ask("/task", {"client": old})
    assert (reply.status, reply.headers["Retry-After"], reply.text) == (503, None, "the sweep is over\n")
    assert master.end() == 0


def test_a_sweep_without_such_results_looks_as_before(sweep: Callable[..., Master]) -> None:
    assert b"Kind=" not in sweep(1).ask("/task", MANY).body


def test_the_files_lie_under_their_paths_and_the_cells_are_their_folders(sweep: Callable[..., Master]) -> None:
    master = sweep(1, YAML)
    (ticket,) = master.take(**MANY)
    assert bring(master, ticket, *GOOD).text == "accepted\n"
    assert files(master) == {"1/f/1.png": b"one", "1/f/2.png": b"two", "1/d/x/y": b"deep"}
    assert master.end() == 0
    (row,) = master.rows()
    assert (row["frames"], row["all"]) == ("files/1/f", "files/1/d")


def test_a_body_in_pieces_is_the_same(sweep: Callable[..., Master]) -> None:
    master = sweep(1, YAML.replace("100 kB", "10 MB"))
    (ticket,) = master.take(**MANY)
    large = bytes(range(256)) * 4000
    reply = bring(master, ticket, ("frames", "f/1.png", large), *GOOD[1:], ("frames", "f/3.png", b""))
    assert reply.text == "accepted\n"
    assert files(master)["1/f/1.png"] == large and files(master)["1/f/3.png"] == b""


def test_a_pattern_with_parameters_is_filled_in_for_each_set(sweep: Callable[..., Master]) -> None:
    results = "results: {a: {from: 'out_{{ x }}.dat', as: file}, b: {from: 'f{{x}}/*', as: files}}"
    master = sweep(2, f"attempts: 1\n{results}")
    reply = master.ask("/task", {**MANY, "count": 2})
    assert b"File=out_1.dat\n" in reply.body and b"File=f2/*\nKind=files\n" in reply.body
    one, two = reply.tickets
    a = ("a", "", b"x")
    assert bring(master, one, a, ("b", "f1/y", b"")).text == "accepted\n"
    assert bring(master, two, a, ("b", "f1/y", b"")).text == "rejected: b: f1/y does not match f2/*\n"
    assert master.end() == 1
    assert files(master) == {"1/out_1.dat": b"x", "1/f1/y": b""}


NAMES = [
    "", "/etc/passwd", "../../sweep.db", "f/../../x.png", "f/./1.png", "f//1.png", "f/", ".", "..", "f/1\x7f.png",
    "f/" + "x" * 250 + ".png", "f/" * 60 + "1.png", "x/" * 600, ".kept/x.png",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_elsewhere_is_refused_and_nothing_changes(many: Master, name: str) -> None:
    (ticket,) = many.take(**MANY)
    reply = bring(many, ticket, ("frames", name, b"evil"), *GOOD)
    assert reply.status == 400 and reply.text.count("\n") == 1
    assert bring(many, ticket, *GOOD).text == "accepted\n", "the ticket is as good as before"
    assert not [path for path in many.folder.rglob("*") if path.is_file() and path.read_bytes()[:4] == b"evil"]


def test_names_in_other_spellings_are_looked_at_as_well(many: Master) -> None:
    (ticket,) = many.take(**MANY)
    for filename in ("x\"; filename*=UTF-8''..%2F..%2Fx.png; y=\"", "f/1%0D.png"):
        reply = bring(many, ticket, ("frames", filename, b"evil"), *GOOD)
        assert reply.status == 400, filename


def test_bytes_that_are_no_utf8_are_refused(many: Master) -> None:
    (ticket,) = many.take(**MANY)
    body = form([part("frames", "f/@@.png", b"x"), part("all", "d/x", b"")]).replace(b"@@", b"\xff\xfe")
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    reply = many.ask("/complete", {"ticket": ticket}, method="POST", body=body, headers=headers)
    assert reply.status == 400 and "not UTF-8" in reply.text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8", exclude_characters='"\\%\r\n'), max_size=40).map("f/{}.png".format))
def test_any_name_is_kept_as_it_is_or_refused(many: Master, name: str) -> None:
    (ticket,) = many.take(**MANY)
    reply = bring(many, ticket, ("frames", name, b"here"), *GOOD)
    if reply.status == 200 and reply.text == "accepted\n":
        homes = (many.runs / "files").iterdir()
        assert any((home / name).read_bytes() == b"here" for home in homes if (home / name).is_file())
    else:
        assert reply.status in (200, 400) and reply.text.count("\n") == 1
        many.post("/failed", {"ticket": ticket}, [])


def test_one_name_twice_is_refused(many: Master) -> None:
    (ticket,) = many.take(**MANY)
    reply = bring(many, ticket, *GOOD, GOOD[0])
    assert (reply.status, reply.text) == (400, "result frames: two files are named f/1.png\n")


def test_single_results_still_come_once(many: Master) -> None:
    (ticket,) = many.take(**MANY)
    reply = bring(many, ticket, *GOOD, ("stderr", "", b""), ("stderr", "", b""))
    assert (reply.status, reply.text) == (400, "two parts are named stderr\n")


def test_what_does_not_match_or_is_file_and_folder_is_rejected(many: Master) -> None:
    (ticket,) = many.take(**MANY)
    assert bring(many, ticket, ("frames", "f/1.txt", b""), *GOOD).text.startswith("rejected: frames: f/1.txt does not")
    (ticket,) = many.take(**MANY)
    said = bring(many, ticket, *GOOD, ("all", "d/x", b"")).text
    assert said == "rejected: d/x is a file and a folder\n"


def test_a_result_without_any_file_is_missing(many: Master) -> None:
    (ticket,) = many.take(**MANY)
    assert bring(many, ticket, *GOOD[:2]).text == "rejected: no part all\n"


def test_all_files_of_a_result_count_for_its_limit(many: Master) -> None:
    (ticket,) = many.take(**MANY)
    parts = [("frames", f"f/{number}.png", b"x" * 30_000) for number in range(4)]
    reply = bring(many, ticket, *parts, GOOD[2])
    assert reply.status == 413 and "larger than max_result" in reply.text


def test_more_files_than_can_be_are_refused(many: Master) -> None:
    (ticket,) = many.take(**MANY)
    reply = bring(many, ticket, *[("frames", f"f/{number}.png", b"") for number in range(trees.MOST_FILES + 1)])
    assert reply.status == 413 and reply.text == f"more than {trees.MOST_FILES} files\n"
    wait_until(lambda: not list((many.runs / "incoming").glob("*")), "they are still there")


def test_thousands_of_files_are_kept(sweep: Callable[..., Master]) -> None:
    master = sweep(1, YAML)
    (ticket,) = master.take(**MANY)
    parts = [("frames", f"f/{number}.png", b"%d" % number) for number in range(3000)]
    assert bring(master, ticket, *parts, GOOD[2]).text == "accepted\n"
    found = files(master)
    assert len(found) == 3001 and found["1/f/2999.png"] == b"2999"


def test_they_do_not_go_into_a_batch(many: Master) -> None:
    (ticket,) = many.take(**MANY)
    reply = many.post("/results", {}, [part(f"{ticket}/frames", "f/1.png", b"x")])
    assert reply.status == 400 and "/complete" in reply.text
    assert bring(many, ticket, *GOOD).text == "accepted\n"


# -- the files of failed sets

KEEP = "attempts: 2\nkeep_failed: 1 kB\nresults: {y: {from: stdout, as: int}}"


def left(master: Master, ticket: int, *parts: tuple[str, bytes]) -> Reply:
    return bring(master, ticket, *[("file", name, content) for name, content in parts], path="/kept")


def test_a_client_is_asked_for_files_once_the_set_has_failed(sweep: Callable[..., Master]) -> None:
    master = sweep(2, KEEP)
    assert master.ask("/config").keys["KeepFailed"] == "1000"
    one, two = master.take(2)
    first = master.post("/failed", {"ticket": one, "reason": "exit code 3"}, [])
    assert first.headers["Keep"] is None, "it is tried again"
    assert left(master, one, ("a", b"1")).status == 410
    (again,) = master.take()
    last = master.post("/failed", {"ticket": again, "reason": "exit code 3"}, [])
    assert last.headers["Keep"] == str(again)
    assert left(master, again, ("a", b"1"), ("s/b", b"2")).text == "kept\n"
    assert files(master, "failed") == {"1/a": b"1", "1/s/b": b"2"}
    assert left(master, again, ("a", b"other")).status == 410, "once"
    batch = master.post("/results", {}, [(f"{two}/y", b"x\n")])
    assert batch.text == f"{two} rejected: y: 'x' is not an int\n" and batch.headers["Keep"] is None
    (again,) = master.take()
    batch = master.post("/results", {}, [(f"{again}/y", b"x\n")])
    assert batch.headers["Keep"] == str(again)
    assert left(master, again, ("c", b"3")).text == "kept\n"
    assert master.end() == 1
    assert set(files(master, "failed")) == {"1/a", "1/s/b", "2/c"}


def test_files_of_failed_sets_have_the_same_limits(sweep: Callable[..., Master]) -> None:
    master = sweep(2, KEEP.replace("attempts: 2", "attempts: 1"))
    ticket, _ = master.take(2)
    assert master.post("/failed", {"ticket": ticket}, []).headers["Keep"] == str(ticket)
    for name in NAMES:
        assert left(master, ticket, (name, b"evil")).status == 400, name
    assert left(master, ticket, ("a", b"x" * 600), ("b", b"x" * 600)).status == 413
    assert left(master, ticket, ("a", b"1"), ("a", b"2")).status == 400
    assert left(master, ticket, ("a", b"1"), ("b", b"2")).status == 200
    assert files(master, "failed") == {"1/a": b"1", "1/b": b"2"}


def test_nobody_is_asked_where_nothing_is_kept(sweep: Callable[..., Master], tmp_path: Path) -> None:
    master = sweep(1, "attempts: 1")
    assert "KeepFailed" not in master.ask("/config").keys
    (ticket,) = master.take()
    assert master.post("/failed", {"ticket": ticket}, []).headers["Keep"] is None
    assert left(master, ticket, ("a", b"1")).status == 410
    assert not (master.runs / "failed").exists()
