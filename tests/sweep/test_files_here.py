"""Words of the command that are files here and not in the task's directory: found before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from one_liners import one_liner
from spe.sweep.checks.shell_words import shell_words
from spe.sweep.parameters import Census
from spe.sweep.pattern import Pattern
from spe.sweep.sweep import from_command_line, load

Look = Callable[..., Census]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Return the findings of the first pass, with a program `sim` and these files beside spe.yaml."""

    def look(command: str, more: str = "", x: str = "[1, 2]", files: str = "") -> Census:
        for name in ["sim", *files.split()]:
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True, parents=True)
            if name.endswith("/"):
                path.mkdir(exist_ok=True)
            else:
                path.write_text("#!/bin/sh\n")
                path.chmod(0o644 if path.suffix else 0o755)
        text = f"command: {command}\nparameters: {{grid: {{x: {x}}}}}\n{more}"
        (tmp_path / "spe.yaml").write_text(text)
        return load(tmp_path).parameters.check()

    return look


@pytest.mark.parametrize(
    ("command", "files", "named"),
    [
        ("./sim mesh.dat {{ x }}", "mesh.dat", "mesh.dat"),
        ("./sim --mesh=mesh.dat {{ x }}", "mesh.dat", "mesh.dat"),
        ("./sim ./mesh.dat {{ x }}", "mesh.dat", "./mesh.dat"),
        ("./sim data/mesh.dat {{ x }}", "data/mesh.dat", "data/mesh.dat"),
        ("python3 s.py {{ x }}", "s.py", "s.py"),
        ("cat {{ x }}.dat", "1.dat 2.dat", "1.dat"),
        ("'sh -c \"cat {{ x }}.dat | wc -l\"'", "1.dat 2.dat", "1.dat"),
        ("'bash -ec \"wc -l <{{ x }}.dat\"'", "1.dat 2.dat", "1.dat"),
        ("'sh -c \"cat ''{{ x }}.dat'' > out\"'", "1.dat 2.dat out", "1.dat"),
        ("'env A=1 sh -c \"./sim2 {{ x }}\"'", "sim2", "./sim2"),
        ("'sh -c \"(cat {{ x }}.dat;)\"'", "1.dat 2.dat", "1.dat"),
        ("'sh -c \"echo $(cat {{ x }}.dat)\"'", "1.dat 2.dat", "1.dat"),
    ],
)
def test_the_same_word_that_is_a_file_here_in_every_set_is_an_error(
    look: Look, command: str, files: str, named: str
) -> None:
    (mistake,) = look(command, files=files).mistakes
    assert mistake.what.startswith(f"{named} ") and "is a file here" in mistake.what and mistake.where
    assert ("worker: sim2" if "sim2" in command else "inputs:") in mistake.todo and "--anyway" in mistake.todo
    assert len(str(mistake).splitlines()) <= 3


def test_with_shell_true_the_words_of_the_text_are_looked_at(look: Look) -> None:
    census = look("'cat {{ x }}.dat | wc -l > out.txt'", "shell: true\n", files="1.dat 2.dat out.txt")
    assert [one.what.split()[0] for one in census.mistakes] == ["1.dat"]


def test_several_words_are_one_error(look: Look) -> None:
    (mistake,) = look("python3 s.py a.dat {{ x }}", files="s.py a.dat").mistakes
    assert "s.py, a.dat" in mistake.what
    assert "s.py: {file: s.py}" in mistake.todo and "a.dat: {file: a.dat}" in mistake.todo


def test_a_value_with_blanks_is_several_words_for_a_shell(look: Look) -> None:
    census = look("'sh -c \"cat {{ x }}\"'", x='["a.dat b.dat", "b.dat a.dat"]', files="a.dat b.dat")
    assert "a.dat" in census.mistakes[0].what and "b.dat" in census.mistakes[0].what
    assert not look("'./sim {{ x }}'", x='["a.dat b.dat", "b.dat a.dat"]', files="a.dat b.dat").mistakes


