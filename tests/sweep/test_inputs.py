"""The inputs that a set gets: lists, folders, globs, templates, names that are patterns; and what is refused."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.errors import ConfigError
from spe.model import Input
from spe.sweep.inputs.digests import CALM, Digests
from spe.sweep.inputs.files import InputChanged
from spe.sweep.pattern import Pattern
from spe.sweep.segments import segments_of
from spe.sweep.sweep import Sweep, load

Make = Callable[..., Sweep]
ONE_SET = "command: cat x\nparameters: {grid: {n: [7]}}\n"


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes files and the inputs of a spe.yaml, and loads the sweep."""

    def write(inputs: str, *files: str, text: str = ONE_SET) -> Sweep:
        folder = tmp_path / "sweep"
        for name in files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"this is {name}\n")
        folder.mkdir(exist_ok=True)
        (folder / "spe.yaml").write_text(f"{text}inputs: {inputs}\n")
        return load(folder)

    return write


def inputs_of(sweep: Sweep) -> list[Input]:
    sweep.parameters.check()
    (values,) = (one.values for one in sweep.parameters)
    return list(sweep.work(values).inputs)


def contents(sweep: Sweep) -> dict[str, str]:
    return {one.name: one.content.decode() for one in inputs_of(sweep)}


def refused(make: Callable[[], object]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        make()
    return caught.value


# -- which files a task gets, under which names


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        ("[a.txt]", ["a.txt"]),
        ("[./a.txt]", ["a.txt"]),
        ("[data/x.csv]", ["data/x.csv"]),
        ("[data/]", ["data/.hidden", "data/sub/z.csv", "data/x.csv", "data/y.dat"]),
        ("[data]", ["data/.hidden", "data/sub/z.csv", "data/x.csv", "data/y.dat"]),
        ("['data/*.csv']", ["data/x.csv"]),
        ("['data/*']", ["data/sub/z.csv", "data/x.csv", "data/y.dat"]),
        ("['data/**/*.csv']", ["data/sub/z.csv", "data/x.csv"]),
        ("['data/[xy].*']", ["data/x.csv", "data/y.dat"]),
        ("['odd[1].txt']", ["odd[1].txt"]),
        ("[../common/m.dat]", ["m.dat"]),
        ("['../common/*.dat']", ["m.dat"]),
        ("['../com*/*.dat']", ["common/m.dat"]),
        ("[../common]", ["common/deep/n.dat", "common/m.dat"]),
        ("[a.txt, {file: data/x.csv, copy: true}]", ["a.txt", "data/x.csv"]),
        ("['data/x.{{ k }}']", ["data/x.csv"]),
        ("{d: {folder: data}}", ["d/.hidden", "d/sub/z.csv", "d/x.csv", "d/y.dat"]),
        ("{d/e: {folder: 'data/{{ s }}'}}", ["d/e/z.csv"]),
        ("{'case_{{ n }}.ini': {file: a.txt}}", ["case_7.ini"]),
        ("{'{{ s }}/{{ n }}.ini': text}", ["sub/7.ini"]),
    ],
)
def test_a_task_finds_these_files(make: Make, inputs: str, names: list[str]) -> None:
    files = ("a.txt", "data/x.csv", "data/y.dat", "data/sub/z.csv", "data/.hidden", "odd[1].txt", "odd1.txt")
    outside = ("../common/m.dat", "../common/deep/n.dat", "data/__pycache__/x.pyc")
    text = "command: cat x\nparameters: {grid: {n: [7], k: [csv], s: [sub]}}\n"
    found = inputs_of(make(inputs, *files, *outside, text=text))
    assert sorted(one.name for one in found) == names


def test_links_are_followed_and_permissions_kept(make: Make, tmp_path: Path) -> None:
    sweep = make("[tools]", "tools/run.sh", "tools/note.txt", "elsewhere/real.txt", "tools/fixed.txt")
    folder = tmp_path / "sweep"
    (folder / "tools/run.sh").chmod(0o755)
    (folder / "tools/fixed.txt").chmod(0o444)
    (folder / "tools/link.txt").symlink_to("../elsewhere/real.txt")
    (folder / "tools/more").symlink_to("../elsewhere")
    sweep = load(folder)
    found = {one.name: one for one in inputs_of(sweep)}
    assert found["tools/link.txt"].content == found["tools/more/real.txt"].content == b"this is elsewhere/real.txt\n"
    assert (found["tools/run.sh"].mode, found["tools/fixed.txt"].mode) == (0o755, 0o444)


