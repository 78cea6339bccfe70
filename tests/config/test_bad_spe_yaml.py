"""Each wrong spe.yaml is told line, key, what was found and what is wanted."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spe import model
from spe.config import config
from spe.config import values as keys
from spe.config import yaml_file as yamlfile
from spe.errors import ConfigError


def complaint(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        config.check(yamlfile.parse(text, "spe.yaml"))
    return caught.value


CASES = [
    # what YAML itself can't take, or people can't read
    ("command: x\n\tname: y\n", "spe.yaml:2", "a tab character stands where YAML wants spaces", "Replace the tab"),
    ("results:\n\t- x\n", "spe.yaml:2", "a tab character", "spaces"),
    ("command: &c x\n", "spe.yaml:1", "anchors and aliases (&c)", "Write the value out"),
    ("command: x\nname: *c\n", "spe.yaml:2", "anchors and aliases (*c)", "quotes"),
    ("command: x\nenv:\n  <<: {A: 1}\n", "spe.yaml:3", "merge keys (<<)", "Write the keys out"),
    ("command: x\nattempts: !!int 3\n", "spe.yaml:2", "tags (tag:yaml.org,2002:int)", "plain value"),
    ("command: !!python/object:os.system x\n", "spe.yaml:1", "tags", "plain value"),
    ("command: x\ncommand: y\n", "spe.yaml:2", "the key command is given twice", "the first is in line 1"),
    ("command: x\nenv: {A: 1, A: 2}\n", "spe.yaml:2", "the key A is given twice", "Keep one"),
    ("command: {{ x }}\n", "spe.yaml:1", "a key must be a plain name", "goes in quotes"),
    ("command: {{ x }} y\n", "spe.yaml:1", "", "goes in quotes"),
    ("command: x\nsetup: a: b\n", "spe.yaml:2", "not readable as YAML", "quotes"),
    ("command: 'x\n", "spe.yaml:", "not readable as YAML", "quotes"),
    ("- command\n", "spe.yaml:1", "the file is not a mapping", "key: value"),
    ("command: x\n---\ncommand: y\n", "spe.yaml:3", "a second document", "---"),
    ("? [a]\n: b\n", "spe.yaml:1", "a key must be a plain name", "name: value"),
    ("command: \x01\n", "spe.yaml:1", "not readable", ""),
    # keys
    ("", "spe.yaml", "there is no command", "Write `command:"),
    ("command:\n", "spe.yaml", "there is no command", "Write `command:"),
    ("comand: x\n", "spe.yaml:1: comand", "unknown key 'comand'", "Did you mean command?"),
    ("command: x\ntimeot: 3\n", "spe.yaml:2: timeot", "unknown key 'timeot'", "Did you mean timeout?"),
    ("command: x\nqqq: 3\n", "spe.yaml:2: qqq", "unknown key 'qqq'", "There are name, command"),
    ("command: x\nparameters:\n  rws: p\n", "spe.yaml:3: parameters.rws", "unknown key", "Did you mean rows?"),
    ("command: x\nresults: {e: {form: stdout}}\n", "spe.yaml:2: results.e.form", "unknown key", "mean from?"),
    ("command: x\nretry: {timout: 1}\n", "spe.yaml:2: retry.timout", "unknown key", "mean timeout?"),
    # words of other tools
    ("command: x\nmax_parallel: 3\n", "spe.yaml:2: max_parallel", "unknown key", "`at_once: 3`"),
    ("command: x\nparallel: 3\n", "spe.yaml:2: parallel", "unknown key", "`at_once: 3`"),
    ("command: x\nconcurrency: 3\n", "spe.yaml:2: concurrency", "unknown key", "`at_once: 3`"),
    ("command: x\njobs: 3\n", "spe.yaml:2: jobs", "unknown key", "`at_once: 3`"),
    ("command: x\nlicenses: {a: 1 of 2}\n", "spe.yaml:2: licenses", "unknown key", "`licences: {ab"),
    ("command: x\nconcurrency_limits: a\n", "spe.yaml:2: concurrency_limits", "unknown key", "`licences: {ab"),
    ("command: x\ndepends: y\n", "spe.yaml:2: depends", "unknown key", "`spe run && NEXT`"),
    ("command: x\nmax_retries: 3\n", "spe.yaml:2: max_retries", "unknown key", "`attempts:`"),
    ("command: x\nwalltime: 1h\n", "spe.yaml:2: walltime", "unknown key", "`timeout: 2h`"),
    ("command: x\nretry: {delay: 1min}\n", "spe.yaml:2: retry.delay", "unknown key", "`after: 1min`"),
    ("command: x\nretry: {jobs: 1}\n", "spe.yaml:2: retry.jobs", "unknown key", "There are exit, signal"),
    # an exit code in the place of a number of attempts
    ("command: x\nretry: {exit: 77}\n", "spe.yaml:2: retry.exit", "77 attempts for every exit code", "{77: 5}"),
    ("command: x\nretry: {signal: 9}\n", "spe.yaml:2: retry.signal", "9 attempts for every signal", "{9: 5}"),
    # wrong types
    ("command: [a, b]\n", "spe.yaml:1: command", "found a list, wanted one text", "one line"),
    ("command: x\nattempts: three\n", "spe.yaml:2: attempts", "found 'three', wanted a whole number from 1", ""),
    ("command: x\nattempts: 0\n", "spe.yaml:2: attempts", "found '0', wanted a whole number from 1", ""),
    ("command: x\nattempts: 2.5\n", "spe.yaml:2: attempts", "found '2.5'", ""),
    ("command: x\nattempts: [3]\n", "spe.yaml:2: attempts", "found a list, wanted a whole number", ""),
    ("command: x\nnice: 20\n", "spe.yaml:2: nice", "found '20', wanted a whole number from 0 to 19", ""),
    ("command: x\ntls: maybe\n", "spe.yaml:2: tls", "found 'maybe', wanted true or false", ""),
    ("command: x\ntimeout: 10 parsecs\n", "spe.yaml:2: timeout", "found '10 parsecs', wanted a duration", ""),
    ("command: x\ntimeout: -5\n", "spe.yaml:2: timeout", "found '-5'", ""),
    ("command: x\ntimeout: 1x\n", "spe.yaml:2: timeout", "more than 1x", ""),
    ("command: x\nping: {a: 1}\n", "spe.yaml:2: ping", "found a mapping, wanted a duration", ""),
    ("command: x\nmax_result: big\n", "spe.yaml:2: max_result", "found 'big', wanted a size", ""),
    ("command: x\nmax_result: 0\n", "spe.yaml:2: max_result", "found '0', wanted a size", ""),
    ("command: x\nstop_after: 5 procent\n", "spe.yaml:2: stop_after", "found '5 procent', wanted a share", ""),
    ("command: x\nstop_after: 101%\n", "spe.yaml:2: stop_after", "found '101%'", ""),
    ("command: x\nat_once: 0\n", "spe.yaml:2: at_once", "found '0', wanted a whole number from 1", ""),
    ("command: x\nstop_alike: -1\n", "spe.yaml:2: stop_alike", "found '-1', wanted a whole number from 0", ""),
    ("command: x\ndelay: now\n", "spe.yaml:2: delay", "found 'now', wanted a duration", ""),
    ("command: x\nretry: {after: [1]}\n", "spe.yaml:2: retry.after", "found a list, wanted a duration", ""),
    ("command: x\nlicences: 3\n", "spe.yaml:2: licences", "found '3', wanted licences such as {abaqus: 1 of 3}", ""),
    ("command: x\nlicences: {a: 4 of 3}\n", "spe.yaml:2: licences.a", "found '4 of 3', wanted from 1 up to", ""),
    ("command: x\nlicences: {a: 1}\n", "spe.yaml:2: licences.a", "found '1'", "a farm, which spe does not have yet"),
    ("command: x\nlisten: 70000\n", "spe.yaml:2: listen", "found '70000', wanted [ADDRESS:]PORT", ""),
    ("command: x\nlisten_page: here\n", "spe.yaml:2: listen_page", "found 'here', wanted [ADDRESS:]PORT", ""),
    ("command: x\nmax_load: -1\n", "spe.yaml:2: max_load", "found '-1', wanted a number greater than 0", ""),
    ("command: x\nretry: {exit: {many: 1}}\n", "spe.yaml:2: retry.exit", "found 'many'", ""),
    ("command: x\nretry: 5\n", "spe.yaml:2: retry", "found '5'", ""),
    ("command: x\nhosts: {a: b}\n", "spe.yaml:2: hosts", "found a mapping, wanted a hosts file", ""),
    # names and paths
    (
        "command: x\nname: a/b\n",
        "spe.yaml:2: name",
        "found 'a/b', wanted a name that a folder can have",
        "a-b would do",
    ),
    ("command: x\nname: ..\n", "spe.yaml:2: name", "found '..'", ""),
    ("command: x\nresults: {../x: stdout}\n", "spe.yaml:2: results.../x", "'../x' can't be the name of a result", ""),
    ("command: x\nresults: {a/b: stdout}\n", "spe.yaml:2: results.a/b", "can't be the name of a result", ""),
    ("command: x\nresults: {usage: stdout}\n", "spe.yaml:2: results.usage", "can't be called usage", "another name"),
    ("command: x\nresults: {x: ../y}\n", "spe.yaml:2: results.x.from", "found '../y', wanted a path without ..", ""),
    ("command: x\nresults: {x: /y}\n", "spe.yaml:2: results.x.from", "found '/y', wanted a relative path", ""),
    ("command: x\nresults: {x: a//y}\n", "spe.yaml:2: results.x.from", "shortest form", ""),
    ('command: x\nresults: {x: "a\\0b"}\n', "spe.yaml:2: results.x.from", "without control characters", ""),
    ("command: x\nresults: {x: stderr}\n", "spe.yaml:2: results.x.from", "wanted stdout or a file", "spe log"),
    ("command: x\nresults: {x: }\n", "spe.yaml:2: results.x", "found nothing", ""),
    (
        "command: x\nresults: {x: {from: o, as: real}}\n",
        "spe.yaml:2: results.x.as",
        "wanted text, int, float, json",
        "",
    ),
    ("command: x\nresults: {x: {as: flot}}\n", "spe.yaml:2: results.x.as", "found 'flot'", "Did you mean float?"),
    ("command: x\nresults: {x: {regex: '('}}\n", "spe.yaml:2: results.x.regex", "is not a regular expression", "Quote"),
    ("command: x\nresults: {x: {min: 1}}\n", "spe.yaml:2: results.x.min", "min is for numbers", "as: float"),
    ("command: x\nresults: {x: {as: int, min: a}}\n", "spe.yaml:2: results.x.min", "wanted a number", ""),
    ("command: x\nresults: {x: {as: int, min: 2, max: 1}}\n", "spe.yaml:2: results.x.min", "greater than max", ""),
    ("command: x\nresults: {x: {as: file, regex: a}}\n", "spe.yaml:2: results.x.regex", "don't go together", ""),
    ("command: x\nresults: [x]\n", "spe.yaml:2: results", "found a list, wanted a mapping", ""),
    ("command: x\nprepare: ' '\n", "spe.yaml:2: prepare", "wanted a command", ""),
    ("command: x\ninputs: {../x: a}\n", "spe.yaml:2: inputs.../x", "found '../x', wanted a path without ..", ""),
    ("command: x\ninputs: {/x: a}\n", "spe.yaml:2: inputs./x", "wanted a relative path", ""),
    ("command: x\ninputs: {x: {fil: a}}\n", "spe.yaml:2: inputs.x.fil", "unknown key", "Did you mean file?"),
    ("command: x\ninputs: {x: {file: a, text: b}}\n", "spe.yaml:2: inputs.x", "wanted one of text, file", ""),
    ("command: x\ninputs: {x: [a]}\n", "spe.yaml:2: inputs.x", "found a list, wanted a text", ""),
    ("command: x\nworker: {Linux: a}\n", "spe.yaml:2: worker.Linux", "is not a platform", "Did you mean linux?"),
    ("command: x\nworker: {name: a}\n", "spe.yaml:2: worker", "wanted a path", ""),
    ("command: x\nworker: {name: a/b, any: c}\n", "spe.yaml:2: worker.name", "wanted a file name", ""),
    ("command: x\nworker: [a]\n", "spe.yaml:2: worker", "found a list, wanted a path", ""),
    ("command: x\nenv: {1A: b}\n", "spe.yaml:2: env.1A", "is not the name of a variable", ""),
    ("command: x\nenv: {SPE_TASK: b}\n", "spe.yaml:2: env.SPE_TASK", "are given by spe", ""),
    ("command: x\nvalidate: nonempty\n", "spe.yaml:2: validate", "found 'nonempty'", "Did you mean non_empty?"),
    ("command: x\nvalidate: [one_line, hooks:f]\n", "spe.yaml:2: validate.1", "found 'hooks:f'", ""),
    ("command: x\ncollect: [tabel]\n", "spe.yaml:2: collect.0", "found 'tabel'", "Did you mean table?"),
    # parameters
    ("command: x\nparameters: [a]\n", "spe.yaml:2: parameters", "found a list, wanted a parameter file", ""),
    ("command: x\nparameters: {grid: {x: 5}}\n", "spe.yaml:2: parameters.grid.x", "found '5', wanted a list", ""),
    ("command: x\nparameters: {grid: {x: []}}\n", "spe.yaml:2: parameters.grid.x", "x has no values", ""),
    ("command: x\nparameters: {grid: {x: {rang: [1, 2]}}}\n", "spe.yaml:2: parameters.grid.x.rang", "", "mean range?"),
    ("command: x\nparameters: {grid: {x: {range: 5}}}\n", "spe.yaml:2: parameters.grid.x.range", "wanted a list", ""),
    ("command: x\nparameters: {grid: {x: {range: [1, 2, 0]}}}\n", "spe.yaml:2: parameters.grid.x.range", "is 0", ""),
    ("command: x\nparameters: {grid: {x y: [1]}}\n", "spe.yaml:2: parameters.grid.x y", "'x y' can't be used in", ""),
    ("command: x\nparameters:\n  rows:\n    - {x: 1}\n    - {y: 1}\n", "spe.yaml:5: parameters.rows.1", "has no x", ""),
    (
        "command: x\nparameters:\n  rows:\n    - {x: 1}\n    - {x: 1, y: 1}\n",
        "spe.yaml:5: parameters.rows.1.y",
        "no y",
        "",
    ),
    ("command: x\nparameters: {rows: [{x: [1]}]}\n", "spe.yaml:2: parameters.rows.0.x", "wanted one value", ""),
    (
        "command: x\nparameters: {rows: []}\n",
        "spe.yaml:2: parameters.rows",
        "found a list, wanted a parameter file",
        "",
    ),
    ("command: x\nparameters: {repeat: 0}\n", "spe.yaml:2: parameters.repeat", "whole number from 1", ""),
    ("command: x\nparameters: {sample: {n: 5}}\n", "spe.yaml:2: parameters.sample", "there is no method", ""),
]


@pytest.mark.parametrize(("text", "where", "what", "todo"), CASES, ids=[repr(case[0]) for case in CASES])
def test_a_fault_is_told(text: str, where: str, what: str, todo: str) -> None:
    error = complaint(text)
    assert error.where.startswith(where)
    assert what in error.what
    assert todo in error.todo
    assert 1 <= len(str(error).splitlines()) <= 3


def test_several_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    lines = str(complaint("attempts: x\ncommand: a\ntimeot: 3\nnice: 50\n")).splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["spe.yaml:1", "spe.yaml:3", "spe.yaml:4"]
    assert "Did you mean timeout?" in lines[1]


def test_many_faults_are_counted() -> None:
    assert str(complaint("command: x\n" + "".join(f"k{i}: 1\n" for i in range(9)))).endswith("and 4 more")


@pytest.mark.parametrize(("faults", "more"), [(5, ""), (6, "and 1 more")])
def test_five_faults_are_told_in_full(faults: int, more: str) -> None:
    lines = str(complaint("command: x\n" + "".join(f"k{i}: 1\n" for i in range(faults)))).splitlines()
    assert len(lines) == 5 + bool(more) and more in lines[-1] and "0 more" not in lines[-1]


@given(st.text("ab:-[]{}'\"# \t\n\r\x85\u2028\u2029", max_size=20))
@example("command: 'x\r\r\r\r")
@example("command: x\u2028\u2028\u2028\u2028y: [a\n")
@example("a: b\x85c: {{ d }}\x85\te: [")
def test_whatever_ends_the_lines_of_a_file_it_is_read_or_refused_with_a_line(text: str) -> None:
    with suppress(ConfigError):
        yamlfile.parse(text, "spe.yaml")


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x85", "\u2028"])
def test_a_hint_belongs_to_its_line_whatever_ends_the_lines(end: str) -> None:
    error = complaint(end.join(["command: x", "name: {{ y }} z", ""]))
    assert error.where == "spe.yaml:2" and error.todo.startswith("A value that begins with {{ goes in quotes")
    error = complaint(end.join(["command: x", "", "\tname: y", ""]))
    assert error.where == "spe.yaml:3" and error.what.startswith("a tab character")


def test_values_are_what_was_written() -> None:
    text = "command: x\nenv: {A: 012, B: no, C: ~, D: 1e-3, E: 1:30, F: 0x10, G: }\n"
    text += "parameters: {grid: {x: [0.10, yes, null]}}\n"
    checked, _ = config.check(yamlfile.parse(text, "spe.yaml"))
    assert list(checked.env.values()) == ["012", "no", "~", "1e-3", "1:30", "0x10", ""]
    assert checked.parameters.grid["x"] == ("0.10", "yes", "null")


def test_a_key_without_a_value_has_its_default() -> None:
    checked, _ = config.check(
        yamlfile.parse("command: x\nmax_load:   # none\nhosts: ~\nparameters: {where: , repeat: 2}", "s")
    )
    assert checked.max_load is None and checked.hosts is None and checked.parameters.where is None


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("timeout", "10min", 600.0),
        ("timeout", "1.5 h", 5400.0),
        ("timeout", "90s", 90.0),
        ("timeout", "3x", model.Times(3.0)),
        ("grace", "2h", 7200.0),
        ("grace", "1 day", 86400.0),
        ("ping", "0", 0.0),
        ("max_result", "64 kB", 64_000),
        ("max_result", "2 GiB", 2 << 30),
        ("max_result", "1.5MB", 1_500_000),
        ("stop_after", "5% failed", keys.StopAfter(share=0.05)),
        ("stop_after", "20 failed", keys.StopAfter(count=20)),
        ("stop_after", "7", keys.StopAfter(count=7)),
        ("licences", "{abaqus: 1 of 3}", (model.Licence("abaqus", 1, 3),)),
        ("stop_alike", "0", 0),
        ("delay", "500 ms", 0.5),
        ("listen", "8080", keys.Listen(None, 8080)),
        ("listen", "10.0.0.1:80", keys.Listen("10.0.0.1", 80)),
        ("listen", '"[::1]:80"', keys.Listen("::1", 80)),
        ("setup", "module load gcc", {"any": "module load gcc"}),
        ("ask", "any", ("any",)),
        ("collect", "concat", ("concat",)),
        ("tls", "no", False),
    ],
)
def test_units_and_short_forms(key: str, text: str, value: object) -> None:
    assert getattr(config.check(yamlfile.parse(f"command: x\n{key}: {text}\n", "spe.yaml"))[0], key) == value


def test_results_have_short_forms() -> None:
    text = "command: x\nresults: {a: stdout, b: out.csv, c: {regex: x}}\n"
    specs = config.check(yamlfile.parse(text, "spe.yaml"))[0].result_specs()
    assert [(one.name, one.source, one.kind.value) for one in specs] == [
        ("a", "stdout", "text"),
        ("b", "out.csv", "file"),
        ("c", "stdout", "text"),
    ]
    assert [one.name for one in config.check(yamlfile.parse("command: x", "s"))[0].result_specs()] == ["stdout"]


def test_attempts_by_reason() -> None:
    text = "command: x\nretry: {exit: {75: 5, any: 2}, timeout: 1}\n"
    retry = config.check(yamlfile.parse(text, "spe.yaml"))[0].retry
    kinds = ("exit:75", "exit:1", "timeout", "signal:9", "rejected", "other")
    assert [retry.attempts(kind) for kind in kinds] == [5, 2, 1, None, None, None]


def test_a_file_that_cannot_be_read_or_is_not_utf_8_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read: No such file or directory") as caught:
        yamlfile.read(tmp_path / "spe.yaml")
    assert caught.value.where == str(tmp_path / "spe.yaml")
    (tmp_path / "spe.yaml").write_bytes(b"command: x\nname: \xff\n")
    with pytest.raises(ConfigError, match="this line is not UTF-8") as caught:
        yamlfile.read(tmp_path / "spe.yaml")
    assert caught.value.where == "spe.yaml:2"
