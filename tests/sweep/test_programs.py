"""Which inputs are programs, so that who changes one is asked, and which are data, so that their sets run anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from spe.sweep.program import changed_parts
from spe.sweep.sweep import Sweep, load

FILES = frozenset(("s.py", "mod.py", "data.txt", "run.sh", "p.awk", "pkg/tool.py"))


def sweep(folder: Path, command: str, more: str = "", modes: dict[str, int] | None = None) -> Sweep:
    for name in FILES:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"content of {name}\n")
        path.chmod((modes or {}).get(name, 0o644))
    inputs = "".join(f"  {name}: {{file: {name}}}\n" for name in sorted(FILES))
    (folder / "spe.yaml").write_text(f"command: {command}\nparameters: {{grid: {{n: [1]}}}}\ninputs:\n{inputs}{more}")
    return load(folder)


PYTHONS = {"s.py", "mod.py", "pkg/tool.py"}


@pytest.mark.parametrize(
    ("command", "programs"),
    [
        ("python3 s.py data.txt {{ n }}", PYTHONS),
        ("/usr/bin/python3.11 -u ./s.py {{ n }}", PYTHONS),
        ("env A=1 nice python s.py", PYTHONS),
        ("python3 -W ignore s.py", PYTHONS),
        ("python3 -E s.py", PYTHONS),
        ("perl -E 'say 1' data.txt", set()),
        ("python3 -m pkg.tool data.txt", PYTHONS),
        ("python3 -c 'print(1)' data.txt", set()),
        ("cat s.py data.txt", set()),
        ("wc -l run.sh", set()),
        ("sh run.sh data.txt", {"run.sh"}),
        ("bash -e run.sh", {"run.sh"}),
        ("bash -ec 'cat data.txt | python3 s.py {{ n }} > out; wc -l run.sh'", PYTHONS),
        ("awk -f p.awk data.txt", {"p.awk"}),
        ("gawk -fp.awk data.txt", {"p.awk"}),
        ("awk '{print}' data.txt", set()),
        ("Rscript {{ n }} data.txt", set()),
        ("perl5.36 data.txt", {"data.txt"}),
        ("mypython s.py", set()),
    ],
)  # fmt: skip
def test_what_an_interpreter_reads_and_what_ends_like_it_is_a_program(
    tmp_path: Path, command: str, programs: set[str]
) -> None:
    found = set(sweep(tmp_path, command).recipe.programs)
    if "data.txt" in programs:  # and all that ends like it
        assert found == {"data.txt"}
    else:
        assert found == programs


def test_with_shell_true_the_commands_of_the_text_are_looked_at(tmp_path: Path) -> None:
    made = sweep(tmp_path, "'cat data.txt | python3 s.py {{ n }}; cat run.sh'", "shell: true\n")
    assert set(made.recipe.programs) == PYTHONS


def test_an_executable_and_what_begins_with_a_shebang_is_a_program(tmp_path: Path) -> None:
    made = sweep(tmp_path, "env ./run.sh data.txt", modes={"run.sh": 0o755})
    assert set(made.recipe.programs) == {"run.sh"}
    (tmp_path / "data.txt").write_text("#!/bin/sh\n")
    assert set(load(tmp_path).recipe.programs) == {"run.sh", "data.txt"}


def test_an_interpreter_that_reads_the_worker_has_modules_among_the_inputs(tmp_path: Path) -> None:
    sweep(tmp_path, "x")
    (tmp_path / "main.py").write_text("print()")
    (tmp_path / "main.py").chmod(0o755)
    made = sweep(tmp_path, "'python3 {{ worker }} {{ n }}'", "worker: main.py\n")
    assert set(made.recipe.programs) == PYTHONS
    assert set(made.program()) == {"worker any", *(f"input {name}" for name in PYTHONS)}


def test_a_worker_may_be_called_like_a_pattern(tmp_path: Path) -> None:
    sweep(tmp_path, "x")
    (tmp_path / "{{ n.sh").write_text("echo")
    (tmp_path / "{{ n.sh").chmod(0o755)
    made = sweep(tmp_path, "'sh {{ worker }} {{ n }}'", "worker: '{{ n.sh'\n")
    assert set(made.recipe.programs) == {"run.sh"}


def test_a_file_that_a_parameter_chooses_is_data_whatever_it_is(tmp_path: Path) -> None:
    sweep(tmp_path, "x")
    (tmp_path / "1.sh").write_text("#!/bin/sh\n")
    made = sweep(tmp_path, "sh chosen.sh", "  chosen.sh: {file: '{{ n }}.sh'}\n")
    assert "chosen.sh" not in set(made.recipe.programs)


def test_a_set_is_the_same_with_another_program_and_another_with_other_data(tmp_path: Path) -> None:
    made = sweep(tmp_path, "python3 s.py data.txt {{ n }}")
    key, older = made.key({"n": "1"}), made.older_key({"n": "1"})
    assert older and older != key
    (tmp_path / "mod.py").write_text("other")
    changed = load(tmp_path)
    assert changed.key({"n": "1"}) == key and changed.older_key({"n": "1"}) != older
    assert changed_parts(made.program(), changed.program()) == ["input mod.py"]
    (tmp_path / "data.txt").write_text("other")
    assert load(tmp_path).key({"n": "1"}) != key


def test_without_programs_among_its_inputs_a_set_has_the_identity_that_it_always_had(tmp_path: Path) -> None:
    assert sweep(tmp_path, "cat data.txt {{ n }}").older_key({"n": "1"}) is None


@pytest.mark.parametrize(
    ("before", "now", "changed"),
    [
        ({"worker any": "1"}, {"worker any": "1"}, []),
        ({"worker any": "1"}, {"worker any": "2"}, ["worker any"]),
        ({"worker linux": "1"}, {"worker linux": "1", "worker darwin": "2"}, []),
        ({"worker any": "1"}, {"worker any": "1", "worker linux": "1"}, []),
        ({"worker any": "1"}, {"worker any": "1", "worker linux": "2"}, ["worker linux"]),
        ({"worker linux": "1"}, {"worker linux": "1", "worker linux-x86_64": "2"}, ["worker linux-x86_64"]),
        ({"worker any": "1", "worker linux": "2"}, {"worker any": "1"}, ["worker linux"]),
        ({"worker b": "1", "worker a": "1"}, {"worker a": "2", "worker b": "2"}, ["worker a", "worker b"]),
        ({}, {"worker any": "1", "input s.py": "1"}, []),
        ({"worker any": "1"}, {}, ["worker any"]),
        ({"input s.py": "1"}, {"input s.py": "2"}, ["input s.py"]),
        ({"input s.py": "1"}, {}, []),
    ],
)
def test_a_program_has_changed_when_what_was_used_is_not_there_any_more(
    before: dict[str, str], now: dict[str, str], changed: list[str]
) -> None:
    assert changed_parts(before, now) == changed


@pytest.mark.parametrize("command", ["which python3", "sh -c 'cat data.txt | python3'", "sh -c 'cat data.txt | awk'"])
def test_an_interpreter_with_nothing_behind_it_reads_no_file(tmp_path: Path, command: str) -> None:
    assert "data.txt" not in sweep(tmp_path, command).recipe.programs