def test_more_than_twenty_files_are_one_archive_and_twenty_are_not(make: Make) -> None:
    names = [f"data/{number:02}.txt" for number in range(20)]
    sweep = make("[data, few]", *names, "few/a")
    sweep.recipe.keep_programs(sweep.folder)
    assert [one.archive for one in inputs_of(sweep)] == [None] * 21
    sweep = make("[data, few]", "data/one-more")
    sweep.recipe.keep_programs(sweep.folder)
    assert [(one.name, one.archive is not None) for one in inputs_of(sweep)] == [("data", True), ("few/a", False)]


@pytest.mark.parametrize("inputs", ["{d: {folder: data}}", "['data/**']"])
def test_an_archive_has_all_files_with_their_permissions_and_the_empty_folders(
    make: Make, tmp_path: Path, inputs: str
) -> None:
    names = [f"data/sub/{number}.txt" for number in range(25)]
    make(inputs, *names)
    folder = tmp_path / "sweep"
    (folder / "data/sub/3.txt").chmod(0o755)
    (folder / "data/none").mkdir()
    sweep = load(folder)
    sweep.recipe.keep_programs(tmp_path)
    (one,) = inputs_of(sweep)
    assert one.archive
    with tarfile.open(one.archive.written()) as tar:
        found = {member.name: member for member in tar}
    prefix = "" if one.name == "d" else "data/"
    assert one.name in ("d", ".")
    wanted = {f"{prefix}sub/{number}.txt" for number in range(25)}
    assert set(found) - {"none"} == wanted
    assert ("none" in found) == (one.name == "d")
    assert found[f"{prefix}sub/3.txt"].mode == 0o755 and found[f"{prefix}sub/4.txt"].mode & 0o111 == 0
    assert sorted(two.name.partition("sub")[2] for two in one.archive.inputs()) == sorted(
        f"/{number}.txt" for number in range(25)
    )


def test_an_archive_is_the_same_bytes_whatever_the_times_of_its_files(make: Make, tmp_path: Path) -> None:
    names = [f"data/{number}.txt" for number in range(25)]
    seen = set()
    for moment in (1_000_000_000, 1_500_000_000):
        sweep = make("[data]", *names)
        for name in names:
            os.utime(tmp_path / "sweep" / name, (moment, moment))
        sweep.recipe.keep_programs(tmp_path)
        seen.add(inputs_of(sweep)[0].sha256)
    assert len(seen) == 1


def test_a_folder_that_changes_before_it_was_packed_holds_its_sets_back_and_later_changes_nothing(
    make: Make, tmp_path: Path
) -> None:
    names = [f"data/{number}.txt" for number in range(25)]
    sweep = make("[data]", *names)
    sweep.recipe.keep_programs(tmp_path)
    (one,) = inputs_of(sweep)
    assert one.archive
    (tmp_path / "sweep/data/3.txt").write_text("another text\n")
    with pytest.raises(InputChanged, match=r"data/3\.txt"):
        inputs_of(sweep)
    with pytest.raises(InputChanged, match=r"data/3\.txt"):
        one.archive.written()
    again = load(tmp_path / "sweep")
    again.recipe.keep_programs(tmp_path)
    (two,) = inputs_of(again)
    assert two.archive
    before = two.archive.written().read_bytes()
    (tmp_path / "sweep/data/4.txt").write_text("changed later\n")
    (three,) = inputs_of(again)
    assert three.archive and three.archive.written().read_bytes() == before


# -- what makes another set, and what is asked about


def key(sweep: Sweep) -> bytes:
    (one,) = sweep.parameters
    return sweep.key(one.values)


@pytest.mark.parametrize("count", [3, 30])
def test_a_change_of_a_folder_makes_other_sets_and_a_change_of_a_program_in_it_asks(
    make: Make, tmp_path: Path, count: int
) -> None:
    names = [f"lib/{number}.dat" for number in range(count)]
    first = make("[main.py, lib]", *names, "lib/tool.py", "main.py", text=ONE_SET.replace("cat x", "python3 main.py"))
    folder = tmp_path / "sweep"
    before, parts = key(first), first.program()
    assert set(parts) == {"input main.py", "input lib/tool.py"}
    (folder / "lib/tool.py").write_text("another program\n")
    changed = load(folder)
    assert key(changed) == before and changed.program() != parts
    (folder / "lib/1.dat").write_text("other data\n")
    assert key(load(folder)) != before
    (folder / "lib/1.dat").write_text("this is lib/1.dat\n")
    assert key(load(folder)) == before
    (folder / "lib/new.dat").write_text("one more\n")
    assert key(load(folder)) != before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[data/x.csv]", "{data/x.csv: {file: data/x.csv}}"),
        ("[data]", "{data/x.csv: {file: data/x.csv}, data/y.csv: {file: data/y.csv}}"),
        ("['data/*']", "[data/x.csv, data/y.csv]"),
        ("{a: {file: data/x.csv}}", "{a: {file: data/x.csv, copy: true}}"),
        ("{a: 'n = {{ n }}'}", "{a: {text: 'n = <<n>>', marks: '<< >>'}}"),
    ],
)
def test_another_way_of_writing_the_same_inputs_makes_the_same_set(make: Make, one: str, other: str) -> None:
    files = ("data/x.csv", "data/y.csv")
    assert key(make(one, *files)) == key(make(other, *files))


