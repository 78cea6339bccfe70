"""A run is repeated from its zip elsewhere, and each result of each set is compared."""

from __future__ import annotations

import json
import signal
import stat
import zipfile
from collections.abc import Callable

import pytest
from cli.kit import Bench
from waiting import wait_until

from .kit import SPE_YAML, Sweep, contents, record_of, rewritten, without_rocrate

Files = dict[str, bytes]


def test_a_replay_elsewhere_finds_all_sets_the_same_and_needs_no_library(ran: Sweep) -> None:
    path = ran.whole()
    done = ran.replay(path, **without_rocrate(ran.bench.root))
    assert done.code == 0, done
    assert done.out == ""
    assert "4 sets compared: all are the same" in done.err


def test_by_default_it_runs_in_a_folder_beside_that_is_named_after_the_zip(ran: Sweep) -> None:
    ran.whole()
    ran.bench.ok("replay", "x.zip", "-q")
    assert (ran.bench.folder / "x-replay" / "runs" / "sweep" / "results.csv").exists()
    said = ran.bench.refused("replay", "x.zip")
    assert "this folder is not empty" in said
    assert "--into" in said


def test_a_set_that_differs_is_printed_with_both_values_of_each_result(sweep: Sweep) -> None:
    sweep.run()
    path = sweep.whole()
    sweep.bench.open_gate()
    done = sweep.replay(path)
    assert done.code == 1, done
    lines = done.out.splitlines()
    assert lines[0] == "set 2 (x=2, mesh=32): energy: 2.5 then, 2.51 now"
    assert lines[1].startswith("set 2 (x=2, mesh=32): note, note.txt: SHA-256 ")
    assert lines[2] == "set 2 (x=2, mesh=32): text: state 2 then, state 21 now"
    assert "out, out/trace.csv: SHA-256" in lines[3]
    assert len(lines) == 4
    assert "4 sets compared: 1 differs" in done.err


def test_programs_get_the_differences_as_json(sweep: Sweep) -> None:
    sweep.run()
    path = sweep.whole()
    sweep.bench.open_gate()
    done = sweep.replay(path, "--json")
    assert done.code == 1, done
    assert (done.json["compared"], done.json["differing"], done.json["not_run"]) == (4, 1, 0)
    first = done.json["differences"][0]
    assert first == {
        "number": 2, "parameters": {"x": "2", "mesh": "32"}, "result": "energy", "file": "",
        "then": "2.5", "now": "2.51",
    }  # fmt: skip


def test_numbers_may_differ_by_the_tolerance_and_nothing_else_may(bench: Bench) -> None:
    bench.worker('if [ -e "$GATE" ]; then echo 1000.000001; else echo 1000; fi')
    bench.write("spe.yaml", "command: ./work\nresults: {y: {from: stdout, as: float}}\n")
    bench.ok("run", "-q")
    bench.ok("export", "--program", "-o", "x.zip")
    bench.open_gate()
    assert bench.spe("replay", "x.zip", "--into", "a").code == 1
    assert bench.spe("replay", "x.zip", "--into", "b", "--tolerance", "1e-10").code == 1
    bench.ok("replay", "x.zip", "--into", "c", "--tolerance", "1e-8")
    assert "is no tolerance" in bench.refused("replay", "x.zip", "--into", "d", "--tolerance", "2")


@pytest.mark.parametrize(
    ("kind", "before", "after", "tolerance"),
    [
        ("int", "printf '%04400d' 1 | tr 0 1", "printf '%04400d' 2 | tr 0 2", "0"),
        ("int", "printf '%04400d' 1 | tr 0 1", "printf '%04400d' 2 | tr 0 2", "0.4"),
        ("float", "echo 1e400", "echo 2e400", "0.4"),
        ("float", "echo inf", "echo 1e400", "0.4"),
    ],
)
def test_numbers_that_no_float_can_hold_are_listed_when_they_differ(
    bench: Bench, kind: str, before: str, after: str, tolerance: str
) -> None:
    bench.worker(f'if [ -e "$GATE" ]; then {after}; else {before}; fi')
    bench.write("spe.yaml", f"command: ./work\nresults: {{y: {{from: stdout, as: {kind}}}}}\n")
    bench.ok("run", "-q")
    bench.ok("export", "--program", "-o", "x.zip")
    bench.ok("replay", "x.zip", "--into", "same")
    bench.open_gate()
    done = bench.spe("replay", "x.zip", "--into", "a", "--tolerance", tolerance)
    assert done.code == 1, done
    assert "1 set compared: 1 differs" in done.err


