"""docs/from-htcondor-and-slurm.md: both sides of each example run, and their programs print the same."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.kit import Bench

from .batch_engines import SBATCH, SCONTROL, submit

PAGE = Path(__file__).resolve().parents[2] / "docs" / "from-htcondor-and-slurm.md"
SECTIONS = dict(re.findall(r"(?ms)^### (.+?)\n(.*?)(?=^##|\Z)", PAGE.read_text(encoding="utf-8")))
FILE = re.compile(r"(?ms)^`([\w.]+)`:\n\n```\w*\n(.*?)^```")
LIMIT = 2.0  # seconds in place of the two hours of the page

# The programs that the page speaks of.
PROGRAMS = {
    "simulate": 'for last; do :; done; echo "simulate $*"; for one; do echo "[$one]"; done; echo "energy = -$last.5"',
    "solve": 'find . -name "*.*" | sort; cat "$1" solver.ini > field.vtk; echo "solve $*: $(cat "$1")"',
    # Without a licence at first in the fourth and the eighth case.
    "abq": 'case $2 in 4|8) [ -e "$LOG.abq$2" ] || { : > "$LOG.abq$2"; exit 77; } ;; esac; echo "abq $*"',
    "flow": 'echo "flow $*"',
    "model": 'echo "model $* with $OMP_NUM_THREADS threads and $LOADED"',
    "search": 'if [ "$1" = 2 ]; then exec sleep 1000; fi; echo "search $*"',
    "summarize": 'cat "$@" | grep -c energy',
    # The third run fails at first, the seventh always dies by a signal.
    "fit": """
