"""`venv:` on this machine: what tasks import, what is downloaded when, and what is said when it fails."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

import pytest

from .kit import SoftwareBench, wheel

pytestmark = pytest.mark.slow
PROGRAM = "import sys, tool\nprint(tool.VERSION, sys.argv[1], sys.prefix)\n"


def sweep(bench: SoftwareBench, requirements: str = "tool\n", more: str = "") -> None:
    bench.write("sim.py", PROGRAM)
    bench.write("requirements.txt", requirements)
    bench.write(
        "spe.yaml",
        "command: python sim.py {{ x }}\ninputs: {sim.py: {file: sim.py}}\nvenv: requirements.txt\n"
        "parameters: {grid: {x: [1, 2, 3]}}\nresults: {said: stdout}\n" + more,
    )


def versions(bench: SoftwareBench) -> set[str]:
    return {said.split()[0] for said in bench.column("said")}


def test_tasks_import_what_the_requirements_name_and_nothing_stays(bench: SoftwareBench) -> None:
    wheel(bench.wheels, "tool", "1.0", needs="part")
    wheel(bench.wheels, "part", "3.0")
    sweep(bench)
    assert bench.spe("run").code == 0
    assert versions(bench) == {"1.0"}
    assert all("/built/" in said for said in bench.column("said"))
    assert bench.made == ["venv: requirements.txt"]


def test_a_later_run_computes_with_the_same_versions_whatever_has_come_out_since(bench: SoftwareBench) -> None:
    wheel(bench.wheels, "tool", "1.0")
    sweep(bench)
    assert bench.spe("run").code == 0
    wheel(bench.wheels, "tool", "2.0")
    sweep(bench, more="repeat: 1\n".replace("repeat: 1\n", "") + "env: {A: b}\n")  # other sets
    assert bench.spe("run").code == 0
    assert versions(bench) == {"1.0"}


def test_other_requirements_are_another_program(bench: SoftwareBench) -> None:
    wheel(bench.wheels, "tool", "1.0")
    wheel(bench.wheels, "tool", "2.0")
    sweep(bench, "tool==1.0\n")
    assert bench.spe("run").code == 0
    sweep(bench, "-r more.txt\n")
    bench.write("more.txt", "tool==2.0\n")
    asked = bench.spe("run")
    assert asked.code == 2
    assert "requirements.txt" in asked.err
    assert bench.spe("run", "--fresh").code == 0
    assert versions(bench) == {"2.0"}
    bench.write("more.txt", "tool==1.0\n")  # an included file counts
    assert bench.spe("run").code == 2


def test_a_package_without_a_wheel_is_named_before_anything_runs(bench: SoftwareBench) -> None:
    wheel(bench.wheels, "tool", "1.0", tag="cp311-cp311-win_amd64")
    sweep(bench)
    done = bench.spe("run")
    assert done.code == 3
    assert "localhost: software: venv: requirements.txt: no wheel of tool" in done.err
    assert "Python 3." in done.err
    assert bench.query("SELECT count(*) FROM tickets") == [(0,)]


def test_all_packages_without_a_wheel_are_named_with_the_versions_that_there_are(bench: SoftwareBench) -> None:
    wheel(bench.wheels, "tool", "2.0", tag="cp311-cp311-win_amd64")
    wheel(bench.wheels, "tool", "0.9")
    wheel(bench.wheels, "part", "3.0", tag="cp311-cp311-win_amd64")
    wheel(bench.wheels, "good", "1.0")
    sweep(bench, '-c limits.txt\ntool==2.0\ngood\npart  # a comment\nnever; python_version < "3.0"\n')
    bench.write("limits.txt", "unused<3\n")
    done = bench.spe("run")
    assert done.code == 3
    assert "no wheel of tool==2.0, part for linux" in done.err
    assert "  tool==2.0: there is a wheel of 0.9\n" in done.err
    assert "  part: no version has a wheel\n" in done.err
    assert "No host of this run is left" in done.err


def test_a_package_that_another_one_needs_is_named_too(bench: SoftwareBench) -> None:
    wheel(bench.wheels, "tool", "1.0", needs="part>=2")
    wheel(bench.wheels, "part", "1.0")
    sweep(bench)
    done = bench.spe("run")
    assert done.code == 3
    assert "no wheel of part>=2" in done.err
    assert "there is a wheel of 1.0" in done.err


def test_a_name_that_pip_does_not_find_is_asked_for(bench: SoftwareBench) -> None:
    wheel(bench.wheels, "there", "1.0", tag="cp311-cp311-win_amd64")
    sweep(bench, "nunpy\nthere\n")
    done = bench.spe("run")
    assert done.code == 3
    assert "nunpy: pip finds no package of this name; is it right" in done.err
    assert "there: no version has a wheel" in done.err


def test_nothing_stays_of_a_python_without_wheels(bench: SoftwareBench) -> None:
    sweep(bench, "nunpy\n")
    assert bench.spe("run").code == 3
    assert list((bench.runs() / "software").glob("*")) == []


@pytest.mark.parametrize("line", ["-e ./mypkg", "./mypkg", "mypkg @ file://{here}/mypkg", "git+file://{here}/mypkg"])
def test_source_code_in_the_requirements_is_refused_as_hosts_would_lack_it(bench: SoftwareBench, line: str) -> None:
    bench.write("mypkg/setup.py", "from setuptools import setup; setup(name='mypkg', version='1')\n")
    sweep(bench, line.format(here=bench.folder) + "\n")
    done = bench.spe("run")
    assert done.code == 3
    assert "source code: " in done.err and "mypkg" in done.err
    assert "pip wheel" in done.err


def test_a_wheel_that_the_requirements_name_by_its_file_is_brought_along(bench: SoftwareBench) -> None:
    wheel(bench.folder / "own", "tool", "7.0")
    sweep(bench, "./own/tool-7.0-py3-none-any.whl\n")
    assert bench.spe("run").code == 0
    assert versions(bench) == {"7.0"}


def test_a_mistake_in_the_requirements_is_told_in_the_words_of_pip(bench: SoftwareBench) -> None:
    sweep(bench, "--no-such-option\n")
    done = bench.spe("run")
    assert done.code == 3
    assert "pip failed for linux-" in done.err
    assert "no such option: --no-such-option" in done.err


def test_no_temporary_files_of_pip_stay_beside_the_wheels(bench: SoftwareBench) -> None:
    wheel(bench.wheels, "tool", "1.0")
    sweep(bench)
    assert bench.spe("run").code == 0
    assert not list((bench.runs() / "software").glob("*/tmp"))


def test_a_marker_is_decided_by_the_python_of_the_host(bench: SoftwareBench) -> None:
    wheel(bench.wheels, "tool", "1.0")
    sweep(bench, 'tool\nmissing; python_version < "3.0"\nalso_missing; sys_platform == "win32"\n')
    assert bench.spe("run").code == 0


def test_an_environment_that_was_packed_is_unpacked_and_its_scripts_come_first(bench: SoftwareBench) -> None:
    packed = bench.root / "packed"
    (packed / "bin").mkdir(parents=True)
    (packed / "bin" / "tool").write_text("#!/bin/sh\necho packed $VIRTUAL_ENV\n")
    (packed / "bin" / "conda-unpack").write_text('#!/bin/sh\necho "$PWD" > unpacked\n')
    for name in ("tool", "conda-unpack"):
        (packed / "bin" / name).chmod(0o755)
    (packed / "bin" / "python").symlink_to(sys.executable)
    with tarfile.open(bench.folder / "env.tar.gz", "w:gz") as archive:
        archive.add(packed, ".")
    bench.write("spe.yaml", "command: sh -c 'tool; cat $VIRTUAL_ENV/unpacked'\nvenv: env.tar.gz\n")
    assert bench.spe("run").code == 0
    said, place = bench.column("stdout")[0].splitlines()
    assert said == f"packed {place}"


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("command: venv/bin/python sim.py\n", "venv: requirements.txt"),
        ("command: x\nenvironment: {A: b}\n", "`env:`"),
        ("command: x\nvenv: venv\n", "pip freeze"),
        ("command: x\nvenv: nothing.txt\n", "is not there"),
        ("command: x\nvenv: requirements.txt\ncontainer: image.sif\n", "exclude each other"),
        ("command: x\ncontainer: docker://debian\n", "apptainer build"),
        ("command: x\ncontainer: venv\n", "is a folder"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_is_meant(bench: SoftwareBench, yaml: str, words: str) -> None:
    bench.write("venv/pyvenv.cfg", "")
    bench.write("venv/bin/python", "#!/bin/sh\n", 0o755)
    bench.write("requirements.txt", "")
    bench.write("image.sif", "")
    bench.write("spe.yaml", yaml)
    done = bench.spe("run")
    assert done.code == 2
    assert words in done.err
    assert "spe.yaml:" in done.err


def test_a_kept_environment_is_used_again_by_the_next_run(bench: SoftwareBench) -> None:
    bench.keeps = True
    wheel(bench.wheels, "tool", "1.0")
    sweep(bench, more="keep_venv: true\n")
    assert bench.spe("run").code == 0
    place = Path(bench.column("said")[0].split()[2])
    assert (place / ".spe-whole").exists()
    sweep(bench, more="keep_venv: true\nenv: {A: b}\n")
    assert bench.spe("run").code == 0
    assert bench.made == ["venv: requirements.txt"], "the log of both runs"


def test_wheels_that_somebody_has_removed_from_the_run_are_downloaded_again(bench: SoftwareBench) -> None:
    wheel(bench.wheels, "tool", "1.0")
    sweep(bench)
    assert bench.spe("run").code == 0
    (kept,) = (bench.runs() / "software").rglob("tool-1.0*.whl")
    kept.unlink()
    sweep(bench, more="env: {A: b}\n")  # other sets
    done = bench.spe("run")
    assert done.code == 0 and versions(bench) == {"1.0"}, done


def test_a_wheel_in_the_sweeps_folder_that_is_made_anew_is_another_program(bench: SoftwareBench) -> None:
    made = wheel(bench.folder, "tool", "1.0")
    sweep(bench, f"./{made.name}\n")
    assert bench.spe("run").code == 0
    wheel(bench.folder, "tool", "1.0", text="VERSION = 'rebuilt'\n")
    assert bench.spe("run").code == 2
    assert bench.spe("run", "--fresh").code == 0 and versions(bench) == {"rebuilt"}