# -- templates


def test_a_template_is_filled_like_a_text_and_marks_leave_other_braces_alone(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    folder.mkdir()
    (folder / "a.tpl").write_text("n = {{ n }}\nm = {{ n | int * 2 }}\n")
    (folder / "b.tpl").write_text("\\frac{{1}}{<<n>>} {% raw {{ n }} << n | int + 1 >>\n")
    (folder / "b.tpl").chmod(0o755)
    sweep = make("{a: {template: a.tpl}, b: {template: b.tpl, marks: '<< >>'}}")
    assert contents(sweep) == {"a": "n = 7\nm = 14\n", "b": "\\frac{{1}}{7} {% raw {{ n }} 8\n"}
    assert {one.name: one.mode for one in inputs_of(sweep)}["b"] == 0o755


def test_a_template_in_a_list_has_the_name_of_its_file(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    (folder / "decks").mkdir(parents=True)
    (folder / "decks/a.tpl").write_text("DECK {{ n }}")
    (folder / "b.tpl").write_text("DECK")
    assert contents(make("[{template: decks/a.tpl}, {template: b.tpl}]")) == {"decks/a.tpl": "DECK 7", "b.tpl": "DECK"}


@given(text=st.text(alphabet="ab{}%#<> \n", max_size=40))
def test_a_text_with_marks_is_text_wherever_no_mark_stands(text: str) -> None:
    if "<<" in text:
        return
    assert Pattern.parse(text, ("<<", ">>")).literal == text


@given(before=st.text(alphabet="ab{}% \n"), after=st.text(alphabet="ab{}% \n"))
def test_what_stands_between_marks_is_an_expression(before: str, after: str) -> None:
    segments = segments_of(f"{before}[[ n ]]{after}", ("[[", "]]"))
    assert [(one.code, one.text) for one in segments] == [(False, before), (True, "{{ n }}"), (False, after)]


# -- what is refused before anything runs


@pytest.mark.parametrize(
    ("inputs", "what", "todo"),
    [
        ("[none.txt]", "spe.yaml:3: inputs.0: the input file none.txt of inputs.none.txt is not there", "Make it"),
        ("[none/]", "the folder none of inputs.none is not there", "Make it"),
        ("['*.none']", "*.none of inputs.*.none matches no file", "relative to the folder"),
        ("[a.txt, ./a.txt]", "two inputs have the name a.txt", "another name"),
        ("[data, data/x.csv]", "two inputs have the name data/x.csv", "another name"),
        ("{data: text, data/y: text}", "the input data is a file, and data/y would lie in it", "another name"),
        ("[.]", "has this sweep with its runs/ in it", "Name what tasks need"),
        ("[..]", "has this sweep with its runs/ in it", "Name what tasks need"),
        ("{d: {folder: .}}", "has this sweep with its runs/ in it", "Name what tasks need"),
        ("{d: {folder: a.txt}}", "the folder a.txt of inputs.d is not a folder", "mend its path"),
        ("{d: {file: data}}", "the input file data of inputs.d is a folder", "{folder: data}"),
        ("{d: {folder: hollow}}", "the folder hollow of inputs.d has no file", "Mend its path"),
        ("['/tmp/x{{ n }}']", "so it has no name", "NAME: {file: PATH}"),
        ("[{text: x}]", "a text in a list has no name", "NAME: TEXT"),
        ("{a: {file: a.txt, marks: '<< >>'}}", "marks are for a text or a template", "Leave them out"),
        ("{a: {text: x, copy: true}}", "copy is for a file or a folder", "each task's own"),
        ("{a: {text: x, marks: '<<'}}", "wanted two marks with a blank between them", ""),
        ("{a: {text: x, marks: 'x y'}}", "wanted two marks with a blank between them", ""),
        ("{a: {template: none.tpl}}", "the template none.tpl can't be read: No such file", "mend its path"),
        ("{a: {template: 'x{{ n }}.tpl'}}", "the path of the template x{{ n }}.tpl has a parameter", "one file"),
        ("{a: {template: bad.tpl}}", "bad.tpl:2: {{ m }} is not defined", "There is n"),
        ("{a: {template: bad.tpl}}", "bad.tpl:2: {{ m }} is not defined", "If it is to stay so: `marks: \"<< >>\"`"),
        ("{a: 'x {{ m }}'}", "{{ m }} is not defined", "`marks: \"<< >>\"`"),
        ("{a: '{{ m }} << {{ n }}'}", "{{ m }} is not defined", "`marks: \"<% %>\"`"),
        ("{a: {file: '{{ m }}'}}", "{{ m }} is not defined", "There is n."),
        ("{a: {template: open.tpl}}", "open.tpl:3: '{{ n\\n' is not closed", "Write }}"),
        ("{'../{{ n }}': x}", "the name '../7' of inputs.../{{ n }} can't be used", "without .."),
        ("{a7: y, 'a{{ n }}': x}", "two inputs have the name a7", "another name"),
        ("{'{{ m }}.txt': x}", "{{ m }} is not defined", "n"),
    ],
)  # fmt: skip
def test_inputs_that_cannot_be_are_refused(make: Make, tmp_path: Path, inputs: str, what: str, todo: str) -> None:
    folder = tmp_path / "sweep"
    (folder / "hollow").mkdir(parents=True)
    (folder / "bad.tpl").write_text("n = {{ n }}\nm = {{ m }}\n")
    (folder / "open.tpl").write_text("\n\n{{ n\n")

    def load_and_look() -> None:
        make(inputs, "a.txt", "data/x.csv").parameters.check()

    error = refused(load_and_look)
    assert what in error.line and todo in error.todo


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("dangling", "data/x of inputs.data is a link that leads nowhere"),
        ("loop", "the link data/x of inputs.data leads back to a folder above it"),
        ("fifo", "data/x of inputs.data is not a regular file"),
        ("name", "can't be an input"),
        ("elsewhere", ""),
    ],
)
def test_a_folder_with_what_is_no_file_is_refused(make: Make, tmp_path: Path, what: str, says: str) -> None:
    folder = tmp_path / "sweep"
    (folder / "data").mkdir(parents=True)
    bad = folder / "data/x"
    if what == "dangling":
        bad.symlink_to("nowhere")
    elif what == "loop":
        bad.symlink_to("../data")
    elif what == "fifo":
        os.mkfifo(bad)
    elif what == "name":
        (folder / "data/a\nb").write_text("x")
    else:
        bad.symlink_to("/etc/hostname")
        assert len(inputs_of(make("[data]", "data/y"))) == 2
        return
    assert says in refused(lambda: make("[data]", "data/y")).line