def test_a_tolerance_is_the_decimal_that_was_written(bench: Bench) -> None:
    """As a float 0.3 is less than 3/10."""
    bench.worker('if [ -e "$GATE" ]; then echo 0.7; else echo 1; fi')
    bench.write("spe.yaml", "command: ./work\nresults: {y: {from: stdout, as: float}}\n")
    bench.ok("run", "-q")
    bench.ok("export", "--program", "-o", "x.zip")
    bench.open_gate()
    bench.ok("replay", "x.zip", "--into", "a", "--tolerance", "0.3")
    for wrong in ("nan", "1", "-0.1", "x", "1e-99999999999", "inf"):
        assert "is no tolerance" in bench.refused("replay", "x.zip", "--into", "d", f"--tolerance={wrong}")


def test_a_newline_more_at_the_end_of_a_text_is_a_difference(bench: Bench) -> None:
    bench.worker('printf "a"; if [ -e "$GATE" ]; then echo; fi')
    bench.write("spe.yaml", "command: ./work\n")
    bench.ok("run", "-q")
    bench.ok("export", "--program", "-o", "x.zip")
    bench.open_gate()
    done = bench.spe("replay", "x.zip", "--into", "a")
    assert done.code == 1, done
    assert "and one newline" in done.out


def test_a_set_that_fails_now_and_one_that_failed_then_are_differences(bench: Bench) -> None:
    bench.worker('if [ -e "$GATE" ]; then bad=2; else bad=1; fi\n[ "$1" != "$bad" ] || exit 9; echo "$1"')
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\nattempts: 1\n")
    assert bench.spe("run", "-q").code == 1
    bench.ok("export", "--program", "-o", "x.zip")
    bench.open_gate()
    done = bench.spe("replay", "x.zip", "--into", "a")
    assert done.code == 1, done
    assert done.out.splitlines() == [
        "set 1 (x=1): failed: exit code 9 then, done now",
        "set 2 (x=2): done then, failed: exit code 9 now",
    ]


def test_sets_are_the_same_although_their_numbers_are_others(sweep: Sweep) -> None:
    """Result files lie in folders by number, and a text that is too long for a cell names such a file."""
    long = "for n in 1 2 3 4 5 6 7 8 9; do printf '%010000d\\n' 7; done > note.txt\n"
    sweep.bench.worker((sweep.bench.folder / "work").read_text() + long)
    found = "results:\n  found: {from: note.txt, regex: '(?s).*', as: text}\n"
    sweep.bench.write("spe.yaml", SPE_YAML.replace("results:\n", found))
    sweep.bench.write("params.csv", "x,mesh\n1,32\n4,32\n")
    sweep.run()
    sweep.bench.write("params.csv", "x,mesh\n3,64\n4,32\n1,32\n")
    sweep.run()
    assert sweep.bench.column("number") == ["3", "1"]
    assert ", in files/3/" in sweep.bench.column("found")[0]
    done = sweep.replay(sweep.whole())
    assert done.code == 0, done
    assert "3 sets compared: all are the same" in done.err


def test_a_replay_that_is_interrupted_exits_130_and_counts_what_was_not_run(bench: Bench) -> None:
    bench.worker('echo "$1" >> "$LOG"\nwhile [ -e "$GATE" ]; do sleep 0.05; done; echo "$1"')
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\n")
    bench.ok("run", "-q")
    bench.ok("export", "--program", "-o", "x.zip")
    bench.log.unlink()
    bench.open_gate()
    started = bench.start("replay", "x.zip", "--into", "a", "--hosts", "localhost slots=1")
    wait_until(lambda: bench.logged() == ["1"], "the first set runs")
    started.signal(signal.SIGINT)
    (bench.root / "gate").unlink()
    done = started.end()
    assert done.code == 130, done
    assert "1 set compared: all are the same; 2 were not run to the end" in done.err
    assert "the same command goes on there" in done.err
    bench.ok("replay", "x.zip", "--into", "a")
    assert sorted(bench.logged()) == ["1", "2", "3"], "the set that was run is not run again"
    assert "this folder is not empty" in bench.refused("replay", "x.zip", "--into", "a"), "that one is over"


