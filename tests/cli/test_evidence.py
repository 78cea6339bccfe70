"""Every failure carries its evidence, and `spe log --failed` shows them one after another."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from waiting import wait_until

from .kit import Bench, Done

SAMPLES = Path(__file__).resolve().parents[1] / "store" / "samples"
KINDS = ["fine", "code", "segv", "time", "none", "bad", "many"]
WORKER = r"""
echo "begun $1"
case $1 in
  code) mkdir sub; printf 12345 > sub/data.txt; : > "$(printf 'a\033[2Jb\nc')"; echo one >&2; echo two >&2; exit 3 ;;
  segv) : > core-of-it; kill -SEGV $$ ;;
  time) echo waits >&2; exec sleep 60 ;;
  none) echo 1 > Out.txt; exit 0 ;;
  bad) echo x > out.txt; exit 0 ;;
  many) i=0; while [ $i -lt 130 ]; do : > "f$i"; i=$((i + 1)); done; exit 1 ;;
esac
echo 5 > out.txt
"""


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A sweep in which each set fails in its own way, but one."""
    bench = Bench(tmp_path_factory.mktemp("evidence"))
    bench.worker(WORKER)
    bench.write("spe.yaml", f"""
command: ./work {{{{ kind }}}}
parameters: {{grid: {{kind: [{", ".join(KINDS)}]}}}}
inputs: {{run.ini: "kind = {{{{ kind }}}}"}}
results: {{y: {{from: out.txt, as: int}}}}
attempts: 1
timeout: 3
hosts: [localhost slots=1]
""")  # fmt: skip
    done = bench.spe("run", seconds=120)
    assert done.code == 1, done
    return bench


def test_programs_are_told_the_same_output_as_people_of_sets_that_are_done(bench: Bench) -> None:
    import spe

    bench.write(
        "spe.yaml",
        "name: t\ncommand: sh -c 'echo before; echo y={{ x }}; echo warns >&2'\nparameters: {grid: {x: [1, 2]}}\n"
        "results: {y: {from: stdout, regex: 'y=(.*)', as: int}}\nhosts: [localhost]\n",
    )
    bench.ok("run", "-q")

    def all_say() -> None:
        for number in (1, 2):
            printed = f"before\ny={number}\n"
            assert f"-- stdout\n{printed}-- stderr\nwarns\n" in bench.ok("log", str(number)).out
            (task,) = bench.ok("log", str(number), "--json").json
            shown = [(one["stdout"], one["stderr"]) for one in task["tickets"] if one["state"] == "accepted"]
            assert shown == [(printed, "warns\n")]
            log = spe.open(bench.runs("t")).log(number)
            assert (log.stdout, log.stderr) == (printed, "warns\n")

    all_say()
    old = "{from: stdout, regex: 'y=(.*)', as: int}"
    bench.write("spe.yaml", (bench.folder / "spe.yaml").read_text().replace(old, "z.txt"))
    bench.spe("collect")
    all_say()


def told(bench: Bench, kind: str) -> dict[str, Any]:
    """The attempt at this set, without such that were fetched ahead and given back."""
    (task,) = bench.ok("log", str(KINDS.index(kind) + 1), "--json").json
    (ticket,) = [one for one in task["tickets"] if one["state"] != "expired"]
    return dict(ticket)


def test_an_exit_code_comes_with_the_end_of_stderr_and_the_files_there(failed: Bench) -> None:
    ticket = told(failed, "code")
    assert (ticket["exit_code"], ticket["reason"]) == (3, "exit code 3: two")
    assert (ticket["stdout"], ticket["stderr"]) == ("begun code\n", "one\ntwo\n")
    assert ticket["files"] == [
        {"name": "a\\x1b[2Jb\\nc", "size": 0}, {"name": "run.ini", "size": 11}, {"name": "sub/", "size": None},
        {"name": "work", "size": (failed.folder / "work").stat().st_size}, {"name": "sub/data.txt", "size": 5},
    ]  # fmt: skip
    assert ticket["more_files"] == 0


def test_a_signal_is_named(failed: Bench) -> None:
    ticket = told(failed, "segv")
    assert (ticket["exit_code"], ticket["reason"]) == (-11, "killed by signal 11 (SIGSEGV)")
    assert [one["name"] for one in ticket["files"]] == ["core-of-it", "run.ini", "work"]


