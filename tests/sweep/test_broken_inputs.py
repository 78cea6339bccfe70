"""Faults of inputs that were found from outside: each is a kind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from one_liners import one_liner
from spe.errors import ConfigError
from spe.sweep.inputs.tree import matches
from spe.sweep.pattern import Pattern
from spe.sweep.sweep import Sweep, from_command_line, load


def sweep(folder: Path, text: str, *files: str) -> Sweep:
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / "spe.yaml").write_text(text)
    return load(folder)


def names(made: Sweep) -> list[list[str]]:
    return [sorted(one.name for one in made.work(each.values).inputs) for each in made.parameters]


# -- results of the sweep are no inputs of it


@pytest.mark.parametrize("glob", ["**/*.csv", "*/**", "*"])
def test_a_glob_never_goes_into_the_folder_of_the_runs(tmp_path: Path, glob: str) -> None:
    made = sweep(tmp_path, f"command: echo\ninputs: ['{glob}']\n", "data/a.csv", "runs/t/results.csv")
    assert not [name for each in names(made) for name in each if name.startswith("runs")]
    line = one_liner(["cat", "{{ f }}"], ["f=glob:**/*.csv"])
    assert [one.values["f"] for one in from_command_line(line, tmp_path).parameters] == ["data/a.csv"]


def test_results_of_another_sweep_are_inputs_where_they_are_named(tmp_path: Path) -> None:
    made = sweep(tmp_path, "command: echo\ninputs: ['runs/other/files/*/a.dat']\n", "runs/other/files/1/a.dat")
    assert names(made) == [["runs/other/files/1/a.dat"]]
    with pytest.raises(ConfigError, match="has this sweep with its runs/ in it"):
        sweep(tmp_path, "command: echo\ninputs: [runs/]\n")


@pytest.mark.parametrize("glob", ["d/**", "d/*/*", "d/**/*.csv"])
def test_a_folder_that_cannot_be_read_is_told_by_a_glob(glob: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for file in ("d/a.csv", "d/open/b.csv", "d/closed/c.csv"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).touch()
        (folder / "d/closed").chmod(0)
        said = as_another_account(lambda: matches(folder, glob, "inputs"))
        assert "the folder d/closed of inputs can't be read: Permission denied" in said


def as_another_account(call: Callable[[], object]) -> str:
    """Return what a call says that a process of another account makes: root may read all folders."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        if os.geteuid() == 0:
            os.setuid(65534)
        try:
            said = str(call())
        except ConfigError as error:
            said = str(error)
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        said = file.read().decode()
    os.waitpid(child, 0)
    return said


# -- inputs with parameters are there


@pytest.mark.parametrize(
    ("inputs", "command"),
    [
        ('["{{ x }}.dat"]', "cat {{ x }}.dat"),
        ('["cases/{{ x }}/"]', "cat cases/{{ x }}/in"),
        ('["cases/{{ x }}"]', "cat cases/{{ x }}/in"),
        ('["cases/{{ x }}/*"]', "cat cases/{{ x }}/in"),
        ('{"{{ x }}.dat": {file: "{{ x }}.dat"}}', "cat {{ x }}.dat"),
        ('["{{ x }}.dat"]', "sh -c 'cat {{ x }}.dat | wc -l'"),
    ],
)
def test_a_word_that_an_input_with_a_parameter_brings_is_no_mistake(tmp_path: Path, inputs: str, command: str) -> None:
    files = [f"{x}.dat" for x in "ab"] + [f"cases/{x}/in" for x in "ab"]
    made = sweep(tmp_path, f'command: "{command}"\nparameters: {{grid: {{x: [a, b]}}}}\ninputs: {inputs}\n', *files)
    census = made.parameters.check()
    assert not census.mistakes and not census.warnings
    assert [len(each) for each in names(made)] == [1, 1]


@pytest.mark.parametrize("command", ["cat a.in", "cat {{ x }}"])
def test_a_text_for_a_shell_goes_with_inputs_that_have_a_parameter(tmp_path: Path, command: str) -> None:
    inputs = 'inputs: {a.in: {file: "{{ x }}.dat"}}\nparameters: {grid: {x: [a, b]}}\n'
    assert names(sweep(tmp_path, f"shell: true\ncommand: {command}\n{inputs}", "a.dat", "b.dat")) == [
        ["a.in"],
        ["a.in"],
    ]


def test_a_file_in_which_another_input_would_lie_is_told_before_the_run(tmp_path: Path) -> None:
    text = 'command: echo\nparameters: {grid: {x: [a, b]}}\ninputs: {"{{ x }}": "1", "a/c": "2"}\n'
    with pytest.raises(ConfigError, match="the input a is a file, and another one would lie in it"):
        sweep(tmp_path, text).parameters.check()


# -- words that look like files


@pytest.mark.parametrize("command", ["sh -e -c 'cat log.txt | wc -l'", "bash -o pipefail -c 'cat log.txt | wc -l'",
                                     "bash -eu -o pipefail -ec 'cat log.txt'"])  # fmt: skip
def test_options_of_the_shell_hide_no_file(tmp_path: Path, command: str) -> None:
    (mistake,) = sweep(tmp_path, f'command: "{command}"\n', "log.txt").parameters.check().mistakes
    assert "log.txt is a file here" in mistake.what


@pytest.mark.parametrize(
    "text",
    ["./sim > out.txt; tail -n 1 out.txt", "./sim | tee out.txt; wc out.txt", "rm -f out.txt; cat out.txt",
     "cp a out.txt && cat out.txt", "./sim 2>> out.txt; cat out.txt"],
)  # fmt: skip
def test_what_a_shell_makes_itself_may_be_left_over_here(tmp_path: Path, text: str) -> None:
    made = sweep(tmp_path, f"shell: true\ncommand: {text}\ninputs: {{a: '1', sim: '2'}}\n", "out.txt")
    assert not made.parameters.check().mistakes


@pytest.mark.parametrize("command", ["sim --method euler", "prog --output-file=out.txt", "prog --out-file out.txt"])
def test_a_word_that_may_mean_another_thing_than_a_file_is_only_warned_of(tmp_path: Path, command: str) -> None:
    made = sweep(tmp_path, f"command: {command}\ninputs: {{sim: '1'}}\n", "euler", "out.txt")
    assert not made.parameters.check().mistakes


# -- numbers


@pytest.mark.parametrize(
    ("text", "number"), [("1.0D+05", "100000.0"), ("1.5-103", "1.5e-103"), (" 2 ", "2.0"), ("1e3", "1000.0")]
)
def test_filters_read_numbers_as_results_are_read(text: str, number: str) -> None:
    assert Pattern.parse("{{ x | float }}").fill({"x": text}) == number


@pytest.mark.parametrize("text", ["", "abc", "1 000", "12e", "0x10", "1_000", "1.2.3"])
def test_filters_make_no_number_of_what_is_none(text: str) -> None:
    for code in ("float", "int"):
        with pytest.raises(ConfigError, match="is not a number"):
            Pattern.parse(f"{{{{ x | {code} }}}}").fill({"x": text})
    assert Pattern.parse("{{ x | float(7) }}").fill({"x": text}) == ("1000.0" if text == "1_000" else "7")
