"""The keys of spe.yaml, each from the file to the table, on this machine."""

from __future__ import annotations

import hashlib
import os
import random
import re
import shlex
import signal
from pathlib import Path

import pytest
from processes import is_alive
from waiting import wait_until

from .kit import Bench


def reasons(bench: Bench, key: str = "kind") -> dict[str, str]:
    return {row[key]: row["reason"] for row in bench.rows(file="failed.csv")}


# -- inputs


def test_inputs_are_found_by_the_program_as_they_should_be(bench: Bench) -> None:
    small, large = bytes(range(256)), random.Random(1).randbytes(200_000)
    bench.write("meshes/a.dat", small)
    bench.write("meshes/b.dat", large)
    bench.worker("cat run.ini deep/er/note.txt; sha256sum < mesh.dat; sha256sum; wc -c < empty; echo new > mesh.dat")
    bench.write(
        "spe.yaml",
        """
command: ./work
parameters: {zip: {mesh: [a, b, b], text: ["it's \\"x\\"", "äö", "{{ mesh }}"]}}
inputs:
  run.ini: |
    text = {{ text }}
  deep/er/note.txt: no newline at its end;
  mesh.dat: {file: "meshes/{{ mesh }}.dat"}
  stdin: {file: meshes/b.dat}
  empty: ""
hosts: [localhost slots=1]
""",
    )
    bench.ok("run")
    digests = {"a": hashlib.sha256(small).hexdigest(), "b": hashlib.sha256(large).hexdigest()}
    for row, text in zip(bench.rows(), ['it\'s "x"', "äö", "{{ mesh }}"], strict=True):
        assert row["stdout"].splitlines() == [
            f"text = {text}", f"no newline at its end;{digests[row['mesh']]}  -", f"{digests['b']}  -", "0"
        ]  # fmt: skip
    assert (bench.folder / "meshes/b.dat").read_bytes() == large


def test_without_stdin_the_program_reads_an_empty_one(bench: Bench) -> None:
    bench.ok("run", "-p", "x=1", "--", "wc", "-c")
    assert bench.column("stdout", "wc") == ["0"]


# -- results

WRITER = """
echo "slope = 2.50 and more"
printf '{"energy": {"total": -1.50, "parts": [1, 2]}, "name": "x"}' > out.json
printf '1,2\\n3,4\\n' > trace.csv
mkdir -p sub; printf '\\000\\377' > sub/raw.bin
case $1 in
  no-json) echo oops > out.json ;;
  no-member) echo '{}' > out.json ;;
  no-file) rm trace.csv ;;
  no-match) exec >/dev/null; ;;
esac
"""


def test_results_are_read_from_output_and_files_as_the_file_says(bench: Bench) -> None:
    bench.worker(WRITER)
    bench.write(
        "spe.yaml",
        r"""
command: ./work good
results:
  all: stdout
  slope: {from: stdout, regex: 'slope = (\S+)', as: float}
  energy: {from: out.json, path: energy.total, as: float, max: 0}
  part: {from: out.json, path: energy.parts.-1, as: int, min: 2, max: 2}
  name: {from: out.json, path: name}
  json: {from: out.json, as: json}
  trace: trace.csv
  raw: {from: sub/raw.bin, as: file}
""",
    )
    bench.ok("run")
    (row,) = bench.rows()
    assert {name: row[name] for name in ("all", "slope", "energy", "part", "name", "json", "trace", "raw")} == {
        "all": "slope = 2.50 and more", "slope": "2.50", "energy": "-1.50", "part": "2", "name": "x",
        "json": '{"energy":{"total":-1.50,"parts":[1,2]},"name":"x"}',
        "trace": "files/1/trace.csv", "raw": "files/1/sub/raw.bin",
    }  # fmt: skip
    assert (bench.runs() / row["trace"]).read_text() == "1,2\n3,4\n"
    assert (bench.runs() / row["raw"]).read_bytes() == b"\0\xff"


