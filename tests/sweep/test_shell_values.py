"""Values in a shell's text that the shell would read as more than a word are a mistake before anything runs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from one_liners import one_liner
from spe.config.yaml_file import written
from spe.sweep.parameters import Census
from spe.sweep.pattern import Pattern
from spe.sweep.sweep import from_command_line, load

Look = Callable[..., Census]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    def look(text: str, *values: str, shell: bool = True) -> Census:
        command = {"command": text, "shell": True} if shell else {"command": f"sh -c '{text}'"}
        (tmp_path / "spe.yaml").write_text(written({**command, "parameters": {"grid": {"x": ["1", *values]}}}))
        return load(tmp_path).parameters.check()

    return look


@pytest.mark.parametrize("shell", [True, False], ids=["shell: true", "sh -c"])
@pytest.mark.parametrize(
    "value", ["a;b", "a&b", "a|b", "a<b", "a>b", "$a", "`a`", 'a"', "a\\b", "a*", "a(b", "[a", "?"]
)
def test_a_sign_of_the_shell_in_a_value_is_a_mistake_that_names_the_value_and_the_cure(
    look: Look, value: str, shell: bool
) -> None:
    [mistake] = look("wc -l {{ x }}", "1", value, shell=shell).mistakes
    assert f"the {value.strip('ab')[0]} in x={value}" in str(mistake)
    assert "Write {{ x | quote }}" in str(mistake)
    assert "--anyway" in str(mistake)


def test_a_quote_around_the_place_decides_which_signs_count(look: Look) -> None:
    assert not look('echo "{{ x }}"', "a;b", "a b*").mistakes
    assert not look("echo '{{ x }}'", "a;b", "$a").mistakes
    [mistake] = look('echo "{{ x }}"', "a$b").mistakes
    assert '{{ x | quote }} without the " around it' in str(mistake)
    assert look("echo '{{ x }}'", "it's").mistakes
    assert look("echo 'a' {{ x }}", "a;b").mistakes
    assert look("echo \\' {{ x }}", "a;b").mistakes, "an escaped quote opens nothing"


@pytest.mark.parametrize(
    "text",
    [
        "{{ x }}", "  {{ x }}", "{{ x }} | sort", "true; {{ x }}", "true && {{ x }} >out", "(cd /; {{ x }})",
        "wc {{ x | quote }}", "wc {{x|quote}}", 'wc {{ x | stem | quote }} "{{ y }}"',
    ],
)  # fmt: skip
def test_what_begins_a_command_is_meant_for_the_shell_and_what_is_quoted_is_one_word(look: Look, text: str) -> None:
    found = look(text.replace("{{ y }}", "y"), "echo 1; echo 2", "a|b")
    assert not found.mistakes
    assert not [one for one in found.warnings if "shell" in one]


def test_blanks_are_a_warning_and_in_names_of_files_a_mistake(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = look("cc {{ x }} a.c", "-O2", "-O3 -g")
    assert not found.mistakes
    [warning] = [one for one in found.warnings if "several words" in one]
    assert "where x='-O3 -g'" in warning and "{{ x | quote }}" in warning
    assert "is no word at all where x=''" in str(look("cc {{ x }} a.c", "").warnings)
    (tmp_path / "my file").touch()
    (tmp_path / "it").touch()
    (tmp_path / "spe.yaml").unlink()
    monkeypatch.chdir(tmp_path)
    [mistake] = of_line("wc -l {{ f }}", tmp_path).mistakes
    assert "the blank in f='my file'" in str(mistake)
    assert not of_line("wc -l {{ f | quote }}", tmp_path).mistakes


def of_line(text: str, folder: Path) -> Census:
    return from_command_line(one_liner([text], ["f=glob:*"], shell=True), folder).parameters.check()


def test_without_a_shell_each_value_is_one_word(tmp_path: Path) -> None:
    text = written({"command": "echo {{ x }}", "parameters": {"grid": {"x": ["a;b", "$c", "a b"]}}})
    (tmp_path / "spe.yaml").write_text(text)
    found = load(tmp_path).parameters.check()
    assert not found.mistakes and not found.warnings


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.text(alphabet="ab;&|<>()$`\"'\\*?[] \n#~{}!=%-", max_size=6),
    around=st.sampled_from(["{{ x }}", "x{{ x }}", '"{{ x }}"', "'{{ x }}'", "x\"{{ x }}\"'y'", "x{{ x | quote }}"]),
)
def test_a_value_that_is_taken_without_a_word_reaches_the_program_as_it_is(look: Look, value: str, around: str) -> None:
    """The oracle is a shell: what is neither refused nor warned of is one word there, the same one."""
    text = f"printf %s.%s. {around} end"
    found = look(text, value)
    if found.mistakes or any("shell" in one for one in found.warnings):
        return
    plain = around.replace('"', "").replace("'", "").replace("{{ x | quote }}", value).replace("{{ x }}", value)
    if around.endswith("'y'"):
        plain = f"x{value}y"
    filled = Pattern.parse(text).fill({"x": value})
    done = subprocess.run(["sh", "-c", filled], capture_output=True, text=True, timeout=20)
    assert done.stdout == f"{plain}.end.", (filled, done.stderr)