if [ "$1" = 7 ]; then echo "$1" >> "$LOG.died"; kill -SEGV $$; fi
if [ "$1" = 3 ] && [ ! -e "$LOG.$1" ]; then echo > "$LOG.$1"; exit 1; fi
echo "fit $*"
""",
    "sim.LINUX.X86_64": 'echo "sim $* with $DATA, $MODE"',
    "sim.LINUX.aarch64": 'echo "sim $* with $DATA, $MODE"',
}
FILES = {
    "meshes/coarse.dat": "a coarse mesh\n",
    "meshes/medium.dat": "a medium mesh\n",
    "meshes/fine.dat": "a fine mesh\n",
    "solver.ini": "[solver]\n",
    "decks/plate.inp": "a plate\n",
    "decks/beam.inp": "a beam\n",
}
# What a site has for `module load`, here: it tells what it was asked for.
MODULE = 'module() { export LOADED="$*"; }; export -f module\n'


def files_of(section: str) -> dict[str, str]:
    return dict(FILE.findall(SECTIONS[section]))


@pytest.fixture
def side_by_side(bench: Bench) -> Iterator[Bench]:
    """The folder of ours, with the programs and files."""
    for name, text in PROGRAMS.items():
        bench.worker(text, name)
    for name, text in FILES.items():
        bench.write(name, text)
    shell = bench.root / "bash"
    shell.write_text(f'#!/bin/bash\n{MODULE}exec bash "$@"\n')
    shell.chmod(0o755)
    bench.environment["SHELL"] = str(shell)
    yield bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def theirs(bench: Bench, files: dict[str, str]) -> Path:
    """A folder of theirs with the same programs, and the files of the section."""
    folder = bench.root / "theirs"
    shutil.copytree(bench.folder, folder)
    (folder / "out").mkdir()
    (folder / "logs").mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def environment_of_theirs(bench: Bench, folder: Path) -> dict[str, str]:
    programs = bench.root / "bin"
    programs.mkdir()
    (programs / "sbatch").write_text(SBATCH)
    (programs / "scontrol").write_text(SCONTROL)
    for name in ("sbatch", "scontrol"):
        (programs / name).chmod(0o755)
    (programs / "modules.sh").write_text(MODULE)
    path = f"{programs}:{bench.environment['PATH']}"
    return {**bench.environment, "PATH": path, "LOG": f"{folder}.log", "BASH_ENV": str(programs / "modules.sh")}


def run_theirs(bench: Bench, files: dict[str, str]) -> Path:
    """Run the HTCondor or Slurm side; return its folder."""
    folder = theirs(bench, files)
    environment = environment_of_theirs(bench, folder)
    submit_file = next((name for name in files if name.endswith(".sub")), None)
    if submit_file:
        submit(folder / submit_file, environment, LIMIT)
        return folder
    for script in ("submit.sh",) if "submit.sh" in files else ("array.sh", "after.sh"):
        words = ["sbatch", script] if script == "array.sh" else ["bash", script]
        if (folder / script).exists():
            subprocess.run(words, cwd=folder, env=environment, check=True)
    return folder


def run_ours(bench: Bench, files: dict[str, str], code: int = 0) -> None:
    for name, text in files.items():
        text = text.replace("timeout: 2h", f"timeout: {LIMIT:g}s").replace("after: 1min", "after: 0.1s")
        bench.write(name, text.replace("delay: 2s", "delay: 0.01s"))
    assert bench.spe("run").code == code


def printed(folder: Path) -> list[str]:
    """What the programs of theirs printed; those that were held or removed printed nothing."""
    outputs = [*folder.glob("out/*"), *folder.glob("logs/*.out")]
    return sorted(filter(None, (path.read_text() for path in outputs)))


def in_our_table(bench: Bench, name: str | None = None) -> list[str]:
    return sorted(f"{one}\n" for one in bench.column("stdout", name))


def test_the_page_has_eight_and_seven_of_them() -> None:
    kinds = [".sub" if any(name.endswith(".sub") for name in files_of(one)) else "sh" for one in SECTIONS]
    assert kinds == [".sub"] * 8 + ["sh"] * 7
    assert all("spe.yaml" in files_of(one) for one in SECTIONS)


SAME_TABLE = [
    "`queue 100` with `$(Process)`",
    "Arguments from a table",
    "A file for each task: `queue … matching`",
    'Licences, and "try again" by an exit code',
    "Machines: `requirements`, `request_cpus`, `environment`",
    "`--array=1-100%8`",
    "Licences: `--licenses`, and a run that is requeued",
    "One line of a file for each task",
    "Two parameters from one index",
    "Modules, cores, a limit of time",
]


@pytest.mark.parametrize("section", SAME_TABLE)
def test_the_programs_print_the_same_on_both_sides(section: str, side_by_side: Bench) -> None:
    files = files_of(section)
    run_ours(side_by_side, files)
    expected = printed(run_theirs(side_by_side, files))
    assert len(expected) > 1
    assert in_our_table(side_by_side) == expected


def test_files_go_to_the_program_and_come_back(side_by_side: Bench) -> None:
    files = files_of("Files to the program and back")
    run_ours(side_by_side, files)
    folder = run_theirs(side_by_side, files)
    assert sorted(f"{one}\n" for one in side_by_side.column("message")) == printed(folder)
    fields = {row["mesh"]: (side_by_side.runs() / row["field"]).read_text() for row in side_by_side.rows()}
    theirs = {path.stem: path.read_text() for path in (folder / "fields").glob("*.vtk")}
    assert fields == theirs and len(fields) == 3
    ours = {path.stem: path.read_text() for path in (side_by_side.folder / "fields").glob("*.vtk")}
    assert ours == theirs


def test_failed_runs_are_tried_again_but_not_those_that_died_by_a_signal(side_by_side: Bench) -> None:
    files = files_of("Runs that fail: `max_retries`, `on_exit_hold`")
    run_ours(side_by_side, files, code=1)
    assert in_our_table(side_by_side) == printed(run_theirs(side_by_side, files))
    assert [row["case"] for row in side_by_side.rows(file="failed.csv")] == ["7"]
    died = [path.read_text() for path in side_by_side.root.glob("*log.died")]
    assert died == ["7\n", "7\n"]  # one attempt on each side


def test_a_run_that_takes_too_long_is_ended(side_by_side: Bench) -> None:
    files = files_of("A limit of time: `periodic_remove`")
    assert "timeout: 2h" in files["spe.yaml"]
    run_ours(side_by_side, files, code=1)
    assert in_our_table(side_by_side) == printed(run_theirs(side_by_side, files))
    assert [row["start"] for row in side_by_side.rows(file="failed.csv")] == ["2"]


def test_values_are_found_in_what_the_programs_print(side_by_side: Bench) -> None:
    files = files_of("Output for each task, and values searched in it")
    run_ours(side_by_side, files)
    energies = (run_theirs(side_by_side, files) / "energies.txt").read_text().split()
    assert side_by_side.column("energy") == energies
    assert len(energies) == 5


def test_post_processing_begins_when_all_are_done(side_by_side: Bench) -> None:
    files = files_of("Post-processing when all are done")
    folder = run_theirs(side_by_side, files)
    for name, text in files.items():
        side_by_side.write(name, text)
    spe = side_by_side.worker(f'exec {sys.executable} -m spe "$@"', "bin/spe")
    path = f"{spe.parent}:{side_by_side.environment['PATH']}"
    environment = {**side_by_side.environment, "PATH": path}
    subprocess.run(["sh", "run.sh"], cwd=side_by_side.folder, env=environment, check=True)
    assert (side_by_side.folder / "summary.txt").read_text() == (folder / "summary.txt").read_text() == "5\n"


def test_the_line_that_makes_the_new_table_from_the_old_one_is_right(side_by_side: Bench) -> None:
    section = "One line of a file for each task"
    files = files_of(section)
    (line,) = re.findall(r"(?ms)^```sh\n(.*?)^```", SECTIONS[section])
    side_by_side.write("params.txt", files["params.txt"])
    subprocess.run(["sh", "-c", line], cwd=side_by_side.folder, check=True)
    assert (side_by_side.folder / "params.csv").read_text() == files["params.csv"]


def test_a_licence_that_was_not_free_is_asked_for_again_on_both_sides(side_by_side: Bench) -> None:
    for section in ('Licences, and "try again" by an exit code', "Licences: `--licenses`, and a run that is requeued"):
        assert "{77: 5, any: 1}" in files_of(section)["spe.yaml"]
    run_ours(side_by_side, files_of('Licences, and "try again" by an exit code'))
    assert [row["attempts"] for row in side_by_side.rows()] == ["2" if n in (4, 8) else "1" for n in range(10)]


def test_the_form_that_the_page_calls_refused_is_refused(side_by_side: Bench) -> None:
    text = files_of('Licences, and "try again" by an exit code')["spe.yaml"]
    side_by_side.write("spe.yaml", text.replace("{77: 5, any: 1}", "77"))
    assert "77 alone means 77 attempts for every exit code" in side_by_side.refused("check", "--dry")


TABLES = PAGE.read_text(encoding="utf-8").split("## Line by line")[1].split("\n## ")[0]
LINES = re.findall(r"(?m)^\| `.* \| `([\w.]+: .+?)`(?:[,;:] .*)? \|$", TABLES)


def test_the_tables_have_lines_for_spe_yaml() -> None:
    assert len(LINES) >= 16


@pytest.mark.parametrize("line", sorted(set(LINES)))
def test_each_line_of_the_tables_is_read(line: str, side_by_side: Bench) -> None:
    for name in ("mesh.dat", "helper.py", "data/mesh.dat", "run_1/deck.inp"):
        side_by_side.write(name, "x")
    if re.match(r"\w+\.\w+: ", line):
        line = f"inputs: {{{line}}}"
    side_by_side.write("spe.yaml", f"command: echo {{{{ n }}}}\nparameters: {{grid: {{n: [1]}}}}\n{line}\n")
    side_by_side.ok("check", "--dry")
