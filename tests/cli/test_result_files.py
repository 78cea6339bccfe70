"""Results that are files, from spe.yaml to the table and back: patterns, several, folders, what failed sets left."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from urllib.request import urlopen

import pytest
from waiting import wait_until

from .kit import Bench

WORK = """
import os, sys
n = sys.argv[1]
def put(name, text):
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    open(name, "w").write(text)
put(f"out/out_{n}.dat", f"data {n}")
if n != "3":
    put("frames/1.png", f"one of {n}"); put("frames/2.png", "two"); put("frames/notes.txt", "no")
put("tree/a/b.txt", "deep"); put("tree/.c", "")
put(f"log_{n}.txt", f"n = {n}")
print(n)
"""
YAML = """
command: ./work {{ n }}
parameters: {grid: {n: [1, 2]}}
attempts: 1
"""
RESULTS = """
results:
  trace: "out/out_{{ n }}.dat"
  frames: {from: "frames/*.png", as: files}
  tree: {from: tree/, as: folder}
  n_read: {from: "log_{{n}}.txt", regex: 'n = (\\d+)', as: int}
"""


def write(bench: Bench, results: str = RESULTS, more: str = "") -> None:
    bench.python(WORK)
    bench.write("spe.yaml", YAML + results + more)


def kept(bench: Bench, below: str = "files") -> set[str]:
    root = bench.runs() / below
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def of_set(number: int) -> set[str]:
    names = (f"out/out_{number}.dat", "frames/1.png", "frames/2.png", "tree/a/b.txt", "tree/.c")
    return {f"{number}/{name}" for name in names}


# -- before anything runs


@pytest.mark.parametrize(
    ("line", "said", "todo"),
    [
        ('  x: "out_*.dat"', "as: file reads one file, and 'out_*.dat' is a pattern", '{from: "out_*.dat", as: files}'),
        ('  x: {from: "out_?.dat", as: float}', "as: float reads one file, and 'out_?.dat'", "as: files"),
        ('  x: {from: "a*", as: folder}', "as: folder reads one folder, and 'a*'", "as: files"),
        ("  x: out/", "'out/' is a folder, and as: file reads one file", '{from: "out/", as: folder}'),
        ("  x: {from: out/, as: json}", "'out/' is a folder, and as: json reads one file", "as: folder"),
        ("  x: {from: out/, as: files}", "'out/' is a folder, and as: files reads files", "as: folder"),
        ("  x: {from: stdout, as: files}", "as: files reads files, and stdout is none", "as: file or text"),
        ("  x: {as: folder}", "as: folder reads files, and stdout is none", "as: file or text"),
        ("  x: {from: f, as: files, regex: y}", "regex and as: files don't go together", "Take as: text"),
        ("  x: {from: f, as: folder, min: 1}", "min is for numbers, this is folder", "as: float"),
        ('  x: {from: "out_{{ m }}.dat", as: file}', "{{ m }} is not defined", "There are n, worker."),
        ('  x: "out_{{ n .dat"', "{{", ""),
        ('  x: "../{{ n }}.dat"', "without ..", ""),
        ('  x: {from: "/{{ n }}/*", as: files}', "a relative path", ""),
        ('  x: {from: "f{{ n }}", as: filez}', "text, int, float, json, file, files or folder", "Did you mean file"),
    ],
)  # fmt: skip
def test_what_can_match_nothing_is_refused_with_its_line(bench: Bench, line: str, said: str, todo: str) -> None:
    write(bench, f"results:\n  y: stdout\n{line}\n")
    error = bench.refused("run")
    assert "spe.yaml:7: results.x" in error
    assert said in error and todo in error
    assert not bench.runs().exists()


@pytest.mark.parametrize("value", ["../x", "a/../../b", "", "a\tb", "*"])
def test_a_value_that_makes_no_path_of_a_pattern_is_refused_with_the_set(bench: Bench, value: str) -> None:
    bench.python(WORK)
    bench.write("p.csv", f'n\n1\n"{value}"\n')
    bench.write("spe.yaml", "command: ./work {{ n }}\nparameters: p.csv\nresults: {x: '{{ n }}'}\n")
    error = bench.refused("run")
    assert "`from` is" in error and "for this set" in error


# -- the whole way


def test_files_are_kept_under_their_own_paths_and_the_table_names_them(bench: Bench) -> None:
    write(bench)
    bench.ok("run")
    rows = bench.rows()
    assert [row["trace"] for row in rows] == ["files/1/out/out_1.dat", "files/2/out/out_2.dat"]
    assert {(row["frames"], row["tree"]) for row in rows[:1]} == {("files/1/frames", "files/1/tree")}
    assert [row["n_read"] for row in rows] == ["1", "2"]
    assert kept(bench) == of_set(1) | of_set(2)
    assert (bench.runs() / "files/2/frames/1.png").read_text() == "one of 2"
    files = json.loads(bench.query("SELECT raw FROM outputs WHERE task = 1 AND name = 'tree'")[0][0])
    assert files == [[".c", 0], ["a/b.txt", 4]]
    with sqlite3.connect(bench.runs() / "sweep.db") as view:
        assert view.execute("SELECT frames FROM results WHERE number = 2").fetchall() == [("files/2/frames",)]


def test_a_set_without_a_match_has_failed_and_retry_counts_it_as_missing(bench: Bench) -> None:
    write(bench, more="retry: {missing: 2}\n")
    bench.write("spe.yaml", (bench.folder / "spe.yaml").read_text().replace("n: [1, 2]", "n: [3]"))
    assert bench.spe("run").code == 1
    (row,) = bench.rows(file="failed.csv")
    assert row["reason"].startswith("result files frames/*.png were not written: none matches")
    assert len(bench.query("SELECT id FROM tickets")) == 2
    assert not kept(bench)


def test_a_value_with_a_wildcard_is_a_name_and_matches_itself_alone(bench: Bench) -> None:
    bench.worker('mkdir f; echo "$1" > "f/$1.x"; echo no > f/zzz.x')
    bench.write("p.csv", "n\na*b\n[q]\n")
    bench.write(
        "spe.yaml", "command: ./work {{ n }}\nparameters: p.csv\nresults: {x: {from: 'f/{{ n }}.*', as: files}}\n"
    )
    bench.ok("run")
    assert kept(bench) == {"1/f/a*b.x", "2/f/[q].x"}


def test_a_file_that_is_also_an_input_is_the_tasks_own(bench: Bench) -> None:
    bench.write("data/big.dat", b"x" * 2_000_000)
    bench.worker("echo more >> data/big.dat")
    bench.write(
        "spe.yaml",
        "command: ./work\ninputs: {data/big.dat: {file: data/big.dat}}\nresults: {all: {from: data, as: folder}}\n",
    )
    bench.ok("run")
    assert (bench.runs() / "files/1/data/big.dat").stat().st_size == 2_000_005
    assert (bench.folder / "data/big.dat").stat().st_size == 2_000_000


def test_fresh_results_replace_all_files_of_the_old_ones(bench: Bench) -> None:
    write(bench)
    bench.ok("run")
    bench.python(WORK.replace('put("frames/2.png", "two")', 'put("frames/3.png", "three")').replace("a/b.txt", "a"))
    bench.ok("run", "--fresh")
    found = {name.removeprefix("1/") for name in kept(bench) if name.startswith("1/")}
    assert found == {"out/out_1.dat", "frames/1.png", "frames/3.png", "tree/a", "tree/.c"}
    assert not (bench.runs() / "incoming").exists()


def test_other_results_are_made_of_what_is_stored_and_the_way_back_finds_all(bench: Bench) -> None:
    write(bench)
    bench.ok("run")
    before = kept(bench)
    others = RESULTS.replace("frames:", "pictures:").replace("  tree: {from: tree/, as: folder}\n", "")
    write(bench, others.replace("trace: ", "curve: "))
    bench.ok("run")
    assert [row["pictures"] for row in bench.rows()] == ["files/1/frames", "files/2/frames"]
    assert [row["curve"] for row in bench.rows()] == ["files/1/out/out_1.dat", "files/2/out/out_2.dat"]
    assert len(bench.query("SELECT id FROM tickets")) == 2, "nothing has run"
    assert {name for name in kept(bench) if "/.kept/" in name} == {
        f"{number}/.kept/tree%2F/{name}" for number in (1, 2) for name in (".c", "a/b.txt")
    }
    write(bench)
    bench.ok("collect")
    assert kept(bench) == before
    assert not list(bench.runs().glob("files/*/.kept"))
    assert [row["tree"] for row in bench.rows()] == ["files/1/tree", "files/2/tree"]


def test_a_result_of_several_files_is_none_of_one_file_and_the_cell_stays_empty(bench: Bench) -> None:
    write(bench)
    bench.ok("run")
    write(bench, RESULTS + '  more: {from: "frames/*", as: files}\n')
    done = bench.spe("run")
    assert done.code == 1 and "2 sets have an empty cell" in done.err
    assert [row["more"] for row in bench.rows()] == ["", ""]
    bench.ok("run", "--missing")
    assert [row["more"] for row in bench.rows()] == ["files/1/frames", "files/2/frames"]
    assert "1/frames/notes.txt" in kept(bench)


def test_files_that_somebody_removed_count_as_not_stored(bench: Bench) -> None:
    write(bench)
    bench.ok("run")
    (bench.runs() / "files/1/frames/2.png").unlink()
    write(bench, RESULTS.replace("frames:", "pictures:"))
    assert bench.spe("run").code == 1
    assert [row["pictures"] for row in bench.rows()] == ["", "files/2/frames"]


def test_paths_that_an_earlier_version_gave_stay_as_they_are(bench: Bench) -> None:
    write(bench, "results: {trace: 'out/out_{{ n }}.dat'}\n")
    bench.ok("run")
    for number in (1, 2):  # what 0.1.0 made: the result's name and the file's ending
        home = bench.runs() / f"files/{number}"
        (home / f"out/out_{number}.dat").rename(home / "trace.dat")
        (home / "out").rmdir()
    with sqlite3.connect(bench.runs() / "sweep.db") as database:
        place = "'files/' || task || '/trace.dat'"
        database.execute(f"UPDATE outputs SET file = {place}, value = {place}")
    bench.ok("run")
    write(bench, "results: {trace: 'out/out_{{ n }}.dat', y: stdout}\n")
    bench.ok("collect")
    assert [row["trace"] for row in bench.rows()] == ["files/1/trace.dat", "files/2/trace.dat"]
    assert len(bench.query("SELECT id FROM tickets")) == 2
    write(bench, "results: {curve: 'out/out_{{ n }}.dat'}\n")
    bench.ok("collect")
    assert [row["curve"] for row in bench.rows()] == ["files/1/out/out_1.dat", "files/2/out/out_2.dat"]
    assert kept(bench) == {"1/out/out_1.dat", "2/out/out_2.dat"}


def test_hooks_get_the_folder_before_and_after_it_has_its_place(bench: Bench) -> None:
    write(bench, more="validate: [non_empty, hooks.py:check]\ncollect: hooks.py:gather\n")
    bench.write(
        "hooks.py",
        "import pathlib\n"
        "def names(folder):\n"
        "    return sorted(str(one.relative_to(folder)) for one in folder.rglob('*') if one.is_file())\n"
        "def check(task, result):\n"
        "    assert names(result.path('tree')) == ['.c', 'a/b.txt'], names(result.path('tree'))\n"
        "    text = (result.path('frames') / '1.png').read_text()\n"
        "    return text == f'one of {task.parameters[\"n\"]}' or text\n"
        "def gather(task, result):\n"
        "    with open('gathered', 'a') as file:\n"
        "        print(task.number, names(result.path('frames')), result['frames'], file=file)\n",
    )
    bench.ok("run")
    lines = sorted((bench.folder / "gathered").read_text().splitlines())
    assert lines == [f"{number} ['1.png', '2.png'] files/{number}/frames" for number in (1, 2)]


def test_the_files_of_a_result_are_too_large_together_and_it_says_so(bench: Bench) -> None:
    write(bench, more="max_result: 10 B\n")
    assert bench.spe("run").code == 1
    assert "result frames is 11 bytes, more than max_result" in bench.rows(file="failed.csv")[0]["reason"]


# -- what people see of them


def test_the_page_has_a_link_to_each_file(bench: Bench) -> None:
    write(bench, more="hosts: [localhost slots=1]\n")
    bench.python(WORK + "\nimport time\nwhile n == '2' and not os.path.exists(sys.argv[2]): time.sleep(0.02)\n")
    gate = bench.folder / "gate"
    text = (bench.folder / "spe.yaml").read_text().replace("./work {{ n }}", f"./work {{{{ n }}}} {gate}")
    bench.write("spe.yaml", text)
    started = bench.start("run")
    try:
        wait_until(lambda: (bench.runs() / "files/1/tree/.c").exists(), "the first set is not done")
        page = wait_until(lambda: json.loads((bench.runs() / "master.json").read_text())["page"], "no page")
        base, _, token = page.partition("?")

        def task() -> str | None:
            found = str(urlopen(f"{base}task/1?{token}").read().decode())
            return found if "file/frames/1" in found else None

        text = wait_until(task, "the page has no link to the second file")
        assert "files/1/frames/2.png" in text
        reply = urlopen(f"{base}task/1/file/frames/0?{token}")
        assert reply.read() == b"one of 1"
        assert 'filename="1-1.png"' in reply.headers["Content-Disposition"]
    finally:
        gate.touch()
    assert started.end().code == 0


def test_spe_files_lists_and_copies_them_under_their_own_names(bench: Bench, tmp_path: Path) -> None:
    write(bench)
    bench.ok("run")
    listed = bench.ok("files", "1", "--json").json
    assert {one["file"] for one in listed} == {f"files/{name}" for name in of_set(1)}
    assert {(one["result"], one["name"], one["bytes"]) for one in listed} >= {("tree", "tree/a/b.txt", 4)}
    assert "files/1/out/out_1.dat" in bench.ok("files", "1").out
    target = tmp_path / "here"
    bench.ok("files", "1", "frames", "trace", "--to", str(target))
    found = {str(path.relative_to(target)): path.read_text() for path in target.rglob("*") if path.is_file()}
    assert found == {"frames/1.png": "one of 1", "frames/2.png": "two", "out/out_1.dat": "data 1"}
    refused = bench.refused("files", "1", "frames", "--to", str(target))
    assert "it is there already" in refused
    assert "There are trace, frames, tree." in bench.refused("files", "1", "n_read")


def test_spe_log_and_show_name_the_files_and_print_no_list_of_ours(bench: Bench) -> None:
    write(bench)
    bench.ok("run")
    log = bench.ok("log", "1").out
    assert "files/1/frames/2.png" in log and "[[" not in log
    shown = bench.ok("show", "1")
    assert "files/1/frames/ (2 files: `spe files`)" in shown.out
    told = bench.ok("show", "1", "--json").json
    assert told["file_lists"]["tree"][1] == {"file": "files/1/tree/a/b.txt", "bytes": 4}


# -- what failed sets left

LEFT = "keep_failed: 20 kB\ninputs: {deck.inp: 'n = {{ n }}'}\n"
FAILS = (
    WORK
    + """
