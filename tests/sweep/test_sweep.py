"""A sweep from its folder, or from a command line: the plan, its sets, and what is wrong before anything runs."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from one_liners import one_liner
from spe.cli.init import FILES as TEMPLATES
from spe.cli.init import write_files
from spe.errors import ConfigError, SpeError, UsageError
from spe.sweep.sweep import Sweep, from_command_line, load

Write = Callable[..., Sweep]


@pytest.fixture
def sweep(tmp_path: Path) -> Write:
    """Writes a spe.yaml, an executable `sim` and other files, and loads the sweep."""

    def write(text: str, **files: str | bytes) -> Sweep:
        executable(tmp_path / "sim")
        (tmp_path / "spe.yaml").write_text(text)
        for name, content in files.items():
            path = tmp_path / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load(tmp_path)

    return write


def executable(path: Path, content: str = "#!/bin/sh\n") -> None:
    path.write_text(content)
    path.chmod(0o755)


def words(sweep: Sweep) -> list[tuple[str, ...]]:
    return [sweep.work(one.values).words for one in sweep.parameters]


def fault(make: Callable[[], object]) -> SpeError:
    with pytest.raises(SpeError) as caught:
        make()
    assert 1 <= len(str(caught.value).splitlines()) <= 3
    return caught.value


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        ("./{{ worker }} {{ x }}", True),
        ("./{{worker}} {{ x }}", True),
        ("./sim {{ x }}", True),
        ("python3 {{ worker }} {{ x }}", False),
        ("{{ x }} {{ worker }}", False),
    ],
)
def test_whether_the_worker_itself_is_started_is_known(sweep: Write, command: str, runs: bool) -> None:
    plan = sweep(f"command: '{command}'\nworker: sim\nparameters: params.csv\n", params_csv="x\n1\n")
    assert plan.recipe.runs_worker is runs


def test_the_shortest_spe_yaml_is_two_lines(sweep: Write, tmp_path: Path) -> None:
    plan = sweep("command: ./sim {{ x }}\nparameters: params.csv\n", params_csv="x\n1\n2\n")
    assert plan.name == tmp_path.name
    assert plan.worker and plan.worker.name == "sim" and plan.hosts == () and plan.warnings == ()
    file = plan.worker.files["any"]
    content = (tmp_path / "sim").read_bytes()
    assert (file.md5, file.sha256) == (hashlib.md5(content).hexdigest(), hashlib.sha256(content).hexdigest())
    assert words(plan) == [("./sim", "1"), ("./sim", "2")]
    assert plan.parameters.check().count == 2


def test_blocks_combine_as_a_product_in_a_known_order(sweep: Write) -> None:
    plan = sweep(
        "command: ./sim {{ a }} {{ b }} {{ c }} {{ d }} {{ rep }}\n"
        "parameters: {rows: p.txt, grid: {b: [1, 2]}, zip: {c: [x, y], d: [u, v]}, repeat: 2}\n",
        p_txt="a\nA\nB\n",
    )
    found = ["".join(one[1:]) for one in words(plan)]
    assert found == [f"{a}{b}{zipped}{rep}" for a in "AB" for b in "12" for zipped in ("xu", "yv") for rep in "12"]
    assert plan.parameters.names == ("a", "b", "c", "d", "rep")
    assert plan.warnings == ()


def test_where_keeps_what_it_is_true_for(sweep: Write) -> None:
    plan = sweep("command: ./sim {{ x }}\nparameters: {grid: {x: {range: [1, 20]}}, where: x < 3 or x == 19}\n")
    assert [one[1] for one in words(plan)] == ["1", "2", "19"]
    assert plan.parameters.check().count == 3


def test_a_sweep_without_parameters_is_one_set(sweep: Write) -> None:
    assert words(sweep("command: ./sim a b\n")) == [("./sim", "a", "b")]
    assert words(sweep("command: ./sim {{ rep }}\nparameters: {repeat: 2}\n")) == [("./sim", "1"), ("./sim", "2")]


HARD = [
    "a b",
    'it\'s "so"',
    "; rm -rf ~",
    "$(id) `id` $HOME",
    "two\nlines",
    "größe ☃",
    "-rf",
    "{{ x }}",
    "%s",
    "\\",
    "",
    "é" * 50_000,
]


@pytest.mark.parametrize("value", HARD, ids=lambda value: repr(value[:20]))
def test_any_value_is_one_unchanged_argument(sweep: Write, value: str) -> None:
    quoted = '"' + value.replace('"', '""') + '"'
    plan = sweep("command: ./sim {{ x }} --x={{ x }}\nparameters: p.txt\n", p_txt=f"x\n{quoted}\n")
    assert plan.parameters.check().first.values == {"x": value}
    assert words(plan) == [("./sim", value, "--x=" + value)]


def test_a_shell_gets_the_text_filled_in(sweep: Write) -> None:
    plan = sweep(
        "command: ./{{ worker }} {{ x | quote }} | tail\nshell: true\nworker: sim\nparameters: {grid: {x: [a b]}}\n"
    )
    assert words(plan) == [("/bin/sh", "-c", "./sim 'a b' | tail")]


def test_inputs_and_variables_are_filled_in_and_files_are_not(sweep: Write) -> None:
    plan = sweep(
        "command: ./sim\nenv: {SEED: '{{ x }}'}\nparameters: {grid: {x: [ä]}}\n"
        "inputs: {run.ini: 'x = {{ x }}', stdin: 'in', mesh.dat: {file: 'data/{{ x }}.bin'}}\n",
        data__ä_bin=b"{{ x }}\0\xff",
    )
    work = plan.work(plan.parameters.check().first.values)
    assert dict(work.env) == {"SEED": "ä"}
    assert [(one.name, one.content) for one in work.inputs] == [
        ("run.ini", "x = ä".encode()),
        ("stdin", b"in"),
        ("mesh.dat", b"{{ x }}\0\xff"),
    ]


def test_workers_of_several_platforms_have_one_name(sweep: Write, tmp_path: Path) -> None:
    executable(tmp_path / "arm")
    plan = sweep("name: pi\ncommand: ./{{ worker }}\nworker: {any: sim, linux-aarch64: arm}\n")
    assert plan.worker and plan.worker.name == "pi" and words(plan) == [("./pi",)]
    plan = sweep("command: ./{{ worker }}\nworker: {name: x, any: sim, linux: arm}\n")
    assert plan.worker and plan.worker.name == "x"
    plan = sweep("command: ./{{ worker }}\nworker: {any: sim}\n")
    assert plan.worker and plan.worker.name == "sim"


def test_a_program_of_the_hosts_is_no_worker(sweep: Write) -> None:
    assert sweep("command: sim a\n").worker is None
    assert sweep("command: /bin/true a\n").worker is None
    assert sweep("command: '{{ x }}/sim'\nparameters: {grid: {x: [.]}}\n").worker is None


def test_hosts_are_a_file_or_a_list_or_given(sweep: Write, tmp_path: Path) -> None:
    plan = sweep("command: ./sim\nhosts: hosts.txt\n", hosts_txt="lab1\nlab1\n")
    assert [host.name for host in plan.hosts] == ["lab1"]
    assert any("hosts.txt:2: lab1 stands in hosts.txt:1" in warning for warning in plan.warnings)
    plan = sweep('command: ./sim\nhosts: ["lab[1-2] slots=2", localhost]\n')
    assert [(host.name, host.slots) for host in plan.hosts] == [("lab1", 2), ("lab2", 2), ("localhost", None)]
    (tmp_path / "other.txt").write_text("lab9\n")
    assert [h.name for h in load(tmp_path, {"hosts": str(tmp_path / "other.txt")}).hosts] == ["lab9"]
    assert fault(lambda: sweep("command: ./sim\nhosts: [a b]\n")).where == "spe.yaml:2: hosts.0"
    error = fault(lambda: sweep("command: ./sim\nhosts: lab7\n"))
    assert error.where == "spe.yaml:2: hosts" and "the file lab7 is not there" in error.what and "[lab1" in error.todo


def test_a_hosts_file_is_beside_spe_yaml_and_one_of_the_command_line_is_where_the_user_stands(
    sweep: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "hosts.txt").write_text("here1\n")
    monkeypatch.chdir(tmp_path / "here")
    plan = sweep("command: ./sim\nhosts: hosts.txt\n", hosts_txt="beside1\n")
    assert [host.name for host in plan.hosts] == ["beside1"]
    assert plan.hosts_file and plan.hosts_file.read_text() == "beside1\n"
    plan = load(tmp_path, {"hosts": "hosts.txt"})
    assert [host.name for host in plan.hosts] == ["here1"]
    assert plan.hosts_file and plan.hosts_file.read_text() == "here1\n"
    (tmp_path / "here" / "hosts.txt").unlink()
    error = fault(lambda: load(tmp_path, {"hosts": "hosts.txt"}))
    assert error.where == "command line: hosts" and "the file hosts.txt is not there" in error.what


def test_a_setting_of_the_command_line_stands_above_the_file(sweep: Write, tmp_path: Path) -> None:
    sweep("command: ./sim\nattempts: 2\n")
    assert load(tmp_path / "spe.yaml", {"attempts": "5"}).config.attempts == 5
    assert fault(lambda: load(tmp_path, {"attempts": "x"})).where == "command line: attempts"


# -- identity


def keys(sweep: Sweep) -> list[bytes]:
    return [sweep.key(one.values) for one in sweep.parameters]


def test_a_set_is_the_same_in_another_process_and_another_order(sweep: Write, tmp_path: Path) -> None:
    plan = sweep("command: ./sim {{ x }} {{ y }}\nparameters: p.txt\n", p_txt="x|y\n1|2\n3|4\n")
    before = keys(plan)
    assert all(len(key) == 16 for key in before) and len(set(before)) == 2
    moved = sweep("command: ./sim {{x}}  {{ y }}\nparameters: p.txt\n", p_txt="y|x\n4|3\n2|1\n")
    assert keys(moved) == before[::-1]
    code = f"from spe.sweep.sweep import load; s = load(__import__('pathlib').Path({str(tmp_path)!r}))"
    code += "; print(*(s.key(one.values).hex() for one in s.parameters))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.split() == [key.hex() for key in before[::-1]]


def test_what_a_set_computes_makes_it_another_one(sweep: Write) -> None:
    texts = [
        "command: ./sim {{ x }}\n",
        "command: ./sim {{ x }} ''\n",
        "command: ./sim -{{ x }}\n",
        "command: ./sim {{ x }}\nenv: {A: 1}\n",
        "command: ./sim {{ x }}\nenv: {A: 2}\n",
        "command: ./sim {{ x }}\ninputs: {a: 1}\n",
        "command: ./sim {{ x }}\ninputs: {a: 2}\n",
        "command: ./sim {{ x }}\ninputs: {b: 2}\n",
        "command: ./sim {{ x }}\ninputs: {a: {file: one}}\n",
        "command: ./sim {{ x }}\ninputs: {a: {file: two}}\n",
        "command: ./sim {{ x }}\nshell: true\n",
    ]
    all_keys = [keys(sweep(text + "parameters: {grid: {x: [1, 2]}}\n", one="1", two="2")) for text in texts]
    assert len({key for some in all_keys for key in some}) == 2 * len(texts)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # As words, each pair is the same: a shell expands what the one command says.
        ("command: sim\n", "command: sim\nshell: true\n"),
        ("command: '{{ x }}'\n", "command: '{{ x }}'\nshell: true\n"),
        ("command: sim{{ x }}$HOME\n", "command: sim{{ x }}$HOME\nshell: true\n"),
        ("command: sim a b\n", "command: sim 'a b'\n"),
        ("command: sim {{ x }}\n", "command: sim x\n"),
        ("command: sim {{ x }}\n", "command: sim {{ y }}\n"),
        ("command: sim\nenv: {A: a}\n", "command: sim\nenv: {B: a}\n"),
        ("command: sim\nenv: {A: a, B: b}\n", "command: sim\nenv: {A: b, B: a}\n"),
        ("command: sim\nenv: {A: '{{ x }}'}\n", "command: sim\nenv: {A: '{{ y }}'}\n"),
        ("command: sim\ninputs: {A: a}\n", "command: sim\nenv: {A: a}\n"),
        ("command: sim\ninputs: {a: one.dat}\n", "command: sim\ninputs: {a: {file: one.dat}}\n"),
        # What an interpreter reads is a program, and its content no part of the set.
        (
            "command: sh one.dat\ninputs: {one.dat: one.dat}\n",
            "command: sh one.dat\ninputs: {one.dat: {file: one.dat}}\n",
        ),
        ("command: sim\ninputs: {a: {file: one.dat}}\n", "command: sim\ninputs: {b: {file: one.dat}}\n"),
        ("command: sim\ninputs: {a: {file: one.dat}}\n", "command: sim\ninputs: {a: {file: two.dat}}\n"),
        ("command: sim\ninputs: {a: '{{ x }}'}\n", "command: sim\ninputs: {a: '{{ y }}'}\n"),
        (
            "command: sim\ninputs: {a: {file: one.dat}, b: {file: two.dat}}\n",
            "command: sim\ninputs: {a: {file: two.dat}, b: {file: one.dat}}\n",
        ),
    ],
)
def test_each_thing_that_a_set_computes_with_is_part_of_it_by_itself(sweep: Write, one: str, other: str) -> None:
    """Nothing else tells these pairs apart."""
    parameters = "parameters: {grid: {x: [1], y: [1]}}\n"
    files = {"one_dat": "1", "two_dat": "2"}
    assert keys(sweep(one + parameters, **files)) != keys(sweep(other + parameters, **files))
    assert keys(sweep(one + parameters, **files)) == keys(sweep(one + parameters, **files))
    changed = {sweep(text + parameters, **files).plan_digest() for text in (one, other)}
    assert len(changed) == 2, "and a plan of the other one is read anew"


def test_a_parameter_of_another_name_makes_another_set(sweep: Write) -> None:
    """Also where the command does not use it: a worker, a hook or a table may."""
    grids = ["{x: [1], y: [2]}", "{x: [1], z: [2]}", "{y: [1], x: [2]}"]
    assert len({keys(sweep(f"command: sim\nparameters: {{grid: {grid}}}\n"))[0] for grid in grids}) == 3


def test_what_is_only_written_differently_is_the_same_set(sweep: Write) -> None:
    parameters = "parameters: {grid: {x: [1], y: [2]}}\n"
    one = sweep("command: sim {{x}}\nenv: {A: '{{ x }}', B: b}\ninputs: {a: '1', b: '2'}\n" + parameters)
    other = sweep("command: sim '{{ x }}'\nenv: {B: b, A: '{{x}}'}\ninputs: {b: '2', a: '1'}\n" + parameters)
    assert keys(one) == keys(other) and one.plan_digest() == other.plan_digest()


def test_results_hosts_worker_content_and_limits_do_not_make_it_another_one(sweep: Write, tmp_path: Path) -> None:
    text = "command: ./sim {{ x }}\nparameters: {grid: {x: [1]}}\n"
    before = keys(sweep(text))
    assert keys(sweep(text + "results: {a: out}\ntimeout: 5\nhosts: [lab1]\nname: other\nattempts: 9\n")) == before
    plan = sweep(text)
    executable(tmp_path / "sim", "#!/bin/sh\necho\n")
    assert keys(load(tmp_path)) == before and load(tmp_path).worker != plan.worker


def test_the_content_of_an_input_file_is_part_of_a_set(sweep: Write) -> None:
    text = "command: ./sim\ninputs: {m: {file: mesh.dat}}\n"
    assert keys(sweep(text, mesh_dat="a")) != keys(sweep(text, mesh_dat="b"))


@pytest.mark.parametrize("size", [1, 20_000_000], ids=["small", "too large to be kept in memory"])
def test_an_input_file_that_changes_during_a_run_is_told(sweep: Write, tmp_path: Path, size: int) -> None:
    plan = sweep("command: ./sim\ninputs: {m: {file: mesh.dat}}\n", mesh_dat="a" * size)
    values = plan.parameters.check().first.values
    plan.key(values)
    assert plan.work(values).inputs[0].size == size
    (tmp_path / "mesh.dat").write_text("other")
    assert "was changed while the sweep runs" in fault(lambda: plan.work(values)).what
    (tmp_path / "mesh.dat").unlink()
    assert "can't be read" in fault(lambda: plan.work(values)).what


# -- what is wrong before anything runs


@pytest.mark.parametrize(
    ("text", "where", "what", "todo"),
    [
        ("command: ./sim {{ typo }}\n", "spe.yaml:1: command", "{{ typo }} is not defined", "There are x, y"),
        ("command: ./sim {{ yy }}\n", "spe.yaml:1: command", "{{ yy }} is not defined", "Did you mean {{ y }}?"),
        ("command: sim {{ worker }}\n", "spe.yaml:1: command", "{{ worker }} is not defined", "no worker:"),
        ("command: ./sim {{ number }}\n", "spe.yaml:1: command", "{{ number }} is not defined", "$SPE_TASK"),
        ("command: ./sim {{ task }}\n", "spe.yaml:1: command", "{{ task }} is not defined", "$SPE_TASK"),
        ("command: ./sim {{ task }}\n", "spe.yaml:1: command", "{{ task }} is not defined", "An index is a parameter"),
        ("command: ./sim {{ slot }}\n", "spe.yaml:1: command", "{{ slot }} is not defined", "$SPE_SLOT"),
        ("command: ./sim {{ ticket }}\n", "spe.yaml:1: command", "{{ ticket }} is not defined", "$SPE_TICKET"),
        ("command: ./sim {{ seed }}\n", "spe.yaml:1: command", "{{ seed }} is not defined", "There are x, y"),
        ("command: ./sim\nenv: {A: '{{ z }}'}\n", "spe.yaml:2: env.A", "{{ z }} is not defined", ""),
        ("command: ./sim\ninputs:\n  a: '{{ z }}'\n", "spe.yaml:3: inputs.a", "{{ z }} is not defined", ""),
        ("command: ./sim\ninputs:\n  a: {file: '{{ z }}'}\n", "spe.yaml:3: inputs.a", "{{ z }} is not defined", ""),
        ("command: ./sim {{ x +\n", "spe.yaml:1: command", "is not closed", "Write }}"),
        ("command: \"''\"\n", "spe.yaml:1: command", "the command has no program", ""),
        ("command: ./sim 'a\n", "spe.yaml:1: command", "a quote ' is not closed", ""),
        ("command: ./{{ worker }}\nworker: w/none\n", "spe.yaml:2: worker", "the worker w/none is not there", "path"),
        ("command: ./gone {{ x }}\n", "spe.yaml:1: command", "the worker ./gone is not there", ""),
        ("command: ./plain.txt\n", "spe.yaml:1: command", "is not executable", "chmod +x ./plain.txt"),
        (
            "command: x\nworker: {any: sim, linux: plain.txt}\n",
            "spe.yaml:2: worker.linux",
            "not executable",
            "chmod +x",
        ),
        ("command: ./folder.d\n", "spe.yaml:1: command", "is not a file", ""),
        ("command: ./sim\ninputs: {a: {file: none}}\n", "spe.yaml:2: inputs.a", "the input file none", "is not there"),
        ("command: ./sim\ninputs: {a: {file: folder.d}}\n", "spe.yaml:2: inputs.a", "is a folder", "{folder: folder"),
        ("command: ./sim\ninputs: {a: {file: /dev/null}}\n", "spe.yaml:2: inputs.a", "is not a regular file", "mend"),
        ("command: ./sim\ninputs: {sim: a}\n", "spe.yaml:2: inputs.sim", "has the name of the worker", ""),
        ("command: ./sim\nresults: {x: stdout}\n", "spe.yaml:2: results.x", "is the name of a parameter too", "Rename"),
        (
            "command: ./sim\nresults: {host: stdout}\n",
            "spe.yaml:2: results.host",
            "has a column of that name",
            "Rename",
        ),
        (
            "command: ./sim\nresults: {stdout: out}\n",
            "spe.yaml:2: results.stdout",
            "can only come from there",
            "Rename",
        ),
    ],
)
def test_a_plan_that_cannot_work_is_refused(
    sweep: Write, tmp_path: Path, text: str, where: str, what: str, todo: str
) -> None:
    (tmp_path / "folder.d").mkdir()
    text += "parameters: {grid: {x: [1], y: [2]}}\n"
    error = fault(lambda: sweep(text, plain_txt="x"))
    assert error.where == where
    assert what in error.what
    assert todo in error.what + error.todo


@pytest.mark.parametrize(
    ("parameters", "where", "what"),
    [
        ("{grid: {host: [1]}}", "spe.yaml:2: parameters.grid.host", "the table has a column of that name"),
        ("{zip: {worker: [1]}}", "spe.yaml:2: parameters.zip.worker", "is the name of the executable"),
        ("{grid: {a: [1]}, zip: {a: [2]}}", "spe.yaml:2: parameters.grid.a", "comes from two places"),
        ("{rows: p.txt, grid: {a: [1]}}", "spe.yaml:2: parameters.grid.a", "comes from two places"),
        ("{grid: {rep: [1]}, repeat: 2}", "spe.yaml:2: parameters.grid.rep", "repeat makes rep"),
        ("seconds.txt", "seconds.txt:1", "the table has a column of that name"),
        ("{grid: {a: [1]}, where: b < 1}", "spe.yaml:2: parameters.where", "{{ b }} is not defined"),
        ("{grid: {a: [1]}, where: a <}", "spe.yaml:2: parameters.where", "is not an expression"),
        ("none.csv", "spe.yaml:2: parameters", "the file none.csv is not there"),
        ("empty.csv", "empty.csv:1", "the file is empty"),
    ],
)
def test_parameters_that_cannot_work_are_refused(sweep: Write, parameters: str, where: str, what: str) -> None:
    text = f"command: ./sim\nparameters: {parameters}\n"
    error = fault(lambda: sweep(text, p_txt="a\n1\n", seconds_txt="seconds\n1\n", empty_csv=""))
    assert error.where == where and what in error.what and error.todo


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("command: ./sim {{ x }}\n", "p.txt:3", "the argument {{ x }} has a NUL byte"),
        ("command: ./sim\nenv: {A: '{{ x }}'}\n", "p.txt:3", "the variable A has a NUL byte"),
        ("command: ./sim -{{ y }}-\n", "p.txt:4", "has 131072 bytes, and must have less than 131072"),
        ("command: ./sim {{ 1 // (z | int) }}\n", "p.txt:5", "can't be filled in"),
        (
            "command: ./sim\ninputs: {m: {file: 'm{{ z }}.dat'}}\n",
            "p.txt:5",
            "the input file m0.dat of inputs.m is not there",
        ),
    ],
)
def test_a_set_that_cannot_run_is_found_in_the_first_pass(sweep: Write, text: str, where: str, what: str) -> None:
    rows = ["1|1|1", "a\0b|1|1", "1|" + "é" * 65_535 + "|1", "1|1|0"]
    plan = sweep(text + "parameters: p.txt\n", p_txt="x|y|z\n" + "\n".join(rows) + "\n", m1_dat="m")
    error = fault(plan.parameters.check)
    assert error.where == where and what in error.what and error.todo


def test_an_argument_of_one_byte_less_than_too_long_is_good(sweep: Write) -> None:
    plan = sweep("command: ./sim -{{ y }}\nparameters: p.txt\n", p_txt="y\n" + "é" * 65_535 + "\n")
    assert plan.parameters.check().count == 1
    assert len(words(plan)[0][1].encode()) == 131_071


def test_a_where_that_cannot_be_told_names_the_set(sweep: Write) -> None:
    plan = sweep("command: ./sim {{ x }}\nparameters: {rows: p.txt, where: x < 5}\n", p_txt="x\n1\nabc\n")
    error = fault(plan.parameters.check)
    assert error.where == "p.txt:3" and "x=abc" in error.what
    plan = sweep("command: ./sim {{ x }}\nparameters: {grid: {x: [1]}, where: x > 5}\n")
    assert "keeps no set" in fault(plan.parameters.check).what


def test_no_spe_yaml_says_what_to_do(tmp_path: Path) -> None:
    error = fault(lambda: load(tmp_path))
    assert error.where == str(tmp_path / "spe.yaml") and "spe init" in error.todo


# -- warnings


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("command: ./sim {{ x }}\n", "spe.yaml: the parameter y is used nowhere: not in command, inputs or env"),
        ("command: ./sim {{ x }} $y ${y}\n", "spe.yaml:1: command: $y is not filled in; write {{ y }}"),
        ("command: ./sim {{ x }} {{ y }} -i$SPE_TASK\n", "spe.yaml:1: command: $SPE_TASK is not filled in; `shell: "),
        ("command: ./sim {{ x }} {{ y }} ${SPE_SLOT}\n", "spe.yaml:1: command: $SPE_SLOT is not filled in; `shell: "),
        ("command: ./sim {{ x }} {{ y }} > out\n", "spe.yaml:1: command: > is given to the program as an argument"),
        ("command: ./sim {{ x }} --y={y}\n", "spe.yaml:1: command: {y} is not filled in; write {{ y }}"),
        ("command: ./sim {{ x }} '-y {y} z'\n", "spe.yaml:1: command: {y} is not filled in; write {{ y }}"),
        ("command: ./sim {{ x }}\nresults: {o: 'o_{y}.txt'}\n", "spe.yaml:2: results.o.from: {y} is not filled in; w"),
        ("command: ./sim {{ x }}\nenv: {LD_LIBRARY_PATH: $PWD/lib}\n", "spe.yaml:2: env.LD_LIBRARY_PATH: $PWD is not "),
        ("command: ./sim\nenv: {LIBS: '{{ x }}:${HOME}/lib'}\n", "spe.yaml:2: env.LIBS: $HOME is not filled in: no sh"),
        ("command: ./sim\nenv: {LIBS: 'lib:$LIBS'}\n", "spe.yaml:2: env.LIBS: $LIBS is not filled in: no shell reads"),
        (
            "command: ./sim\nresults:\n  log: run.log\n  last: {from: log, regex: a}\n",
            "spe.yaml:4: results.last.from: log is the name of a result; its file is run.log",
        ),
        (
            "command: ./sim\nresults: {printed: stdout, n: {from: printed, as: int}}\n",
            "spe.yaml:2: results.n.from: printed is the name of a result; write `from: stdout`",
        ),
    ],
)  # fmt: skip
def test_what_is_likely_not_meant_is_a_warning(sweep: Write, text: str, warning: str) -> None:
    warnings = sweep(text + "parameters: {grid: {x: [1], y: [2]}}\n").warnings
    assert any(one.startswith(warning) for one in warnings), warnings


@pytest.mark.parametrize(
    "text",
    [
        "command: ./sim {{ x }} {{ y }}\nenv: {PS1: '$ ', FLAGS: $(FLAGS), SED: 's/a$/b/', LD_LIBRARY_PATH: $ORIGIN}\n",
        "command: awk '{x} END {print y}' {{ x }} {{ y }}\n",
        "command: ./sim {{ x }} {{ y }}\nresults: {a: {from: a, regex: a}, b: a}\n",
        "command: ./sim {{ x }} {{ y }}\nresults: {a: '{{ x }}.txt', b: {from: c}}\n",
    ],
)
def test_what_only_looks_like_a_mistake_is_no_warning(sweep: Write, text: str) -> None:
    found = sweep(text + "parameters: {grid: {x: [1], y: [2]}}\n").warnings
    assert [one for one in found if "is used nowhere" not in one] == []


@pytest.mark.parametrize(
    "command",
    ["./sim {{ x }}.dat", "./sim --mesh={{ x }}.dat", "python3 {{ x }}.dat", "./sim ./{{ x }}.dat"],
)
def test_an_argument_that_is_a_file_here_in_some_sets_is_a_warning_that_names_inputs(
    sweep: Write, command: str
) -> None:
    text = f"command: {command}\nparameters: {{grid: {{x: [mesh, other]}}}}\n"
    warnings = sweep(text, mesh_dat="m").parameters.check().warnings
    assert len(warnings) == 1
    assert "mesh.dat is a file here, but will not be in the task's directory; name it under inputs:" in warnings[0]


def test_an_argument_that_is_an_input_a_result_or_the_worker_is_none(sweep: Write) -> None:
    text = "command: ./sim sim mesh.dat out.txt\ninputs: {mesh.dat: {file: mesh.dat}}\nresults: {o: out.txt}\n"
    assert sweep(text, mesh_dat="m", out_txt="o").parameters.check().warnings == ()


@pytest.mark.parametrize("command", ["shell: true\ncommand: ./sim $SPE_TASK", "command: sh -c 'exit $SPE_TASK'"])
def test_a_variable_of_spe_that_a_shell_fills_in_is_no_warning(sweep: Write, command: str) -> None:
    assert sweep(f"{command}\n").warnings == ()


def test_a_parameter_that_only_a_hook_uses_is_no_warning(sweep: Write) -> None:
    text = "command: ./sim {{ x }}\nvalidate: hooks.py:check\nparameters: {grid: {x: [1], y: [2]}}\n"
    assert sweep(text, hooks_py="def check(task, result): return task.parameters['y']\n").warnings == ()


# -- without a file


def test_a_sweep_of_a_command_line(tmp_path: Path) -> None:
    executable(tmp_path / "simulate")
    plan = from_command_line(
        one_liner(["./simulate", "--s={{ x }}", "{{ y }} it's $HOME", ""], ["x=1:2", "y=a,b c"]), tmp_path
    )
    assert plan.name == "simulate" and plan.worker and plan.warnings == ()
    assert words(plan)[:2] == [
        ("./simulate", "--s=1", "a it's $HOME", ""),
        ("./simulate", "--s=1", "b c it's $HOME", ""),
    ]
    assert plan.parameters.check().count == 4
    assert from_command_line(one_liner(["echo", "1"]), tmp_path, "mine").name == "mine"
    shell = from_command_line(one_liner(["echo {{ x }} | wc"], ["x=1"], shell="yes"), tmp_path)
    assert words(shell) == [("/bin/sh", "-c", "echo 1 | wc")]


@pytest.mark.parametrize(
    ("line", "options", "kind", "what"),
    [
        ([], [], UsageError, "there is no command"),
        (["echo", "{{ z }}"], ["x=1"], ConfigError, "{{ z }} is not defined"),
        (["echo"], ["x=1", "x=2"], UsageError, "x is there twice"),
        (["echo"], ["x"], UsageError, "'x' is not NAME=VALUES"),
        (["echo"], ["x=1:5:0"], UsageError, "the step is 0"),
        (["echo"], ["in=1"], UsageError, "in is a word of the pattern language"),
        (["echo"], ["host=1"], ConfigError, "a parameter can't be called host"),
        (["./none"], [], ConfigError, "the worker ./none is not there"),
        (["echo", "{{ x"], ["x=1"], ConfigError, "is not closed"),
    ],
)
def test_a_wrong_command_line_is_told(
    tmp_path: Path, line: list[str], options: list[str], kind: type[SpeError], what: str
) -> None:
    error = fault(lambda: from_command_line(one_liner(line, options), tmp_path))
    assert type(error) is kind and what in error.what and error.todo


# -- spe init


def test_what_init_writes_is_a_good_sweep(tmp_path: Path) -> None:
    written = write_files(tmp_path / "new")
    assert [path.name for path in written] == list(TEMPLATES)
    plan = load(tmp_path / "new")
    assert plan.warnings == () and plan.parameters.check().count == 5
    assert [host.name for host in plan.hosts] == ["localhost"]
    found = subprocess.run(words(plan)[1], capture_output=True, text=True, check=True).stdout
    assert found == "6\n"


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "hosts.txt").write_text("mine\n")
    error = fault(lambda: write_files(tmp_path))
    assert "hosts.txt exists already; nothing was written" in error.what
    assert [path.name for path in tmp_path.iterdir()] == ["hosts.txt"]


# -- when the plan is the same as last time

PLAN = "command: ./sim {{ x }} {{ k }}\ninputs: {a.txt: {file: in.txt}, b.txt: 'b {{ x }}'}\nenv: {K: '{{ k }}'}\n"
BLOCKS = "parameters: {rows: params.csv, grid: {k: [1, 2]}}\n"
FILES = {"params_csv": "x\n1\n2\n", "in_txt": "in\n"}


def test_the_plans_digest_stays_while_the_same_sets_come(sweep: Write) -> None:
    first = sweep(PLAN + BLOCKS, **FILES).plan_digest()
    assert first and first == sweep(PLAN + BLOCKS, **FILES).plan_digest()
    assert first == sweep(PLAN + BLOCKS + "attempts: 9\nresults: {y: stdout}\n", **FILES).plan_digest()


@pytest.mark.parametrize(
    ("text", "files"),
    [
        (PLAN + BLOCKS, {"params_csv": "x\n1\n2\n3\n"}),
        (PLAN + BLOCKS, {"params_csv": "x\n2\n1\n"}),
        (PLAN + BLOCKS, {"in_txt": "other\n"}),
        (PLAN + BLOCKS.replace("[1, 2]", "[1, 3]"), {}),
        (PLAN + BLOCKS.replace("[1, 2]", "[2, 1]"), {}),
        (PLAN + BLOCKS.replace("[1, 2]", "{range: [1, 3]}"), {}),
        (PLAN + BLOCKS.replace("}\n", ", repeat: 2}\n"), {}),
        (PLAN + BLOCKS.replace("[1, 2]}", "[1, 2]}, where: x > 1"), {}),
        (PLAN.replace("./sim", "./sim -q") + BLOCKS, {}),
        (PLAN.replace("'b {{ x }}'", "'c {{ x }}'") + BLOCKS, {}),
        (PLAN.replace("'{{ k }}'", "'{{ x }}'") + BLOCKS, {}),
        (PLAN + "shell: true\n" + BLOCKS, {}),
    ],
)
def test_the_plans_digest_is_another_one_when_anything_of_it_changes(
    sweep: Write, text: str, files: dict[str, str]
) -> None:
    assert sweep(PLAN + BLOCKS, **FILES).plan_digest() != sweep(text, **{**FILES, **files}).plan_digest()


def test_there_is_no_digest_where_each_set_has_an_input_file_of_its_own(sweep: Write) -> None:
    text = "command: ./sim\ninputs: {a.txt: {file: '{{ x }}.txt'}}\nparameters: params.csv\n"
    assert sweep(text, params_csv="x\n1\n", **{"1_txt": "one"}).plan_digest() == ""
