"""Wrong options: each error names the option, the value and the right form; nothing runs, exit code 2."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
import pytest
from spe import cli
from spe.cli import output, spe
from spe.cli.lazy_group import every_command
from spe.cli.usage import OTHER_OPTIONS

COMMANDS = {name: command for name, command, _ in every_command(spe)}
SWEEP = "command: 'echo {{ x }}'\nparameters: {grid: {x: [1]}}\n"
LINE = ("-p", "x=1:3", "--", "echo", "{{ x }}")
# Option -> a value that it does not take; by its form where it has no entry of its own.
GARBAGE = {
    "-p": "x",
    "--sample": "latin:3",
    "--where": "x >",
    "--env": "1x=2",
    "--result": "=a",
    "--validate": "maybe",
    "--collect": "tabel",
    "--retry": "{exit: x}",
    "--licences": "{a: many}",
    "--separator": "ab",
    "--hosts": "a b c",
    "--name": "a/b",
    "--at": "nowhere",
    "--keep-output": "some",
    "--control": "maybe",
    "--listen": "door",
    "--listen-page": "door",
    "--host": "nowhere",
    "--input": "nowhere/*.csv",
    "--rows": "xml",
    "--notify": "dnoe=me",
    "--after": "nowhere",
    "--after-any": "nowhere",
    "--columns": "nowhere",
    "--sort": "nowhere",
    "--files": "nowhere",
    "--account": "a b",
    "--public": "nowhere",
    "--store": "nowhere",
    "--farm": "nowhere",
    "--exclude": "a b",
    "--group": "x" * 101,
    "--label": "x" * 101,
    "--info": "x" * 201,
    "--accept": "a b",
}
BY_FORM = {
    "N": "many",
    "TIME": "soon",
    "SIZE": "big",
    "N[%][,now]": "many",
    "yes|no": "perhaps",
    "FILE": "nowhere.txt",
    "PATH": "nowhere.txt",
    "FLOAT RANGE": "abc",
    "INTEGER RANGE": "abc",
    "X": "abc",
    "longest|given": "perhaps",
    "[dots|lines|histogram|heat]": "pie",
    "[x|y|xy]": "z",
    "FILE|anyone": "nowhere.txt",
    "[info|warning|error]": "loud",
    "[waiting|pending|running|paused|finished|cancelled]": "perhaps",
    "NAME": "nowhere",
    "FOLDER": "nowhere",
    "RUN": "nowhere",
    "[SRV:]ID": "many",
    "FARM/JOB": "many",
}
# Any text is right for these, or they write what they name.
ANY_TEXT = {"--ask", "--setup", "--prepare", "--output", "--to", "--man", "--author", "--license", "--into"}
# They show what is there, and say so without naming the file: nothing has run in the folder.
READING = {"--name", "--host"}


def options() -> list[tuple[str, str, str]]:
    """(command, option, form) of each option that takes a value."""
    found = []
    for name, command, context in every_command(spe):
        for one in command.params:
            if isinstance(one, click.Option) and not one.is_flag and not one.count:
                found.append((name, max(one.opts, key=len), one.make_metavar(context)))
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a sweep."""
    (tmp_path / "spe.yaml").write_text(SWEEP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(output._state, "keep_going", output._state.keep_going)
    return tmp_path


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The exit code of a command line, and what it wrote to stderr."""
    monkeypatch.setattr(sys, "argv", ["spe", *words])
    code = cli._exit_code()
    return code, capsys.readouterr().err


def rest(command: str, option: str) -> tuple[str, ...]:
    """The words after the option that make a whole command line."""
    if command in ("run", "check", "submit") and option != "--file":
        return LINE if option != "-p" else LINE[2:]
    if command == "replay":
        return ("spe.yaml",)
    if command in ("show", "log", "why", "files", "cancel"):
        return ("1",)
    if command in ("jobs why", "jobs cancel", "jobs pause", "jobs resume"):
        return ("1",)
    if command == "jobs priority":
        return ("1", "64")
    if command == "farm start" and option != "--hosts":
        return ("--hosts", "spe.yaml")
    if command == "farm join":
        return ("nowhere",)
    return ("1", "--", "ls") if command == "ask" else ()


@pytest.mark.parametrize(("command", "option", "form"), options())
def test_a_value_that_is_wrong_is_named_with_its_option(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    option: str,
    form: str,
) -> None:
    if option in ANY_TEXT:
        return
    value = GARBAGE.get(option) or BY_FORM[form]
    code, err = said(monkeypatch, capsys, *command.split(), option, value, *rest(command, option))
    assert code == 2, err
    assert "Traceback" not in err and not (folder / "runs").exists()
    # `--after` names the sweep that is not there, and reading commands say that nothing has run.
    reads = option in ("-F", "--file") and command not in ("run", "check", "retry", "submit")
    # So do those of a zip, before they look at the hosts that it would run on.
    # `--farm` names the farm that was not joined.
    by_value = option == "--farm" or option.startswith("--after")
    # The text itself would be long: how long it may be is said.
    too_long = len(value) > 100 and "characters" in err and option.strip("-") in err
    is_named = (by_value and value in err) or too_long or (command, option) == ("replay", "--hosts")
    if not (option in READING or command in ("results", "plot", "page") or reads or is_named):
        assert option in err or (option == "--file" and value in err), err
        assert value in err, err


@pytest.mark.parametrize(("command", "option", "form"), options())
def test_an_option_without_its_value_shows_its_form(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    option: str,
    form: str,
) -> None:
    code, err = said(monkeypatch, capsys, *command.split(), option)
    assert code == 2 and f"{option} needs a value; write {option} {form}" in err
    assert f"`spe {command} --help` shows what there is." in err


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_is_told_and_nothing_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    code, err = said(monkeypatch, capsys, *command.split(), "--qwertz")
    assert code == 2 and "--qwertz" in err and "did you mean" not in err
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("run", "--timout", "3"), "did you mean --timeout?"),
        (("run", "--retries", "3"), "here it is --attempts N"),
        (("run", "--jobs", "3"), "here it is -j N"),
        (("run", "--resume-failed"), "here it is `spe retry`"),
        (("run", "--json=3"), "--json is a switch and takes no value"),
        (("ask", "--limit", "1e9", "1", "--", "ls"), "wanted a number from 0.1 to 3600"),
        (("show", "x"), "TASK x: found 'x', wanted a whole number from 1"),
        (("show",), "TASK is missing"),
        (("hosts", "foo"), "found 'foo', wanted add, drain, bench, use"),
        (("status", "5"), "too many words: 5"),
        (("ask", "--hots", "lab", "1", "--", "ls"), "did you mean --host?"),
        (("sbatch",), "`spe run` does that here"),
        (("resluts",), "did you mean results?"),
        (("farm", "jion"), "there is no command 'farm jion'; did you mean farm join?"),
        (("farm", "join", "--acount", "x"), "did you mean --account?"),
        (("farm", "join"), "SRV is missing"),
    ],
)
def test_a_slip_leads_to_the_right_form(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    wanted: str,
) -> None:
    code, err = said(monkeypatch, capsys, *words)
    assert code == 2 and wanted in err, err
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    "words", [("run", "--frsh"), ("run", "--retries", "1"), ("stp",), ("cancl",), ("stop", "--noow")]
)
def test_nothing_destructive_is_ever_suggested(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    code, err = said(monkeypatch, capsys, *words)
    assert code == 2 and not re.search(r"(--fresh|--now|\bstop\?|\bcancel\?)", err), err


def test_words_of_other_tools_are_none_of_ours() -> None:
    """An entry for an option that spe has in the meantime would never be used."""
    ours = {flag for one in COMMANDS["run"].params for flag in one.opts}
    assert {"--retries", "--jobs"} <= OTHER_OPTIONS.keys() - ours
