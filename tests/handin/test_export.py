"""The zip of a run: a crate that others read, whole, and true."""

from __future__ import annotations

import base64
import subprocess
import warnings
import zipfile
from typing import Any

import pytest
from cli.kit import Bench

from .kit import SPE_YAML, Sweep, contents, record_of, without_rocrate

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"


@pytest.fixture(scope="module")
def crate(ran: Sweep) -> Any:
    """The crate as the library reads it."""
    from rocrate.rocrate import ROCrate

    words = ("--program", "--inputs", "--author", "Ada Lovelace", "--license", "CC-BY-4.0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of entities that it does not find
        return ROCrate(ran.export(*words, name="crate.zip"))


def test_the_zip_is_a_process_run_crate_in_the_librarys_own_reading(crate: Any) -> None:
    assert crate.root_dataset["conformsTo"].id == PROFILE
    assert crate.root_dataset["author"]["name"] == "Ada Lovelace"
    assert crate.root_dataset["license"]["name"] == "CC-BY-4.0"
    action = crate.root_dataset["mentions"]
    assert action.type == "CreateAction"
    assert action["instrument"].type == "SoftwareApplication"
    assert action["instrument"]["name"] == "work"
    assert action["instrument"]["hasPart"].id == "sweep/work"
    # The same URI in each crate with this program: made of its SHA-256.
    sha256 = base64.urlsafe_b64decode(action["instrument"].id.removeprefix("ni:///sha-256;") + "=").hex()
    assert sha256 == action["instrument"]["hasPart"]["sha256"]
    assert {one.id for one in action["object"]} == {
        "sweep/spe.yaml", "sweep/params.csv", "sweep/meshes/32.dat", "sweep/meshes/64.dat", "results/parameters.csv",
    }  # fmt: skip
    assert {"results/results.csv", "results/files/3/note.txt", "results/files/3/out/trace.csv"} <= {
        one.id for one in action["result"]
    }
    assert action["startTime"] <= action["endTime"]
    assert action["actionStatus"] == "http://schema.org/FailedActionStatus"
    assert action["error"] == "1 of 4 sets gave no result"


def test_each_file_of_the_crate_is_in_the_zip_and_no_other_is(ran: Sweep, crate: Any) -> None:
    described = {one.id for one in crate.data_entities if one.type == "File"}
    assert {"SHA256SUMS", "ro-crate-metadata.json"} == set(contents(ran.bench.folder / "crate.zip")) - described
    assert described <= set(contents(ran.bench.folder / "crate.zip"))


def test_its_digests_are_right_by_a_tool_that_everybody_has(ran: Sweep) -> None:
    place = ran.bench.root / "unpacked"
    with zipfile.ZipFile(ran.whole()) as opened:
        opened.extractall(place)
    done = subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=place, capture_output=True, check=False)
    assert done.returncode == 0, done


def test_its_tables_are_those_of_the_run(ran: Sweep) -> None:
    files = contents(ran.whole())
    assert files["results/results.csv"] == (ran.bench.runs() / "results.csv").read_bytes()
    assert files["results/failed.csv"] == (ran.bench.runs() / "failed.csv").read_bytes()
    assert files["results/parameters.csv"] == b"number,x,mesh\n1,1,32\n2,2,32\n3,3,64\n4,4,64\n"
    assert files["results/files/1/note.txt"] == b"state 1"
    assert b"<h2" in files["report.html"]


def test_program_and_inputs_are_in_it_only_when_they_are_asked_for(ran: Sweep) -> None:
    for words, there in (
        ((), set()),
        (("--program",), {"sweep/work"}),
        (("--inputs",), {"sweep/meshes/32.dat", "sweep/meshes/64.dat"}),
    ):
        files = contents(ran.export(*words, name="some.zip"))
        assert {one for one in files if one.startswith("sweep/")} == {"sweep/spe.yaml", "sweep/params.csv", *there}
        roles = {one["path"]: one["role"] for one in record_of(files)["files"]}
        assert roles == {
            "work": "program", "meshes/32.dat": "input", "meshes/64.dat": "input", "params.csv": "sweep",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--program", "--inputs"), "`spe replay y.zip` repeats it\n"),
        (("--program",), "repeats it where FOLDER has the inputs; `spe export --inputs` puts them into the zip\n"),
        ((), "has the program and inputs; `spe export --program --inputs` puts them into the zip\n"),
    ],
)
def test_the_last_line_says_what_a_replay_needs(ran: Sweep, words: tuple[str, ...], said: str) -> None:
    assert ran.bench.ok("export", "-o", "y.zip", *words).err.endswith(said)
    (ran.bench.folder / "y.zip").unlink()