def interrupted(bench: Bench, *words: str, by: int = signal.SIGKILL) -> None:
    """A replay of x.zip into a, which got a signal during the first of three sets."""
    bench.worker('echo "$1" >> "$LOG"\nwhile [ -e "$GATE" ]; do sleep 0.05; done; echo "$1"')
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\n")
    bench.ok("run", "-q")
    bench.ok("export", "-o", "x.zip", *words)
    bench.log.unlink()
    bench.open_gate()
    started = bench.start("replay", "x.zip", "--into", "a", "--hosts", "localhost slots=1", "--with", ".")
    wait_until(lambda: bench.logged() == ["1"], "the first set runs")
    said = bench.refused("replay", "x.zip", "--into", "a", "--with", ".")
    assert "this run is still writing" in said
    started.signal(by)
    (bench.root / "gate").unlink()
    started.end()


def test_a_replay_that_was_killed_goes_on_with_what_was_supplied_then(bench: Bench) -> None:
    interrupted(bench)
    bench.ok("replay", "x.zip", "--into", "a")
    assert set(bench.logged()) == {"1", "2", "3"}
    assert not (bench.folder / "a" / ".spe-replay").exists()


def test_a_program_that_was_changed_meanwhile_is_the_zips_again(bench: Bench) -> None:
    interrupted(bench, "--program")
    changed = bench.folder / "a" / "work"
    changed.write_text("#!/bin/sh\necho 77\n")
    bench.ok("replay", "x.zip", "--into", "a")
    assert "77" not in changed.read_text()


def test_in_the_folder_of_an_interrupted_replay_no_other_zip_is_repeated(bench: Bench) -> None:
    interrupted(bench, "--program", by=signal.SIGINT)
    bench.ok("export", "--program", "-o", "y.zip")
    assert "a replay of another zip was interrupted" in bench.refused("replay", "y.zip", "--into", "a")
    assert (bench.folder / "a" / "runs").exists()


# -- where it runs, and what it does not do


def test_it_runs_on_the_hosts_of_the_option_and_never_on_those_of_the_zip(bench: Bench) -> None:
    bench.worker("echo 1")
    bench.write("spe.yaml", "command: ./work\nhosts: [nowhere.invalid]\n")
    bench.ok("run", "-q", "--hosts", "localhost")
    bench.ok("export", "--program", "-o", "x.zip")
    bench.ok("replay", "x.zip", "--into", "a")
    done = bench.spe("replay", "x.zip", "--into", "b", "--hosts", "elsewhere.invalid")
    assert done.code == 3, done
    assert "elsewhere.invalid" in done.err


def test_validate_functions_judge_and_collect_functions_are_not_called(bench: Bench) -> None:
    bench.worker("echo 1")
    hooks = "def check(task, result):\n    return True\n\ndef gather(task, result):\n"
    bench.write("hooks.py", f"{hooks}    open({str(bench.log)!r}, 'a').write('gathered\\n')\n")
    bench.write("spe.yaml", "command: ./work\nvalidate: hooks.py:check\ncollect: hooks.py:gather\n")
    bench.ok("run", "-q")
    assert bench.logged() == ["gathered"]
    bench.ok("export", "--program", "-o", "x.zip")
    bench.ok("replay", "x.zip", "--into", "a")
    assert bench.logged() == ["gathered"]
    assert (bench.folder / "a" / "hooks.py").exists()


def test_a_one_liner_is_repeated_too(bench: Bench) -> None:
    bench.ok("run", "-q", "-p", "x=1:3", "--name", "line", "--", "echo", "a {{ x }} 'b'")
    bench.ok("export", "line")
    done = bench.ok("replay", "line.zip")
    assert "3 sets compared: all are the same" in done.err


