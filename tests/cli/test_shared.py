"""A whole run: worker and inputs are each task's own, and who changes a large input that is linked is found."""

from __future__ import annotations

import hashlib

from .kit import Bench

LARGE = bytes(range(256)) * 8192  # 2 MB


def test_a_set_that_writes_into_a_large_input_fails_and_every_row_is_right(bench: Bench) -> None:
    bench.write("mesh.dat", LARGE)
    bench.worker("[ $1 = 5 ] && chmod u+w mesh.dat && echo more >> mesh.dat; sleep 0.0$1; sha256sum < mesh.dat")
    bench.write(
        "spe.yaml",
        """
command: ./work {{ x }}
parameters: {grid: {x: {range: [1, 9]}}}
inputs: {mesh.dat: {file: mesh.dat}}
results: {sum: {from: stdout, regex: '^(\\S+)'}}
attempts: 1
hosts: [localhost slots=2]
""",
    )
    done = bench.spe("run")
    assert done.code == 1, done
    right = hashlib.sha256(LARGE).hexdigest()
    assert {(row["x"], row["sum"], row["attempts"]) for row in bench.rows()} == {
        (str(x), right, "1") for x in range(1, 10) if x != 5
    }
    (failed,) = bench.rows(file="failed.csv")
    assert failed["x"] == "5" and failed["reason"].startswith("the program changed mesh.dat, which is a read-only link")
    said = "a program changed mesh.dat, which its tasks share"
    assert said in (bench.runs() / "master.log").read_text() and said in done.err
    assert (bench.folder / "mesh.dat").read_bytes() == LARGE
    # The way out that the reason names is one.
    assert "add `copy: true`, then `spe retry`" in failed["reason"]
    text = (bench.folder / "spe.yaml").read_text()
    bench.write("spe.yaml", text.replace("{file: mesh.dat}", "{file: mesh.dat, copy: true}"))
    bench.ok("retry")
    assert len(bench.rows()) == 9


def test_a_worker_finds_what_lies_beside_it_and_keeps_its_scratch_file_to_itself(bench: Bench) -> None:
    bench.write("helper.py", "FACTOR = 10\n")
    bench.python(
        """
import os, sys, helper
here = os.path.dirname(os.path.realpath(__file__))
scratch = os.path.join(here, "scratch")
if not os.path.exists(scratch):
    open(scratch, "w").write(sys.argv[1])
print(helper.FACTOR * int(open(scratch).read()))
""",
        "work.py",
    )
    bench.write(
        "spe.yaml",
        """
command: ./work.py {{ x }}
parameters: {grid: {x: {range: [1, 8]}}}
inputs: {helper.py: {file: helper.py}}
results: {y: {from: stdout, as: int}}
hosts: [localhost slots=2]
""",
    )
    bench.ok("run")
    assert bench.column("y") == [str(10 * x) for x in range(1, 9)]


def test_a_program_may_make_the_folder_of_its_result(bench: Bench) -> None:
    bench.worker("mkdir out && echo $1 > out/y.txt")
    bench.write(
        "spe.yaml",
        """
command: ./work {{ x }}
parameters: {grid: {x: [1, 2]}}
results: {y: {from: out/y.txt, as: int}}
""",
    )
    bench.ok("run")
    assert bench.column("y") == ["1", "2"]
