"""The options that stand for keys of spe.yaml: every key has one, or a reason why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from one_liners import one_liner
from spe.config.config import Config
from spe.config.keys import keys_of
from spe.errors import ConfigError, UsageError
from spe.line.one_liner import OneLiner
from spe.line.options import ALL, keys_of_options
from spe.sweep.pattern import Pattern
from spe.sweep.sweep import from_command_line

#: Keys without an option in the table, each with what stands for it on a command line.
OTHERWISE = {
    "name": "--name",
    "command": "the words after --",
    "parameters": "-p and its kin, in line/parameters.py",
    "hosts": "--hosts and -j",
}
GIVEN: dict[str, Any] = {
    "inputs": ("a.txt",), "env": ("A=1", "B=x=y"), "shell": True, "setup": "module load r", "venv": "env.tar.gz",
    "container": "image.sif", "prepare": "make", "results": ("e=out.json:a:float", "trace.csv"),
    "validate": ("exit_zero",), "collect": ("table", "concat"), "keep_failed": "1 MB", "keep_output": "all",
    "timeout": "10min", "attempts": "2", "retry": "{exit: {75: 5}, after: 1min}", "stop_after": "5%",
    "stop_alike": "0", "at_once": "3", "delay": "2s", "licences": "{abaqus: 1 of 3}", "cores": "2", "nice": "0",
    "order": "given", "once": True, "max_load": "1", "worker": "a.txt", "separator": ";",
    "prepare_timeout": "1min", "keep_venv": True, "keep_prepared": True, "ping": "10s", "grace": "1min",
    "tls": "no", "control": "poll", "ask": ("ls", "wc"),
    "notify": ("me", "done=mailto:ada@example.org"), "listen": "4711", "listen_page": "4712", "max_result": "1 GB",
    "delete_client": "no", "delete_worker": "no",
}  # fmt: skip


def test_every_key_of_spe_yaml_has_an_option() -> None:
    assert {one.key for one in ALL} | {*OTHERWISE} == {*keys_of(Config)}
    assert {one.key for one in ALL} == {*GIVEN}


@pytest.mark.parametrize("key", GIVEN)
def test_an_option_says_what_its_key_says_in_a_file(key: str) -> None:
    keys, options = keys_of_options({key: GIVEN[key]})
    assert list(keys) == [key] and all(place[0] == key for place in options)
    keys_of(Config)[key].metadata["check"](keys[key])


def test_variables_may_have_the_value_that_they_have_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LICENCE", "a=b")
    keys, _ = keys_of_options({"env": ("LICENCE", "EMPTY=")})
    assert keys == {"env": {"LICENCE": "a=b", "EMPTY": ""}}
    monkeypatch.setenv("ODD", 'a{{ 1 + 1 }}b"\\{% raw %}\n')
    keys, _ = keys_of_options({"env": ("ODD",)})
    assert Pattern.parse(keys["env"]["ODD"]).fill({}) == 'a{{ 1 + 1 }}b"\\{% raw %}\n', "as it is here"
    with pytest.raises(UsageError, match="NONE is not set here") as caught:
        keys_of_options({"env": ("NONE",)})
    assert caught.value.where == "--env NONE"


@pytest.mark.parametrize(
    ("typed", "where", "what"),
    [
        ({"timeout": "ten"}, "--timeout ten", "found 'ten', wanted a duration"),
        ({"timeout": ""}, "--timeout ", "found nothing, wanted a duration"),
        ({"prepare": ""}, "--prepare ", "found nothing"),
        ({"attempts": "0"}, "--attempts 0", "found '0', wanted a whole number from 1"),
        ({"results": ("e=../x",)}, "--result e=../x", "found '../x'"),
        ({"results": ("stderr=x",)}, "--result stderr=x", "can't be called stderr"),
        ({"inputs": ("a.txt", "none.txt")}, "--input none.txt", "none.txt"),
        ({"env": ("1A=1",)}, "--env 1A=1", "1A"),
        ({"validate": ("exit_zero", "nonempty")}, "--validate nonempty", "found 'nonempty'"),
        ({"retry": "{exit: {a: 5}}"}, "--retry {exit: {a: 5}}", "'a'"),
        ({"notify": ("me", "dnoe=me")}, "--notify dnoe=me", "found 'dnoe'"),
        ({"notify": ("me", "done=https://a:b@c/d")}, "--notify done=https:…", "a password or a token (https:…)"),
        ({"stop_after": "200%"}, "--stop-after 200%", "found '200%'"),
    ],
)
def test_a_wrong_value_is_told_with_the_option_as_it_was_typed(
    tmp_path: Path, typed: dict[str, Any], where: str, what: str
) -> None:
    (tmp_path / "a.txt").touch()
    keys, options = keys_of_options(typed)
    with pytest.raises(ConfigError) as caught:
        from_command_line(OneLiner(("echo",), keys, options), tmp_path).parameters.check()
    assert caught.value.where == where and what in caught.value.what


def test_two_results_of_one_name_are_told() -> None:
    with pytest.raises(UsageError, match="two results are called e") as caught:
        keys_of_options({"results": ("e=a.txt", "e=b.txt")})
    assert caught.value.where == "--result e=b.txt"


def test_each_task_gets_the_file_that_is_its_value(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(name)
    line = one_liner(["cat", "{{ f }}"], ["f=glob:*.csv"])
    sweep = from_command_line(line, tmp_path)
    works = [sweep.work(one.values) for one in sweep.parameters]
    assert [[(one.name, one.content) for one in work.inputs] for work in works] == [
        [("a.csv", b"a")],
        [("b.csv", b"b")],
    ]
    assert not sweep.parameters.check().mistakes and not sweep.parameters.check().warnings
    first = [sweep.key(one.values) for one in sweep.parameters]
    (tmp_path / "b.csv").write_text("changed")
    second = [from_command_line(line, tmp_path).key(one.values) for one in sweep.parameters]
    assert first[0] == second[0] and first[1] != second[1], "its content is part of the set's identity"


def test_files_that_tasks_have_anyway_are_no_second_input(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.csv").write_text("a")
    line = one_liner(["cat", "{{ f }}"], ["f=glob:data/*.csv"], inputs=["data/"])
    sweep = from_command_line(line, tmp_path)
    assert [[one.name for one in sweep.work(each.values).inputs] for each in sweep.parameters] == [["data/a.csv"]]


@pytest.mark.parametrize(
    ("part", "text"), [("name", "a.tar.gz"), ("stem", "a.tar"), ("suffix", ".gz"), ("parent", "d/e")]
)
def test_parts_of_a_path_are_filters(tmp_path: Path, part: str, text: str) -> None:
    line = one_liner(["echo", f"{{{{ f | {part} }}}}"], ["f=d/e/a.tar.gz"])
    sweep = from_command_line(line, tmp_path)
    assert [sweep.work(one.values).words for one in sweep.parameters] == [("echo", text)]