def test_rows_of_an_earlier_program_are_named_and_not_compared(sweep: Sweep) -> None:
    bench = sweep.bench
    bench.write("params.csv", "x,mesh\n1,32\n4,32\n")
    sweep.run()
    bench.worker((bench.folder / "work").read_text() + "# another one\n")
    bench.write("params.csv", "x,mesh\n1,32\n4,32\n2,32\n3,32\n")
    sweep.run("--keep")
    said = bench.refused("export", "--program", "-o", "x.zip")
    assert "work has changed since it made 1 row of the table" in said
    assert "--fresh" in said
    path = sweep.export("--inputs")
    done = sweep.replay(path, "--with", str(bench.folder))
    assert done.code == 1, done
    assert "3 sets compared: all are the same; 1 is of another version of the program" in done.err


# -- what is missing, and what was changed


def test_a_zip_without_the_program_names_it_and_takes_it_from_a_folder_or_a_file(ran: Sweep) -> None:
    path = ran.export("--inputs", name="without.zip")
    said = ran.replay_refused(path)
    assert "it is without its program work (SHA-256 " in said
    assert "--with FOLDER" in said
    for place in (ran.bench.folder, ran.bench.folder / "work"):
        done = ran.replay(path, "--with", str(place))
        assert done.code == 0, done


def test_a_zip_without_program_and_inputs_names_all_of_them(ran: Sweep) -> None:
    path = ran.export(name="bare.zip")
    said = ran.replay_refused(path)
    assert "it is without 3 files: input meshes/32.dat (SHA-256 " in said
    assert "program work" in said
    done = ran.replay(path, "--with", str(ran.bench.folder))
    assert done.code == 0, done


def test_another_program_than_that_of_the_run_is_refused(ran: Sweep) -> None:
    path = ran.export("--inputs", name="without.zip")
    other = ran.bench.root / "other"
    other.mkdir()
    (other / "work").write_text("#!/bin/sh\necho 1\n")
    said = ran.replay_refused(path, "--with", str(other))
    assert "other/work is not the program work of this run: its SHA-256 is " in said


def test_an_input_outside_of_the_folder_is_warned_of_and_must_be_there(sweep: Sweep) -> None:
    bench = sweep.bench
    data = bench.root / "data.dat"
    data.write_text("32 cells\n")
    bench.write("spe.yaml", SPE_YAML.replace('"meshes/{{ mesh }}.dat"', str(data)))
    sweep.run()
    done = bench.ok("export", "--program", "--inputs", "-o", "x.zip")
    assert f"{data} lies outside of the sweep's folder" in done.err
    path = bench.folder / "x.zip"
    assert sweep.replay(path).code == 0
    data.write_text("33 cells\n")
    assert f"{data} is not the input {data} of this run" in sweep.replay_refused(path)
    data.unlink()
    assert f"Put it at {data} (SHA-256 " in sweep.replay_refused(path)


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("sweep/meshes/64.dat", "the input meshes/64.dat"),
        ("sweep/work", "the program work"),
        ("sweep/params.csv", "the file params.csv"),
        ("results/results.csv", "results/results.csv"),
        ("spe.json", "spe.json"),
    ],
)
def test_a_file_that_was_changed_in_the_zip_is_named_and_nothing_runs(ran: Sweep, name: str, called: str) -> None:
    def change(files: Files) -> None:
        files[name] = files[name].replace(b"1", b"2") + b"\n"

    path = rewritten(ran.whole(), ran.bench.root / "changed.zip", change)
    assert f"{called} in it was changed: its SHA-256 is " in ran.replay_refused(path)


# -- zips that mean harm


def put(name: str, content: bytes = b"x") -> Callable[[Files], None]:
    return lambda files: files.update({name: content})


def lie_about_a_path(path: str) -> Callable[[Files], None]:
    """A file that spe.json wants to have at another path of the folder."""

    def change(files: Files) -> None:
        record = record_of(files)
        one = next(one for one in record["files"] if one["path"] == "meshes/32.dat")
        one["path"] = path
        files[f"sweep/{path}"] = files["sweep/meshes/32.dat"]
        files["spe.json"] = json.dumps(record).encode()

    return change