def test_results_that_are_not_what_they_should_be_are_rejected_with_the_reason(bench: Bench) -> None:
    bench.worker(WRITER + 'case $1 in -*|[0-9]*|word) echo "$1" > number ;; *) echo 5 > number ;; esac\n')
    bench.write(
        "spe.yaml",
        r"""
command: ./work {{ kind }}
parameters: {grid: {kind: [fine, no-json, no-member, no-file, -0.5, 10.5, word]}}
attempts: 2
results:
  energy: {from: out.json, path: energy.total, as: float}
  trace: trace.csv
  size: {from: number, as: float, min: 0, max: 10}
""",
    )
    assert bench.spe("run").code == 1
    assert bench.column("kind") == ["fine"]
    found = reasons(bench)
    assert list(found) == ["no-json", "no-member", "no-file", "-0.5", "10.5", "word"]
    assert found["no-json"].startswith("energy: ")
    assert "not JSON" in found["no-json"]
    assert "no 'energy'" in found["no-member"]
    assert "trace.csv" in found["no-file"]
    assert "below the minimum" in found["-0.5"]
    assert "above the maximum" in found["10.5"]
    assert found["word"] == "size: 'word' is not a float"
    assert bench.query("SELECT max(attempts) FROM tasks") == [(2,)]


def test_a_result_larger_than_max_result_fails_saying_so(bench: Bench) -> None:
    keys = "parameters: {grid: {n: [1000, 1001]}}\nmax_result: 1 kB\nattempts: 1\n"
    bench.write("spe.yaml", "command: head -c {{ n }} /dev/zero\n" + keys)
    assert bench.spe("run").code == 1
    assert bench.column("n") == ["1000"]
    assert "max_result" in reasons(bench, "n")["1001"]


# -- validate

CHECK = """
def check(task, result):
    if task.parameters["kind"] == "reason":
        return f"{result['stdout']} is a bad number for task {task.number}"
    if task.parameters["kind"] == "raise":
        raise RuntimeError("a fault of the hook")
    return task.parameters["kind"] != "false" and result.exit_code == 0 and result.host == "localhost"
"""


@pytest.fixture
def validated(bench: Bench) -> Bench:
    bench.worker('echo "$1" >> "$LOG"; echo "out $1"; [ "$1" != two ] || echo more')
    bench.write("hooks.py", CHECK)
    bench.write(
        "spe.yaml",
        """
command: ./work {{ kind }}
parameters: {grid: {kind: [fine, "false", reason, raise, two]}}
validate: [one_line, hooks.py:check]
attempts: 2
""",
    )
    assert bench.spe("run").code == 1
    return bench


def test_a_validate_hook_says_no_or_why_not_and_its_own_fault_keeps_the_result(validated: Bench) -> None:
    assert validated.column("kind") == ["fine"]
    found = reasons(validated)
    assert found["reason"] == "out reason is a bad number for task 3"
    assert "hooks.py:check" in found["false"]
    assert "more than one line (one_line)" in found["two"]
    assert "RuntimeError: a fault of the hook" in found["raise"]
    assert "hooks.py" in found["raise"]
    ran = validated.logged()
    assert sorted(ran) == ["false"] * 2 + ["fine", "raise"] + ["reason"] * 2 + ["two"] * 2  # a fault costs no attempt
    validated.write("hooks.py", CHECK.replace("raise RuntimeError", "return bool"))
    assert "1 stored result judged again, 1 accepted" in validated.ok("collect").err
    assert validated.column("kind") == ["fine", "raise"]
    assert validated.column("stdout") == ["out fine", "out raise"]
    assert validated.logged() == ran


# -- collect