def test_without_the_library_the_message_has_the_line_that_installs_it(ran: Sweep) -> None:
    said = ran.bench.refused("export", "-o", "y.zip", **without_rocrate(ran.bench.root))
    assert "spe export needs rocrate, which is not installed" in said
    assert "pip install 'spe[crate]'" in said
    assert not (ran.bench.folder / "y.zip").exists()


def test_after_a_change_of_spe_yaml_or_an_input_nothing_is_exported(sweep: Sweep) -> None:
    sweep.run()
    said = "spe.yaml, its parameters or inputs are not those of set 1 any more"
    for name, before, after in (
        ("spe.yaml", SPE_YAML, SPE_YAML.replace("./work {{ x }}", "./work {{ x }} more")),
        ("meshes/32.dat", "32 cells\n", "33 cells\n"),
        ("params.csv", "x,mesh\n1,32\n2,32\n3,64\n4,64\n", "x,mesh\n2,32\n3,64\n4,64\n"),
    ):
        sweep.bench.write(name, after)
        assert said in sweep.bench.refused("export", "-o", "x.zip")
        sweep.bench.write(name, before)
        sweep.export()


def test_a_result_file_that_was_removed_is_named_and_no_zip_is_left(sweep: Sweep) -> None:
    sweep.run()
    (sweep.bench.runs() / "files" / "2" / "note.txt").unlink()
    said = sweep.bench.refused("export", "-o", "x.zip")
    assert "the file note.txt of set 2 was removed" in said
    assert list(sweep.bench.folder.glob("*.zip")) == list(sweep.bench.folder.glob(".*.part")) == []


def test_an_interpreted_program_with_its_module_and_requirements_is_the_program(bench: Bench) -> None:
    bench.write("s.py", "import m\nprint(m.ONE)\n")
    bench.write("m.py", "ONE = 1\n")
    bench.write("data.txt", "1\n")
    bench.write("spe.yaml", "command: python3 s.py\ninputs: [s.py, m.py, data.txt]\n")
    bench.ok("run", "-q")
    bench.ok("export", "--program", "-o", "x.zip")
    files = contents(bench.folder / "x.zip")
    assert {one for one in files if one.startswith("sweep/")} == {"sweep/spe.yaml", "sweep/s.py", "sweep/m.py"}
    said = bench.refused("replay", "x.zip")
    assert "it is without its input data.txt" in said
    bench.ok("replay", "x.zip", "--with", "data.txt")


def test_very_many_result_files_are_one_entry_of_the_crate(
    ran: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spe.handin import ro_crate
    from spe.handin.facts import facts_of
    from spe.handin.ro_crate import Credits, Packed
    from spe.store.reader import Reader

    monkeypatch.setattr(ro_crate, "MOST_FILES", 3)
    files = [Packed(f"results/files/{n}/a.txt", "0" * 64, 1) for n in range(5)]
    with Reader(ran.bench.runs()) as reader:
        text = ro_crate.metadata(facts_of(reader), [*files, Packed("results/results.csv", "0" * 64, 1)], Credits())
    assert '"results/files/"' in text
    assert "results/files/1" not in text


def test_files_that_match_folders_and_templates_are_taken_along(bench: Bench) -> None:
    bench.worker('cat "$1" given/b.txt t.txt')
    for name in ("data/1.csv", "data/2.csv", "given/b.txt", "given/deep/c.txt", "t.txt.j2"):
        bench.write(name, f"{name} {{{{ f }}}}\n" if name.endswith("j2") else f"{name}\n")
    bench.write("more.csv", "not of the sweep\n")
    bench.write(
        "spe.yaml",
        "command: ./work {{ f }}\nparameters: {grid: {f: {glob: 'data/*.csv'}}}\n"
        "inputs: {given: {folder: given}, t.txt: {template: t.txt.j2}}\n",
    )
    bench.ok("run", "-q")
    bench.ok("export", "--program", "--inputs", "-o", "x.zip")
    files = {one.removeprefix("sweep/") for one in contents(bench.folder / "x.zip") if one.startswith("sweep/")}
    assert files == {
        "spe.yaml", "work", "data/1.csv", "data/2.csv", "given/b.txt", "given/deep/c.txt", "t.txt.j2",
    }  # fmt: skip
    done = bench.ok("replay", "x.zip", "--into", str(bench.root / "elsewhere"))
    assert "2 sets compared: all are the same" in done.err