def test_a_timeout_says_so_with_what_was_printed_until_then(failed: Bench) -> None:
    ticket = told(failed, "time")
    assert ticket["reason"] == "timeout after 3 s: waits"
    assert ticket["stdout"] == "begun time\n"
    assert [one["name"] for one in ticket["files"]] == ["run.ini", "work"]


def test_a_host_that_is_gone_is_told_of_each_attempt_and_of_the_set(bench: Bench) -> None:
    """The program kills its client, which is the parent of the process that started it."""
    bench.worker("kill -9 $(ps -o ppid= -p $PPID); exec sleep 60")
    bench.write("spe.yaml", "command: ./work\nhosts: [localhost slots=1]\n")
    assert bench.spe("run", seconds=120).code == 1
    (task,) = bench.ok("log", "1", "--json").json
    assert task["reason"] == "3 clients were lost while they ran it, the last one on localhost"
    assert [(one["state"], one["reason"]) for one in task["tickets"]] == [("lost", "its client was killed")] * 3
    assert all(one["files"] is None and one["more_files"] is None for one in task["tickets"]), "nobody saw them"
    lines = bench.ok("log", "--failed").out.splitlines()
    assert lines[0] == f"== task 1 (): failed: {task['reason']}"
    assert [line.partition("on ")[2] for line in lines[1:]] == ["localhost: lost: its client was killed"] * 3
    (shown,) = bench.ok("show", "1", "--json").json["tickets"][:1]
    assert (shown["read"], shown["written"]) == (None, None)


def test_a_result_that_was_not_written_comes_with_what_was(failed: Bench) -> None:
    ticket = told(failed, "none")
    assert ticket["reason"] == "result file out.txt was not written"
    assert {"name": "Out.txt", "size": 2} in ticket["files"]
    why = failed.ok("why", str(KINDS.index("none") + 1)).out
    assert "  its directory had: Out.txt (2 bytes), run.ini (11 bytes), work (" in why


def test_a_rejected_result_has_its_reason_and_what_lay_beside_it(failed: Bench) -> None:
    ticket = told(failed, "bad")
    assert (ticket["state"], ticket["reason"]) == ("rejected", "y: 'x' is not an int")
    assert {"name": "out.txt", "size": 2} in ticket["files"]


def test_a_result_that_a_hook_could_not_judge_has_them_too(bench: Bench) -> None:
    bench.worker("echo 1; : > beside")
    bench.write("hooks.py", "def check(task, result):\n    raise RuntimeError('no')\n")
    bench.write("spe.yaml", "command: ./work\nvalidate: hooks.py:check\n")
    assert bench.spe("run").code == 1
    (ticket,) = bench.ok("show", "1", "--json").json["tickets"]
    assert {"name": "beside", "size": 0} in ticket["files"]


def test_a_result_that_is_called_files_is_no_list_of_files(bench: Bench) -> None:
    bench.worker("echo 12 names > out.txt")
    bench.write("spe.yaml", "command: ./work\nresults: {files: {from: out.txt, as: int}}\nattempts: 1\n")
    assert bench.spe("run").code == 1
    (ticket,) = bench.ok("show", "1", "--json").json["tickets"]
    assert (ticket["state"], ticket["files"]) == ("rejected", None)


def test_of_very_many_files_the_first_are_named_and_the_others_counted(failed: Bench) -> None:
    ticket = told(failed, "many")
    assert (len(ticket["files"]), ticket["more_files"]) == (100, 32)
    assert failed.ok("log", str(KINDS.index("many") + 1)).out.endswith("\nand 32 more\n")
    assert ", 122 more\n" in failed.ok("why", str(KINDS.index("many") + 1)).out


def test_all_failures_are_shown_one_after_another_and_none_steers_the_terminal(failed: Bench) -> None:
    out = failed.ok("log", "--failed").out
    heads = [line for line in out.splitlines() if line.startswith("== ")]
    kinds = [head.partition("(kind=")[2].partition(")")[0] for head in heads]
    assert kinds == KINDS[1:]
    assert out.count("-- files in its directory\n") == 6
    assert "   5 bytes  sub/data.txt\n" in out
    assert "\x1b" not in out
    assert out == "".join(failed.ok("log", str(KINDS.index(kind) + 1)).out for kind in KINDS[1:])


def test_what_an_attempt_used_is_shown(failed: Bench) -> None:
    (ticket,) = failed.ok("show", "1", "--json").json["tickets"]
    assert 0 <= ticket["cpu"] < 10 and ticket["memory"] > 100_000
    (row,) = [line for line in failed.ok("show", "1").out.splitlines() if " accepted " in line]
    assert f"{ticket['cpu']:.3f}" in row and "MB" in row
    if Path("/proc/self/io").exists():
        assert ticket["read"] >= 0 and ticket["written"] >= 0