def test_texts_are_collected_in_the_order_of_the_parameters(bench: Bench) -> None:
    bench.worker("""
[ "$1" != "a b" ] || while [ ! -e "$GATE" ]; do sleep 0.02; done  # the first ends last
[ "$1" != last ] || touch "$GATE"
echo "1 $1"; printf 2
""")
    base = "command: ./work {{ x }}\nparameters: {grid: {x: [a b, c, last]}}\n"
    base += "results: {out: stdout, other: {from: stdout, as: file}}\n"
    texts = {
        "concat": "1 a b\n21 c\n21 last\n2",
        "concat_numbered": "1\t1 a b\n1\t2\n2\t1 c\n2\t2\n3\t1 last\n3\t2\n",
        "blocks": '# 1 x="a b"\n1 a b\n2\n\n# 2 x=c\n1 c\n2\n\n# 3 x=last\n1 last\n2\n',
    }
    for command, (mode, text) in zip(("run", "collect", "collect"), texts.items(), strict=True):
        bench.write("spe.yaml", base + f"collect: [table, {mode}]\nhosts: [localhost slots=3]\n")
        bench.ok(command)
        assert (bench.runs() / "out.txt").read_text() == text
    assert not (bench.runs() / "other.txt").exists()
    assert len(bench.rows()) == 3


GATHER = """
def gather(task, result):
    with open("gathered.txt", "a") as file:
        print(task.number, task.parameters["x"], result["stdout"], result.path("copy").read_text().strip(), file=file)
"""


def test_a_gather_hook_is_called_once_for_each_accepted_set(bench: Bench) -> None:
    base = "command: echo {{ x }}!\ncollect: hooks.py:gather\n"
    base += "results: {stdout: stdout, copy: {from: stdout, as: file}}\n"
    bench.write("hooks.py", GATHER)
    for last in (3, 5):
        bench.write("spe.yaml", base + f"parameters: {{grid: {{x: {{range: [1, {last}]}}}}}}\n")
        bench.ok("run")
    lines = (bench.folder / "gathered.txt").read_text().splitlines()
    assert sorted(lines) == [f"{x} {x} {x}! {x}!" for x in range(1, 6)]


def test_a_gather_hook_that_raises_is_reported_holds_nothing_up_and_is_repeated(bench: Bench) -> None:
    bench.write("hooks.py", "def gather(task, result):\n    return 1 // (task.number - 2)\n")
    keys = "parameters: {grid: {x: [1, 2, 3]}}\ncollect: [hooks.py:gather, concat]\n"
    bench.write("spe.yaml", "command: echo {{ x }}\n" + keys)
    done = bench.spe("run")
    assert done.code == 1, done
    assert "3 of 3 sets done, 0 failed, 1 not collected" in done.err
    assert "1 set is not collected because a collect function failed; correct it, then run `spe collect`" in done.err
    assert bench.column("stdout") == ["1", "2", "3"]
    assert "task 2" in done.err
    assert done.err.count("Traceback") == 1, "told once"
    assert "hooks.py" in done.err
    assert "spe collect" in done.err
    assert "ZeroDivisionError" in (bench.runs() / "master.log").read_text()
    later = bench.spe("run")  # nothing is left to run, and still the gathering lacks one
    assert later.code == 1, later
    assert "1 set is not collected" in later.err
    assert bench.spe("status", "--json").json["uncollected"] == 1
    again = bench.spe("collect")
    assert again.code == 1, again
    assert again.err.count("Traceback") == 1
    bench.write("hooks.py", GATHER.replace('result.path("copy").read_text().strip()', "2"))
    bench.ok("collect")
    assert (bench.folder / "gathered.txt").read_text() == "1 1 1 2\n2 2 2 2\n3 3 3 2\n"
    bench.ok("run")
    assert bench.spe("status", "--json").json["uncollected"] == 0


KILLED = """
import os, time
def wait(name, task, result):
    with open(f"{name}s", "a") as file: file.write(f"{task.number} {os.getpid()}\\n")
    with open(f"{name}s") as file: calls = [line.split()[0] for line in file]
    while task.number == 2 and calls.count("2") <= int(os.environ["KILLS"]): time.sleep(0.01)
    return True
def check(task, result): return wait("check", task, result)
def gather(task, result): return wait("gather", task, result)
"""


