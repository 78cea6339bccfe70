"""`spe run --dry` says what a run would do, and does nothing; `spe init --from-run` writes what a line did."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.line.one_liner import OneLiner
from spe.sweep.pattern import split
from spe.sweep.segments import segments_of
from spe.sweep.written import as_yaml

from .kit import Bench

LINE = ("-p", "x=1:3", "--", "./work", "{{ x }}")


@pytest.fixture
def work(bench: Bench) -> Bench:
    bench.worker('echo "$1" >> "$LOG"; [ "$1" != 2 ] || exit 3; echo "$1"\n')
    return bench


def test_before_the_first_run_all_is_new_and_nothing_is_made(work: Bench) -> None:
    done = work.ok("run", "--dry", *LINE)
    assert done.out == "new\t\t./work 1\nnew\t\t./work 2\nnew\t\t./work 3\n"
    assert "3 sets of work: 3 to do" in done.err
    assert not (work.folder / "runs").exists() and not work.logged()


def test_it_tells_new_done_failed_and_changed_sets_apart(work: Bench) -> None:
    assert work.spe("run", "--attempts", "1", *LINE).code == 1
    ran = len(work.logged())
    four = ("-p", "x=1:4", "--", "./work", "{{ x }}")
    done = work.ok("run", "--dry", *four)
    assert done.out == "done\t1\t./work 1\nfailed\t2\t./work 2\ndone\t3\t./work 3\nnew\t\t./work 4\n"
    assert "4 sets of work: 1 to do, 1 failed, 2 done" in done.err and "`spe retry`" in done.err
    work.worker((work.folder / "work").read_text() + "# another program\n")
    found = work.ok("run", "--dry", "--json", *four).json
    assert [one["state"] for one in found["sets"]] == ["changed", "failed", "changed", "new"]
    assert found["counts"] == {"changed": 2, "failed": 1, "new": 1} and found["changed"] == ["work"]
    assert "2 done by another program" in work.ok("run", "--dry", *four).err
    assert len(work.logged()) == ran, "nothing was run"


def test_mistakes_are_told_as_by_a_run(work: Bench) -> None:
    refused = work.refused("run", "--dry", "-p", "x=1:3", "--", "./work", "{{ y }}")
    assert "{{ y }} is not defined" in refused


def test_what_a_line_did_is_written_as_a_file_and_nothing_runs_again(work: Bench) -> None:
    work.write("a b.txt", "data")
    work.ok("run", "-p", "x=1,3", "-p", "y=a b,1..5,c", "--input", "a b.txt", "--env", "WORD=it's", "--timeout", "1h",
            "--result", "n=stdout:int", "-j", "2", "--", "./work", "{{ x }}", "it's {{ y }} $HOME", "")  # fmt: skip
    assert "wrote spe.yaml" in work.ok("init", "--from-run").err
    again = work.ok("run")
    assert "6 sets: 6 done before, 0 failed before, 0 to do" in again.err, again
    assert "name: work" in (work.folder / "spe.yaml").read_text()
    assert "it exists already" in work.refused("init", "--from-run")


def test_what_was_added_to_a_line_is_written_with_it(work: Bench) -> None:
    work.worker('echo "$1"\n')
    work.ok("run", *LINE)
    work.ok("run", "--add", "-p", "x=7,8", "--", "./work", "{{ x }}")
    work.ok("init", "--from-run")
    assert "5 sets: 5 done before" in work.ok("run").err
    assert sorted(work.column("stdout", "work")) == ["1", "2", "3", "7", "8"]


@pytest.mark.parametrize(
    "value", ["a\x85b", "a\u2028b", "\ufeffa", "null", "1:30", " a ", "tab\there", "\x07", "ä", "a\u200bb"]
)
def test_values_come_back_from_the_file_as_they_were(work: Bench, value: str) -> None:
    work.worker('printf "%s" "$1"\n')
    work.write("list", value + "\n")
    work.ok("run", "-p", "x=@list", "--", "./work", "{{ x }}")
    work.ok("init", "--from-run")
    assert "1 set: 1 done before" in work.ok("run").err


def test_without_a_line_there_is_nothing_to_write(work: Bench) -> None:
    assert "nothing has run by a command line" in work.refused("init", "--from-run")
    work.write("spe.yaml", "command: ./work 1\n")
    work.ok("run")
    (work.folder / "spe.yaml").unlink()
    assert "the sweep used last here was not made by a command line" in work.refused("init", "--from-run")
    assert "-n is for --from-run" in work.refused("init", "-n", "x")


def test_what_options_gave_is_written_as_people_write_it(work: Bench) -> None:
    given = ("--attempts", "2", "--once", "--delete-client", "no", "--env", "N=3", "-p", "x=1")
    work.ok("run", "-q", *given, "--", "true")
    work.ok("init", "--from-run")
    text = (work.folder / "spe.yaml").read_text()
    for line in ("attempts: 2", "once: true", "delete_client: false", "  N: '3'"):
        assert line in text.splitlines(), text
    assert "1 done" in work.ok("run", "--dry").err


def test_a_glob_that_matches_the_program_says_how_to_leave_it_out(work: Bench) -> None:
    work.write("a.txt", "1")
    said = work.refused("run", "-p", "f=glob:*", "--", "./work", "{{f}}")
    assert "work is the program" in said and "`where: f != 'work'` (--where)" in said
    work.ok("run", "-q", "-p", "f=glob:*", "--where", "f != 'work'", "--", "./work", "{{f}}")


def canonical(word: str) -> list[tuple[bool, str]]:
    return [(one.code, one.text) for one in segments_of(word) if one.text]


TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0{}\r\x85\u2028\u2029"))
WORDS = st.lists(TEXTS | st.sampled_from(["{{ x }}", "a{{ x }}b c", "{{ 'a b' }}'"]), min_size=1)


@given(WORDS)
def test_any_words_come_back_from_the_file(words: list[str]) -> None:
    import yaml

    data = yaml.safe_load(as_yaml(OneLiner(tuple(words)), "n"))
    found = [[(one.code, one.text) for one in word.segments if one.text] for word in split(data["command"])]
    assert found == [canonical(word) for word in words], json.dumps(data)