def test_the_page_of_a_task_shows_them_and_runs_no_foreign_code(bench: Bench) -> None:
    bench.worker("[ $1 = 2 ] || { : > '<b>x'; exit 1; }; while [ ! -e \"$GATE\" ]; do sleep 0.05; done")
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: {grid: {x: [1, 2]}}\nattempts: 1\n"
                            "hosts: [localhost slots=2]\n")  # fmt: skip
    started = bench.start("run")
    wait_until(lambda: bench.query("SELECT 1 FROM logs"), "a failure")
    address = json.loads((bench.runs() / "master.json").read_text())["page"].replace("/?", "/task/1?")
    with urlopen(address, timeout=20) as answer:
        html = answer.read().decode()
    bench.open_gate()
    assert started.end().code == 1
    listed = html.partition('aria-label="Files of ticket 1">')[2].partition("</ul>")[0]
    assert listed == "<li>   0 bytes  &lt;b&gt;x</li><li>  92 bytes  work</li>"
    assert "<dt>Read</dt>" in html and "<dt>Written</dt>" in html


def test_what_an_attempt_used_is_kept_when_its_result_is_judged_again(bench: Bench) -> None:
    bench.worker("head -c 100000 /dev/zero > some; echo 1")
    bench.write("hooks.py", "def check(task, result):\n    raise RuntimeError('no')\n")
    bench.write("spe.yaml", "command: ./work\nvalidate: hooks.py:check\n")
    assert bench.spe("run").code == 1
    (before,) = bench.ok("show", "1", "--json").json["tickets"]
    bench.write("hooks.py", "def check(task, result):\n    return True\n")
    bench.ok("collect")
    (after,) = bench.ok("show", "1", "--json").json["tickets"]
    assert (before["state"], after["state"]) == ("rejected", "accepted")
    used = ("cpu", "memory", "read", "written")
    assert [after[name] for name in used] == pytest.approx([before[name] for name in used])  # cpu is a sum of two


def test_a_try_that_fails_shows_what_was_there_too(bench: Bench) -> None:
    bench.worker("echo no >&2; : > half; exit 1")
    bench.write("spe.yaml", "command: ./work\nresults: {y: out.txt}\nattempts: 1\n")
    done: Done = bench.spe("check")
    assert done.code == 1
    assert done.out.endswith("no\nits directory had: half (0 bytes), work (39 bytes)\n"), done


def test_a_cancelled_set_says_that_it_is(failed: Bench, bench: Bench) -> None:
    shutil.copytree(failed.runs(), bench.runs())
    with sqlite3.connect(bench.runs() / "sweep.db") as connection:
        connection.execute("UPDATE tasks SET state = 'cancelled', reason = 'cancelled by hand' WHERE number = 1")
    connection.close()
    out = bench.ok("log", "--failed", "-n", bench.folder.name).out
    assert out.startswith("== task 1 (kind=fine): cancelled: cancelled by hand\n")


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("schema-*.db")), ids=lambda path: path.stem)
def test_a_database_of_any_spe_before_is_read_by_every_command(bench: Bench, sample: Path) -> None:
    bench.runs("old").mkdir(parents=True)
    path = bench.runs("old") / "sweep.db"
    shutil.copy(sample, path)
    status = bench.ok("status", "--json", "-n", "old").json
    assert (status["done"], status["failed"], status["waiting"]) == (1, 1, 1)
    (ticket,) = bench.ok("show", "2", "--json", "-n", "old").json["tickets"]
    assert (ticket["cpu"], ticket["memory"], ticket["exit_code"]) == (1.25, 1 << 20, 3)
    log = bench.ok("log", "--failed", "-n", "old").out
    assert "failed: exit code 3: no licence\n-- stderr\nno licence\n" in log
    why = bench.ok("why", "2", "-n", "old").out
    assert why.startswith("task 2: failed\n  it has failed: exit code 3: no licence\n")
    for words in (("results",), ("hosts",), ("status",), ("show", "1"), ("why", "3"), ("log", "1")):
        bench.ok(*words, "-n", "old")
    assert path.read_bytes() == sample.read_bytes(), "who only reads changes nothing"
    assert json.loads(bench.ok("log", "2", "--json", "-n", "old").out)[0]["tickets"][0]["stderr"] == "no licence\n"