def kill_call(bench: Bench, name: str, count: int) -> None:
    """kill -9 to the hook process, in this call for set 2."""

    def begun() -> list[int]:
        path = bench.folder / f"{name}s"
        lines = path.read_text().splitlines() if path.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith("2 ")][count - 1 :]

    os.kill(wait_until(begun, f"call {count} of {name}")[0], signal.SIGKILL)


def test_hook_processes_that_are_killed_from_outside_cost_no_set(bench: Bench) -> None:
    bench.write("hooks.py", KILLED)
    keys = "parameters: {grid: {x: [1, 2, 3]}}\nvalidate: hooks.py:check\ncollect: hooks.py:gather\n"
    bench.write("spe.yaml", "command: echo {{ x }}\n" + keys)
    running = bench.start("run", KILLS="1")
    kill_call(bench, "check", 1)
    kill_call(bench, "gather", 1)
    done = running.end()
    assert done.code == 0, done
    bench.assert_nothing_left(done)
    assert bench.column("stdout") == ["1", "2", "3"]
    for name in ("check", "gather"):
        calls = [line.split()[0] for line in (bench.folder / f"{name}s").read_text().splitlines()]
        assert sorted(calls) == ["1", "2", "2", "3"]
        said = f"hooks.py:{name} at task 2 died of signal 9 (SIGKILL); it is called once more in a fresh process"
        assert said in (bench.runs() / "master.log").read_text()


def test_a_set_whose_gather_was_killed_twice_is_not_collected(bench: Bench) -> None:
    bench.write("hooks.py", KILLED)
    bench.write("spe.yaml", "command: echo {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\ncollect: hooks.py:gather\n")
    running = bench.start("run", KILLS="2")
    kill_call(bench, "gather", 1)
    kill_call(bench, "gather", 2)
    done = running.end()
    assert done.code == 1, done
    assert bench.column("stdout") == ["1", "2", "3"]
    assert "If it does not end its process itself, something on this machine does (is memory short?)" in done.err
    assert "1 set is not collected" in done.err
    bench.ok("collect", KILLS="0")
    bench.ok("run", KILLS="0")


# -- failures

FAILING = """
echo "$1" >> "$LOG"
case $1 in
  [0-9]*) exit $1 ;;
  signal) kill -SEGV $$ ;;
  hang) (trap '' TERM; echo "child" > "$LOG.child"; echo $$ > /dev/null; exec sleep 1000) & echo begun; wait ;;
esac
"""


def test_attempts_are_by_reason_and_a_timeout_kills_the_whole_tree(bench: Bench) -> None:
    bench.worker(FAILING)
    bench.write(
        "spe.yaml",
        """
command: ./work {{ kind }}
parameters: {grid: {kind: [0, 1, 75, 76, signal, hang]}}
attempts: 2
timeout: 1
retry: {exit: {75: 4}, timeout: 1}
""",
    )
    done = bench.spe("run")  # which looks that no process is left
    assert done.code == 1, done
    ran = bench.logged()
    assert {kind: ran.count(kind) for kind in ran} == {"0": 1, "1": 2, "75": 4, "76": 2, "signal": 2, "hang": 1}
    found = reasons(bench)
    assert found["75"] == "exit code 75"
    assert found["signal"] == "killed by signal 11 (SIGSEGV)"
    assert found["hang"].startswith("timeout after 1 s")
    assert bench.column("attempts") == ["1"]
    assert "begun" in bench.ok("log", "6").out


def test_a_timeout_may_be_a_multiple_of_the_median(bench: Bench) -> None:
    bench.worker('echo $$ >> "$LOG"; [ "$1" = 6 ] && exec sleep 1000; sleep 0.1; echo "$1"')
    bench.write(
        "spe.yaml",
        """
command: ./work {{ x }}
parameters: {grid: {x: {range: [1, 6]}}}
timeout: 3x
attempts: 1
hosts: [localhost slots=1]
""",
    )
    assert bench.spe("run").code == 1
    assert bench.column("x") == ["1", "2", "3", "4", "5"]
    assert reasons(bench, "x")["6"].startswith("timeout after 0.")