@pytest.mark.parametrize(
    ("command", "files", "x"),
    [
        ("./sim {{ x }}", "1", "[1, 2]"),
        ("./sim {{ x }}.dat", "1.dat", "[1, 2]"),
        ("./sim {{ x }}.dat", "2.dat", "[1, 2]"),
        ("./sim data {{ x }}", "data/", "[1, 2]"),
        ("./sim {{ x }}", "a/ b/", "[a, b]"),
        ("./sim -o out.dat {{ x }}", "out.dat", "[1, 2]"),
        ("./sim --output=out.dat {{ x }}", "out.dat", "[1, 2]"),
    ],
)
def test_folders_outputs_and_words_of_some_sets_are_a_warning(look: Look, command: str, files: str, x: str) -> None:
    census = look(command, x=x, files=files)
    assert census.mistakes == ()
    (warning,) = census.reminders
    assert warning in census.warnings and "but will not be in the task's directory; name" in warning


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("./sim sim mesh.dat out.txt {{ x }}", "inputs: {mesh.dat: {file: mesh.dat}}\nresults: {o: out.txt}\n"),
        ("./sim ./mesh.dat data {{ x }}", "inputs: {mesh.dat: {file: mesh.dat}, data/a.txt: {file: mesh.dat}}\n"),
        ("'sh -c \"./{{ worker }} {{ x }} | sort > out.txt\"'", "worker: sim\n"),
        ("python3 -c 'print({{ x }})' . ..", ""),
        ("./sim /etc/passwd {{ x }}", ""),
        ("./sim {{ x }} 2>out.txt > out.txt", "shell: true\n"),
        ("./sim requirements.txt {{ x }}", "venv: requirements.txt\n"),
    ],
)
def test_what_is_listed_or_elsewhere_is_none(look: Look, command: str, more: str) -> None:
    if "shell" in more:
        command = command.replace("./sim ", "echo ")
    census = look(command, more, files="mesh.dat out.txt requirements.txt data/a.txt")
    assert census.mistakes == () and census.reminders == ()


def test_a_command_line_has_the_same_error(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("1\n2\n")
    made = from_command_line(one_liner(["sh", "-c", "cat {{ f }} | wc -l"], ["f=a.txt,b.txt"]), tmp_path)
    (mistake,) = made.parameters.check().mistakes
    assert "a.txt" in mistake.what and "Add --input '{{ f }}'" in mistake.todo


def test_a_million_sets_ask_the_file_system_about_the_first_and_the_last(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    asked: list[object] = []
    real = os.stat

    def counted(path: object, *more: object, **named: object) -> object:
        asked.append(path)
        return real(path, *more, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "stat", counted)
    look("./sim {{ x }} --y={{ x }}", x="{range: [1, 20000]}")
    assert len(asked) < 200


class Untouched(list[object]):
    def __iter__(self) -> Iterator[object]:
        raise AssertionError("no set is looked at")


def test_where_the_first_set_names_no_file_the_others_cost_nothing(look: Look, tmp_path: Path) -> None:
    look("./sim {{ x }}")
    looks = load(tmp_path).parameters.inspector.words
    assert looks
    for look_at in looks:
        looking = look_at()
        looking.begin({"x": "1"})
        looking.look(("x",), Untouched())  # type: ignore[arg-type]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=30) | st.text("ab {}|;<>&()'\"$\\#\n-=./\U000f0000", max_size=20))
def test_any_shell_text_has_words_and_each_is_a_part_of_it(text: str) -> None:
    for word in shell_words(Pattern.parse(text.replace("{", "").replace("}", ""))):
        assert isinstance(word, Pattern)


def test_words_of_a_shell_text_keep_their_expressions() -> None:
    text = "cat '{{ a }} b.txt' {{ c }}.dat|wc -l <in > out 2>err; ./x \"{{ d | quote }}\" >&2 && y"
    assert [str(word) for word in shell_words(Pattern.parse(text))] == [
        "cat", "{{ a }} b.txt", "{{ c }}.dat", "wc", "-l", "in", "./x", "{{ d | quote }}", "y",
    ]  # fmt: skip