# -- digests are remembered


def test_a_digest_is_remembered_until_the_file_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    path = tmp_path / "a"

    def digest() -> tuple[bytes, int]:
        digests = Digests(tmp_path / "runs")
        with path.open("rb") as file:
            found = digests.of_file(path, file)
            read = file.tell()
        digests.save()
        return found, read

    path.write_bytes(b"x" * 1000)
    first = digest()
    assert digest() == first, "it was written just now, so it is read again"
    info = path.stat()
    old = info.st_ctime - 10 * CALM

    class Later:
        @staticmethod
        def time() -> float:
            return info.st_ctime + 10 * CALM

    import spe.sweep.inputs.digests as module

    before, module.time = module.time, Later  # type: ignore[assignment]
    try:
        assert digest() == first
        assert digest() == (first[0], 0), "known now, and not read"
        path.write_bytes(b"y" * 1000)
        os.utime(path, (old, old))
        assert digest()[0] != first[0] and digest()[0] != first[0]
    finally:
        module.time = before
    for damage in ("", "{", '{"files": {"a": 1}}', '{"files": {}, "archives": {"k": ["zz", 1]}}', "[]"):
        (tmp_path / "runs/.digests").write_text(damage)
        assert digest()[0] != first[0]


def test_the_words_of_a_set_are_known_without_a_look_at_its_inputs(make: Make, tmp_path: Path) -> None:
    sweep = make("[big]", "big")
    (values,) = (one.values for one in sweep.parameters)
    (tmp_path / "sweep/big").unlink()
    assert sweep.recipe.started_words(values) == ("cat", "x")


def test_contents_that_are_kept_never_take_more_than_their_share(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spe.sweep.inputs.files._KEPT_BYTES", 45)
    sweep = make("[a, b, c, d, e]", *"abcde")  # 10 bytes each
    for _ in range(2):
        assert contents(sweep) == {name: f"this is {name}\n" for name in "abcde"}
        kept = sweep.recipe.files._contents
        assert 0 < sum(map(len, kept.values())) <= 45