# -- slots, cores, environment

WAITING = """
echo begin >> "$LOG"; while [ ! -e "$GATE" ]; do sleep 0.02; done; echo end >> "$LOG"
env > "$LOG.env.$SPE_TASK"; echo "$1"
"""


@pytest.mark.parametrize(("slots", "cores", "at_once"), [(3, 1, 3), (5, 2, 2)])
def test_never_more_tasks_at_once_than_slots_and_cores(bench: Bench, slots: int, cores: int, at_once: int) -> None:
    bench.worker(WAITING)
    bench.write(
        "spe.yaml",
        f"""
command: ./work {{{{ x }}}}
parameters: {{grid: {{x: {{range: [1, 8]}}}}}}
hosts: [localhost slots={slots}]
cores: {cores}
env: {{SEED: "s-{{{{ x }}}}", MKL_NUM_THREADS: "7"}}
""",
    )
    running = bench.start("run")
    wait_until(lambda: bench.logged().count("begin") == at_once, f"{at_once} programs run at once")
    out = "SELECT count(*) FROM tickets WHERE state = 'issued'"
    wait_until(lambda: bench.query(out) == [(at_once,)], "no more are out")
    bench.open_gate()
    assert running.end().code == 0
    now, most = 0, 0
    for line in bench.logged():
        now += 1 if line == "begin" else -1
        most = max(most, now)
    assert most == at_once
    for number in range(1, 9):
        lines = Path(f"{bench.log}.env.{number}").read_text().splitlines()
        found = dict(line.split("=", 1) for line in lines if "=" in line)
        assert found["SPE_TASK"] == str(number)
        assert int(found["SPE_SLOT"]) in range(at_once + 1)
        assert found["SPE_TICKET"].isdigit()
        assert found["SEED"] == f"s-{number}"
        assert found["OMP_NUM_THREADS"] == found["OPENBLAS_NUM_THREADS"] == str(cores)
        assert found["MKL_NUM_THREADS"] == "7"
        assert not [name for name in found if "SESSION" in name]


def test_setup_runs_once_a_client_in_a_login_shell_and_its_environment_goes_to_the_tasks(bench: Bench) -> None:
    (bench.home / ".profile").write_text("PROFILE=read; export PROFILE\n")
    bench.write(
        "spe.yaml",
        """
command: printenv FROM_SETUP
parameters: {grid: {x: [1, 2, 3]}}
setup: {any: 'echo once >> "$LOG"; export FROM_SETUP="$PROFILE by setup"'}
""",
    )
    done = bench.start("run").end()
    assert done.code == 0, done
    assert bench.column("stdout") == ["read by setup"] * 3
    assert bench.logged() == ["once"]
    assert "x is used nowhere" in done.err


def test_shell_true_gives_the_command_to_a_shell(bench: Bench) -> None:
    bench.write("spe.yaml", "command: echo {{ x }} | tr a b > out; cat out; exit {{ code }}\nshell: true\nattempts: 1\n"
                "parameters: {zip: {x: [banana, no], code: [0, 4]}}\n")  # fmt: skip
    assert bench.spe("run").code == 1
    assert bench.column("stdout") == ["bbnbnb"]
    assert reasons(bench, "x") == {"no": "exit code 4"}


# -- parameters

PARAMETERS = [
    ("{rows: p.txt}", ["1;a b", "2; c "]),
    ("p.tsv", ["1;a|b", "2;c"]),
    ("{rows: p.txt, repeat: 2}", ["1;a b;1", "1;a b;2", "2; c ;1", "2; c ;2"]),
    ("{rows: p.txt, where: 'x > 1'}", ["2; c "]),
    ("{rows: [{x: 1, y: 0.10}, {x: 1e3, y: no}]}", ["1;0.10", "1e3;no"]),
    ("{grid: {x: [1, 2], y: {range: [1, 2, 0.5]}}, where: 'x * y <= 2 or y == 2'}",
     ["1;1", "1;1.5", "1;2", "2;1", "2;2"]),
    ("{grid: {x: {linspace: [0, 1, 3]}}, zip: {y: [1, 2], z: [a, b]}}",
     ["0;1;a", "0;2;b", "0.5;1;a", "0.5;2;b", "1;1;a", "1;2;b"]),
    ("{grid: {x: {logspace: [0.01, 1, 3]}}}", ["0.01", "0.1", "1"]),
]  # fmt: skip