def lie_about_the_name(name: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files["spe.json"] = json.dumps({**record_of(files), "name": name}).encode()

    return change


def lack(name: str) -> Callable[[Files], None]:
    return lambda files: files.pop(name) and None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("sweep/../../evil"), "leads out of the folder"),
        (put("/tmp/evil"), "is an absolute path"),
        (put("sweep\\evil"), "is no name of a file"),
        (put("sweep//evil"), "is no name of a file"),
        (put("sweep/e\nvil"), "is no name of a file"),
        (lie_about_a_path("runs/sweep/sweep.db"), "would lie where a run keeps its own files"),
        (lie_about_a_path("spe.yaml"), "would lie where a run keeps its own files"),
        (lie_about_the_name("../evil"), "name"),
        (lie_about_the_name("\x1b[2Jevil"), "is no printable text"),
        (lack("results/digests.csv"), "results/digests.csv is missing from it"),
        (put("spe.json", b"[]"), "spe.json in it is damaged"),
        (put("spe.json", b'{"format": 99}'), "spe.json has format 99, and this spe knows format 1"),
    ],
)
def test_a_hostile_or_damaged_zip_is_refused(ran: Sweep, change: Callable[[Files], None], said: str) -> None:
    path = rewritten(ran.whole(), ran.bench.root / "hostile.zip", change, with_sums=True)
    assert said in ran.replay_refused(path)
    assert not (ran.bench.root / "evil").exists()


def test_a_path_that_leads_out_by_spe_json_alone_is_refused(ran: Sweep) -> None:
    def change(files: Files) -> None:
        record = record_of(files)
        record["files"][0]["path"] = "../evil"
        files["spe.json"] = json.dumps(record).encode()

    path = rewritten(ran.whole(), ran.bench.root / "hostile.zip", change, with_sums=True)
    assert "leads out of the folder" in ran.replay_refused(path)


def test_a_file_that_the_digests_do_not_know_is_refused(ran: Sweep) -> None:
    path = rewritten(ran.whole(), ran.bench.root / "more.zip", put("sweep/more.py"))
    assert "sweep/more.py is in it, and SHA256SUMS does not know it" in ran.replay_refused(path)


@pytest.mark.parametrize(("kind", "said"), [(stat.S_IFLNK, "is a link"), (stat.S_IFIFO, "is no regular file")])
def test_a_link_and_a_pipe_in_a_zip_are_refused(ran: Sweep, kind: int, said: str) -> None:
    path = rewritten(ran.whole(), ran.bench.root / "link.zip", lambda files: None)
    with zipfile.ZipFile(path, "a") as opened:
        info = zipfile.ZipInfo("sweep/link")
        info.external_attr = (kind | 0o777) << 16
        opened.writestr(info, "/etc/passwd")
    assert f"'sweep/link' {said}" in ran.replay_refused(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_twice_in_a_zip_is_refused(ran: Sweep) -> None:
    path = rewritten(ran.whole(), ran.bench.root / "twice.zip", lambda files: None)
    with zipfile.ZipFile(path, "a") as opened:
        opened.writestr("sweep/work", "#!/bin/sh\n")
    assert "'sweep/work' is in it twice" in ran.replay_refused(path)


def test_a_zip_that_unpacks_to_more_than_allowed_is_refused_by_what_it_declares(ran: Sweep) -> None:
    path = rewritten(ran.whole(), ran.bench.root / "bomb.zip", lambda files: None)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("sweep/zeros", bytes(30_000_000))
    assert path.stat().st_size < 100_000
    said = ran.replay_refused(path, "--max-size", "10 MB")
    assert "it would unpack to 30 MB, and 10 MB are allowed" in said
    assert "--max-size" in said
    assert "is no size" in ran.replay_refused(path, "--max-size", "much")


def test_what_is_no_zip_is_refused(ran: Sweep) -> None:
    assert "there is no such file" in ran.replay_refused(ran.bench.root / "nothing.zip")
    ran.bench.write("text.zip", "no zip")
    assert "it is no zip, or a damaged one" in ran.replay_refused(ran.bench.folder / "text.zip")
    whole = ran.whole().read_bytes()
    at = whole.index(b"sweep/work") + 40
    ran.bench.write("torn.zip", whole[:at] + bytes(20) + whole[at + 20 :])
    assert ran.replay_refused(ran.bench.folder / "torn.zip")
    assert "SHA256SUMS" in contents(ran.whole())
