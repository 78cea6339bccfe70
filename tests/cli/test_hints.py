"""What people are told about a failure whose cause lies here: files that tasks lack, lines that a regex meant."""

from __future__ import annotations

import subprocess

import pytest
from needs import need_program

from .kit import Bench

SETS = "parameters: {grid: {x: [1, 2, 3]}}\nattempts: 1\nhosts: [localhost slots=1]\n"


def count(text: str, part: str) -> int:
    return sum(part in line for line in text.splitlines())


def test_a_module_that_is_a_file_here_is_named_once_a_run(bench: Bench) -> None:
    bench.write("helper.py", "A = 1\n")
    bench.python("import helper, sys\nprint(sys.argv[1])\n", "sim.py")
    bench.write("spe.yaml", f"command: ./sim.py {{{{ x }}}}\n{SETS}")
    done = bench.spe("run")
    assert done.code == 1
    assert count(done.err, "helper.py is a file here: add it to `inputs:`") == 1
    check = bench.spe("check")
    assert check.code == 1 and count(check.out, "helper.py is a file here: add it to `inputs:`") == 1
    bench.write("spe.yaml", f"command: ./sim.py {{{{ x }}}}\ninputs: [helper.py]\n{SETS}")
    assert "is a file here" not in bench.ok("run").err


def test_a_run_that_drains_because_all_fail_alike_names_the_file_too(bench: Bench) -> None:
    bench.write("data/mesh.dat", "m")
    bench.worker('cat data/mesh.dat || exit 9; echo "$1"')
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: {grid: {x: {range: [1, 9]}}}\nstop_alike: 3\n")
    done = bench.spe("run")
    assert done.code == 1
    assert count(done.err, "data/mesh.dat is a file here: add it to `inputs:`") == 1


@pytest.mark.parametrize(
    "line",
    [
        "echo 'No module named nothing' >&2; exit 1",
        "echo 'cat: other.dat: No such file or directory' >&2; exit 1",
        "echo 'cat: out.txt: No such file or directory' >&2; exit 1",
        "echo 'mesh.dat is bad' >&2; exit 1",
        "echo 'cannot open ../mesh.dat' >&2; exit 1",
    ],
)
def test_a_file_that_is_not_here_or_not_missed_is_not_named(bench: Bench, line: str) -> None:
    for name in ("mesh.dat", "out.txt"):
        bench.write(name, "left over")
    bench.worker(line)
    bench.write("spe.yaml", f"command: ./work {{{{ x }}}}\nresults: {{o: out.txt}}\n{SETS}")
    done = bench.spe("run")
    assert done.code == 1 and " here: add it" not in done.err


SOURCE = {
    "lib.c": "int answer(void) { return 42; }\n",
    "main.c": '#include <stdio.h>\nint answer(void);\nint main(void) { printf("%d\\n", answer()); return 0; }\n',
}


def build(bench: Bench, library: str, *link: str) -> None:
    """Compile `sim`, which needs this shared library by its name alone, in the bench's folder."""
    need_program("cc", "gcc")
    for name, text in SOURCE.items():
        bench.write(name, text)
    (bench.folder / library).parent.mkdir(exist_ok=True)
    made = ["-shared", "-fPIC", "-Wl,-soname,libmat.so", "-o", library, "lib.c"]
    for words in (made, ["-o", "sim", "main.c", library, *link]):
        subprocess.run(["cc", *words], cwd=bench.folder, check=True)


SIM = "command: ./sim {{ x }}\n" + SETS


@pytest.mark.parametrize(("folder", "place"), [("", "."), ("lib/", "lib")])
def test_a_library_here_is_named_with_the_variable_that_finds_it(bench: Bench, folder: str, place: str) -> None:
    build(bench, f"{folder}libmat.so")
    bench.write("spe.yaml", SIM)
    done = bench.spe("run")
    said = f"{folder}libmat.so is a file here: add it to `inputs:`, with `env: {{LD_LIBRARY_PATH: {place}}}`"
    assert done.code == 1 and count(done.err, said) == 1, done
    bench.write("spe.yaml", f"inputs: [{folder}libmat.so]\n{SIM}")
    done = bench.spe("run")
    said = f"{folder}libmat.so is in the task's directory, but the loader does not look there"
    assert done.code == 1 and count(done.err, said) == 1, done
    bench.write("spe.yaml", f"inputs: [{folder}libmat.so]\nenv: {{LD_LIBRARY_PATH: {place}}}\n{SIM}")
    bench.ok("run")
    assert bench.column("stdout") == ["42"] * 3


def test_a_library_beside_the_program_is_found_by_a_program_that_looks_there(bench: Bench) -> None:
    build(bench, "libmat.so", "-Wl,-rpath,$ORIGIN")
    bench.write("spe.yaml", f"inputs: [libmat.so]\n{SIM}")
    bench.ok("run")
    assert bench.column("stdout") == ["42"] * 3


# -- a regex without a match

FORCES = "results:\n  fx: {from: 'forces_{{ x }}.out', regex: 'Fx = (\\S+)', as: float}\n"


def test_check_shows_the_lines_that_a_regex_may_have_meant(bench: Bench) -> None:
    bench.worker("seq 100 > forces_$1.out; echo 'FX  =  1.5 kN' >> forces_$1.out; seq 100")
    bench.write("spe.yaml", f"command: ./work {{{{ x }}}}\nparameters: {{grid: {{x: [1]}}}}\n{FORCES}")
    done = bench.spe("check")
    assert done.code == 1
    assert "lines of forces_1.out that are near:\n  FX  =  1.5 kN\n" in done.out


def test_check_shows_how_a_text_begins_that_has_nothing_near(bench: Bench) -> None:
    bench.worker("echo one; echo two")
    bench.write("spe.yaml", "command: ./work\nresults: {n: {from: stdout, regex: 'slope (.*)'}}\n")
    done = bench.spe("check")
    assert done.code == 1 and "stdout begins:\n  one\n  two\n" in done.out