@pytest.mark.parametrize(("block", "wanted"), PARAMETERS, ids=range(len(PARAMETERS)))
def test_parameters_of_every_kind_give_their_sets_in_order(bench: Bench, block: str, wanted: list[str]) -> None:
    bench.write("p.txt", "\ufeffx|y\n1|a b\n2| c \n")
    bench.write("p.tsv", "x\ty\n1\ta|b\n2\tc\n")
    names = ["x", "y", "rep"] if "repeat" in block else ["x", "y", "z"][: wanted[0].count(";") + 1]
    words = " ".join(f"'{{{{ {name} }}}}'" for name in names)
    bench.write("spe.yaml", f"command: echo {words}\nparameters: {block}\n")
    told = bench.ok("check", "--dry", "--json").json
    assert told["sets"] == len(wanted)
    lines = {int(number): ";".join(shlex.split(line)[1:]) for number, line in told["command_lines"].items()}
    assert lines == {n: one for n, one in enumerate(wanted, 1) if n <= 3 or n == len(wanted)}
    if "repeat" in block:  # and this is what runs
        bench.ok("run")
        assert [";".join(row[name] for name in names) for row in bench.rows()] == wanted


# -- the worker


def test_a_worker_for_each_platform_has_one_name(bench: Bench) -> None:
    here = f"{os.uname().sysname}-{os.uname().machine}".lower()
    bench.worker("echo wrong", "any.sh")
    bench.worker('echo "right $0"', "here.sh")
    bench.write("spe.yaml", f"command: ./{{{{ worker }}}}\nworker: {{name: tool, any: any.sh, {here}: here.sh}}\n")
    bench.ok("run")
    assert bench.column("stdout") == ["right ./tool"]


def test_a_platform_without_a_worker_is_told(bench: Bench) -> None:
    bench.worker("echo 1", "w.sh")
    bench.write("spe.yaml", "name: t\ncommand: ./{{ worker }}\nworker: {plan9-mips: w.sh}\n")
    done = bench.spe("run")
    assert done.code == 3, done
    assert "plan9-mips" in done.err
    assert f"{os.uname().sysname}-{os.uname().machine}".lower() in done.err


def test_each_task_has_a_directory_of_its_own_that_is_gone_afterwards(bench: Bench) -> None:
    bench.worker("pwd; ls -A | sort | tr '\\n' ' '; touch left; mkdir -p d/e; chmod 0 d")
    keys = "parameters: {grid: {x: [1, 2, 3]}}\ninputs: {a: b}\nhosts: [localhost slots=1]\n"
    bench.write("spe.yaml", "command: ./work {{ x }}\n" + keys)
    bench.ok("run")
    folders, listings = zip(*(cell.splitlines() for cell in bench.column("stdout")), strict=True)
    assert len(set(folders)) == 3
    assert all(folder.startswith(str(bench.tmp)) for folder in folders)
    assert set(listings) == {"a work "}


def test_client_and_worker_stay_in_the_cache_when_told_so_and_are_found_again(bench: Bench) -> None:
    bench.keeps = True
    bench.worker('echo "$1"')
    keys = "parameters: {grid: {x: [1]}}\ndelete_worker: false\ndelete_client: false\n"
    bench.write("spe.yaml", "command: ./work {{ x }}\n" + keys)
    bench.ok("run")
    digest = hashlib.sha256((bench.folder / "work").read_bytes()).hexdigest()
    kept = bench.cache / "spe/workers" / digest / "work"
    assert kept.read_bytes() == (bench.folder / "work").read_bytes()
    stamp = kept.stat()
    bench.ok("run", "--fresh")
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (stamp.st_ino, stamp.st_mtime_ns)
    kept.write_text("#!/bin/sh\necho forged\n")  # what is not what it should be is fetched again
    bench.ok("run", "--fresh")
    assert bench.column("stdout") == ["1"]
    assert kept.read_bytes() == (bench.folder / "work").read_bytes()