put("big", "x" * 30000)
os.symlink("/etc/passwd", "link")
if os.path.exists(sys.argv[2]): print("fine")
elif n == "1": sys.exit(3)
else: print("no number")
"""
)


def test_the_files_of_failed_sets_can_be_had_until_the_set_is_done(bench: Bench, tmp_path: Path) -> None:
    gate = bench.folder / "gate"
    bench.python(FAILS)
    text = YAML.replace("{{ n }}", "{{ n }} " + str(gate), 1).replace("attempts: 1", "attempts: 2")
    bench.write("spe.yaml", f"{text}results: {{y: {{from: stdout, regex: fine}}}}\n{LEFT}")
    assert bench.spe("run").code == 1
    names = {name.removeprefix("1/") for name in of_set(1)} | {"frames/notes.txt", "log_1.txt"}
    listed = bench.ok("files", "1", "--json").json
    assert {one["name"] for one in listed} == names | {"deck.inp"}
    assert {one["result"] for one in listed} == {None}
    assert "(failed)  failed/2/deck.inp" in bench.ok("files", "2").out, "a result that was rejected is no other failure"
    assert "-- kept of them: `spe files 2`" in bench.ok("log", "2").out
    bench.ok("files", "2", "--to", str(tmp_path / "left"))
    assert (tmp_path / "left/deck.inp").read_text() == "n = 2"
    assert (tmp_path / "left/frames/1.png").read_text() == "one of 2"
    gate.touch()
    bench.ok("retry")
    assert bench.ok("files", "1").out == ""
    assert not (bench.runs() / "failed").exists()
    bench.assert_nothing_left()


def test_without_keep_failed_nothing_is_kept_and_the_command_says_what_would(bench: Bench) -> None:
    write(bench, "results: {y: {from: stdout, regex: fine}}\n")
    assert bench.spe("run").code == 1
    done = bench.ok("files", "1")
    assert done.out == "" and "`keep_failed: 10 MB`" in done.err
    assert not (bench.runs() / "failed").exists()


def test_each_failed_set_has_its_own_files_also_when_many_fail_one_after_the_other(bench: Bench) -> None:
    bench.worker('echo "$1" > mine; exit 3')
    sets = "command: ./work {{ n }}\nparameters: {grid: {n: {range: [1, 60]}}}\nattempts: 1\n"
    bench.write("spe.yaml", f"{sets}stop_alike: 0\nkeep_failed: 1 kB\nhosts: [localhost slots=1]\n")
    assert bench.spe("run").code == 1
    assert kept(bench, "failed") == {f"{n}/mine" for n in range(1, 61)}
    for n in range(1, 61):
        assert (bench.runs() / f"failed/{n}/mine").read_text() == f"{n}\n"


def test_the_files_of_an_earlier_failure_are_gone_when_a_later_one_leaves_none(bench: Bench) -> None:
    bench.worker("[ -e $2 ] || echo one > mine; exit 3")
    gate = bench.folder / "gate"
    text = f"command: ./work {{{{ n }}}} {gate}\nparameters: {{grid: {{n: [1, 2]}}}}\nattempts: 1\n"
    bench.write("spe.yaml", f"{text}keep_failed: 1 kB\n")
    assert bench.spe("run").code == 1
    assert kept(bench, "failed") == {"1/mine", "2/mine"}
    bench.write("spe.yaml", text)
    assert bench.spe("retry", "1").code == 1
    assert kept(bench, "failed") == {"2/mine"}, "without keep_failed"
    assert "has no files" in bench.ok("files", "1").err
    gate.touch()
    bench.write("spe.yaml", f"{text}keep_failed: 1 kB\n")
    assert bench.spe("retry", "2").code == 1
    assert not (bench.runs() / "failed").exists(), "with keep_failed, and nothing to keep"


def test_files_that_are_too_large_to_be_kept_are_named(bench: Bench) -> None:
    bench.worker("echo one > small; head -c 3000 /dev/zero > large; exit 3")
    bench.write("spe.yaml", "command: ./work\nkeep_failed: 1 kB\nattempts: 1\n")
    assert bench.spe("run").code == 1
    done = bench.ok("files", "1")
    assert "failed/1/small" in done.out and "large" not in done.out
    assert done.err.startswith("task 1: not kept (over `keep_failed`, or ") and "): large (3.0 kB), work (" in done.err


def test_the_files_of_all_failed_sets_are_listed_and_copied_together(bench: Bench, tmp_path: Path) -> None:
    bench.worker('[ $1 = 2 ] && exit 0; echo "$1" > mine; exit 3')
    sets = "command: ./work {{ n }}\nparameters: {grid: {n: [1, 2, 3]}}\n"
    bench.write("spe.yaml", f"{sets}keep_failed: 1 kB\nattempts: 1\n")
    assert bench.spe("run").code == 1
    done = bench.ok("files", "--failed", "--to", str(tmp_path / "left"))
    assert [line.split()[:3] for line in done.out.splitlines()[1:]] == [
        ["1", "(failed)", "failed/1/mine"], ["3", "(failed)", "failed/3/mine"],
    ]  # fmt: skip
    assert (tmp_path / "left/1/mine").read_text() == "1\n" and (tmp_path / "left/3/mine").read_text() == "3\n"
    assert [one["task"] for one in bench.ok("files", "--failed", "--json").json] == [1, 3]
    assert "spe files --failed" in bench.refused("files")
    assert "spe files --failed" in bench.refused("files", "1", "--failed")


REFUSED = """
command: ./work {{ n }}
parameters: {grid: {n: [1, 2]}}
results: {log: "out/log_{{ n }}.txt", y: {from: stdout, as: float}, tree: {from: tree, as: folder}}
attempts: 1
"""


def test_a_set_whose_stored_value_is_refused_is_not_to_be_computed_again(bench: Bench, tmp_path: Path) -> None:
    bench.worker('mkdir out tree; echo "l $1" > out/log_$1.txt; echo t > tree/t; echo "$1"; echo . >> "$LOG"')
    bench.write("spe.yaml", REFUSED)
    bench.ok("run")
    bench.write("spe.yaml", REFUSED.replace("as: float", "as: float, min: 2"))
    done = bench.spe("run")
    assert done.code == 1
    assert "it has a stored value that `results` refuses: correct `results`, then `spe run` takes it" in done.err
    assert "try them again with" not in done.err
    assert "`spe retry` tries it again" not in bench.ok("why", "1").out
    assert "correct `results`, then `spe run`" in bench.ok("why", "1").out
    bench.ok("files", "1", "--to", str(tmp_path / "there"))
    assert (tmp_path / "there/out/log_1.txt").read_text() == "l 1\n"
    assert (tmp_path / "there/tree/t").read_text() == "t\n"
    bench.write("spe.yaml", REFUSED)
    bench.ok("run")
    assert len(bench.rows()) == 2 and len(bench.logged()) == 2


def test_a_failed_set_beside_a_refused_one_is_told_apart_from_it(bench: Bench) -> None:
    bench.worker('[ $1 = 3 ] && exit 3; echo "$1"')
    text = REFUSED.replace("[1, 2]", "[1, 2, 3]").replace('log: "out/log_{{ n }}.txt", ', "")
    text = text.replace(", tree: {from: tree, as: folder}", "")
    bench.write("spe.yaml", text)
    assert bench.spe("run").code == 1
    bench.write("spe.yaml", text.replace("as: float", "as: float, min: 2"))
    done = bench.spe("run")
    assert "try them again with `spe retry`" in done.err
    assert "1 of them has a stored value that `results` refuses" in done.err


def test_results_have_one_order_everywhere(bench: Bench) -> None:
    bench.worker("echo 1; echo a > zebra.txt; echo b > mid.txt")
    bench.write("spe.yaml", "command: ./work\nresults: {zebra: zebra.txt, apple: stdout, mid: mid.txt}\n")
    check = bench.ok("check").out
    bench.ok("run")
    order = ["zebra", "apple", "mid"]
    assert [name for name in bench.rows()[0] if name in order] == order
    for out in (check, bench.ok("show", "1").out):
        assert [line.split()[0] for line in out.splitlines() if line.split()[:1] and line.split()[0] in order] == order
    assert [line.split()[0] for line in bench.ok("files", "1").out.splitlines()[1:]] == ["zebra", "mid"]


def test_the_log_has_what_was_printed_once_and_of_files_the_paths_and_values(bench: Bench) -> None:
    bench.worker("for i in 1 2 3; do echo row $i; done | tee table.csv; cp table.csv run.log; echo why >&2")
    text = "command: ./work\nresults: {last: {from: table.csv, regex: 'row (3)', as: int}, log: run.log, %s}\n"
    bench.write("spe.yaml", text % "first: {from: stdout, regex: 'row (.)'}, all: stdout, cut: {from: run.log}")
    bench.ok("run")
    path = bench.ok("log", "1").out.split("-- result log: ")[1].split("\n")[0]
    assert (bench.folder / path).read_text() == "row 1\nrow 2\nrow 3\n"
    assert bench.ok("log", "1").out == (
        "== task 1 (), ticket 1 on localhost: accepted\n-- stdout\nrow 1\nrow 2\nrow 3\n-- stderr\nwhy\n"
        f"-- result last: 3\n-- result log: {path}\n-- result first: 1\n-- result cut\nrow 1\nrow 2\nrow 3\n"
    )