def test_workdir_is_made_when_absent_and_then_removed(bench: Bench) -> None:
    where = bench.root / "scratch" / "deep"
    bench.write("spe.yaml", f"command: pwd\nhosts: [localhost workdir={where}]\n")
    bench.ok("run")
    assert bench.column("stdout")[0].startswith(str(where))
    assert not where.parent.exists()


def test_nothing_is_left_in_the_whole_tree_but_runs(bench: Bench) -> None:
    bench.worker(f"echo x > {bench.root}/said; setsid sleep 1000 & echo $! > {bench.root}/pid; echo 1")
    before = sorted(path for path in bench.root.rglob("*"))
    bench.write("spe.yaml", "command: ./work\n")
    bench.ok("run")
    after = sorted(path for path in bench.root.rglob("*") if "runs" not in path.relative_to(bench.root).parts)
    assert set(after) - set(before) == {bench.root / "said", bench.root / "pid", bench.folder / "spe.yaml"}
    assert not is_alive(int((bench.root / "pid").read_text()))


@pytest.mark.parametrize(
    ("retry", "program", "attempts"),
    [
        ("missing: 1", "exit 0", 1),
        ("missing: 4", "exit 0", 4),
        ("exit: {any: 1}", "exit 3", 1),
        ("exit: {3: 4}", "exit 3", 4),
        ("signal: {any: 1}", "kill -9 $$", 1),
        ("signal: {11: 4}", "kill -11 $$", 4),
        ("timeout: 1", "sleep 100", 1),
        ("rejected: 1", "echo x > r", 1),
        ("rejected: 4", "echo x > r", 4),
    ],
)
def test_each_reason_may_have_a_limit_of_its_own(bench: Bench, retry: str, program: str, attempts: int) -> None:
    bench.worker(program)
    bench.write(
        "spe.yaml",
        f"command: ./work\nresults: {{r: {{from: r, as: float}}}}\ntimeout: 1\nattempts: 2\nretry: {{{retry}}}\n"
        "hosts: [localhost slots=1]\n",
    )
    assert bench.spe("run").code == 1
    assert bench.query("SELECT attempts FROM tasks") == [(attempts,)]


@pytest.mark.parametrize(("limit", "attempts"), [(1, 1), (4, 4)])
def test_a_program_that_cannot_be_started_has_a_limit_of_its_own(bench: Bench, limit: int, attempts: int) -> None:
    bench.write("work", "#!/no/such/interpreter\n", mode=0o755)
    bench.write("spe.yaml", f"command: ./work\nretry: {{start: {limit}}}\nattempts: 2\nhosts: [localhost slots=1]\n")
    assert bench.spe("run").code == 1
    assert bench.query("SELECT attempts FROM tasks") == [(attempts,)]


def test_a_host_that_did_all_the_work_of_a_short_sweep_is_not_said_to_be_still_starting(bench: Bench) -> None:
    bench.worker("echo 1")
    bench.write("spe.yaml", "command: ./work\nhosts: [localhost slots=1]\n")
    for _ in range(3):
        done = bench.ok("run", "--fresh")
        assert "still being started" not in done.err


def test_the_table_at_the_end_tells_when_each_client_was_heard_last_however_short_the_sweep_was(bench: Bench) -> None:
    bench.worker("echo 1")
    bench.write("spe.yaml", "command: ./work\nhosts: [localhost slots=1]\n")
    (line,) = (line for line in bench.ok("run").err.splitlines() if line.startswith("localhost"))
    assert re.search(r" \d\d:\d\d:\d\d$", line), line
