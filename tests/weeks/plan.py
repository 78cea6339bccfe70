"""A project as its user has it on a day of a week: all its files as one value, and what its program computes. Pure.

Nothing of spe is imported here: what a set is and what a program prints is said a second time, in the words of the
guide, so that a test can compare the two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

STDOUT, JSON, SIDE, OUT = "stdout", "out.json", "side.txt", "out.txt"
WORKER, PYTHON, SHELL = "worker", "python", "shell"  # what the command runs: ./work, python3 s.py, sh s.sh
MAIN = {WORKER: "work", PYTHON: "s.py", SHELL: "s.sh"}
HELPER = {WORKER: "tool", PYTHON: "mod.py", SHELL: "lib.sh"}
COMMAND = {WORKER: "./work", PYTHON: "python3 s.py", SHELL: "sh s.sh"}
FAILURE = 3  # the exit code of a program that can't


class Refused(Exception):
    """A result is not what `results:` asks for."""


@dataclass(frozen=True)
class Program:
    """The program and its module. `main` is another number after each edit, so that it tells everything."""

    main: int = 1
    helper: int = 1
    fails: frozenset[str] = frozenset()  # for these values of the first parameter

    @property
    def name(self) -> str:
        return f"{self.main}.{self.helper}"


@dataclass(frozen=True)
class Set:
    """One parameter set with all that identifies it. The program is no part of it."""

    values: frozenset[tuple[str, str]]
    number: str  # the value that the program computes with
    case: str  # the content of the file that goes with this set
    command: tuple[str, ...]  # patterns
    env: str
    text: str
    data: str

    def filled(self, pattern: str) -> str:
        for name, value in self.values:
            pattern = pattern.replace("{{ " + name + " }}", value)
        return pattern

    def told(self, program: Program) -> str:
        """The line in which the program says all that it was given."""
        words = " ".join(self.filled(word) for word in self.command[1:])
        about = (program.name, self.number, words, self.filled(self.env), self.filled(self.text), self.data, self.case)
        return "|".join(about)

    def produced(self, program: Program) -> dict[str, str]:
        """What the program leaves: file -> content."""
        told, value = self.told(program), int(self.number) * 10 + program.main % 10
        document = {"a": {"v": value, "w": value + 0.5}, "told": told}
        return {
            STDOUT: f"told={told}\nvalue={value}\n",
            JSON: json.dumps(document, separators=(",", ":")) + "\n",
            SIDE: f"side {told}\n",
            OUT: f"{told}\n" * 3,
        }

    def __str__(self) -> str:
        values = " ".join(f"{name}={value}" for name, value in sorted(self.values))
        return f"[{values}: {' '.join(self.command)}; {self.env}; {self.text}; {self.data}; {self.case}]"


@dataclass(frozen=True)
class Result:
    """One entry of `results:`."""

    source: str = STDOUT
    kind: str = "text"
    regex: str = ""
    path: str = ""
    least: int | None = None
    most: int | None = None

    def yaml(self) -> str:
        parts = [f"from: {self.source}", f"as: {self.kind}"]
        parts += [f"regex: '{self.regex}'"] if self.regex else []
        parts += [f"path: {self.path}"] if self.path else []
        parts += [f"min: {self.least}"] if self.least is not None else []
        parts += [f"max: {self.most}"] if self.most is not None else []
        return "{" + ", ".join(parts) + "}"

    def cell(self, content: str) -> str:
        """The cell of the table; of a file the content. Raises Refused."""
        if self.kind == "file":
            return content
        if self.regex:
            found = re.search(self.regex, content)
            if not found:
                raise Refused(self.regex)
            content = found[1]
        if self.path:
            value = json.loads(content)
            for step in self.path.split("."):
                if step not in value:
                    raise Refused(self.path)
                value = value[step]
            content = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        return self._checked(content.removesuffix("\n"))

    def _checked(self, text: str) -> str:
        if self.kind not in ("int", "float"):
            return text
        if not re.fullmatch(r"\d+" if self.kind == "int" else r"\d+(\.\d+)?", text):
            raise Refused(text)
        if self.least is not None and float(text) < self.least:
            raise Refused(text)
        if self.most is not None and float(text) > self.most:
            raise Refused(text)
        return text


@dataclass(frozen=True)
class Plan:
    """All files of the project."""

    kind: str = WORKER
    program: Program = Program()
    number: str = "n"  # the name of the parameter that the program computes with
    case: str = "a"  # and of the one that chooses a file
    columns: tuple[str, ...] = ("n", "a")
    rows: tuple[tuple[str, ...], ...] = ()
    axes: tuple[tuple[str, ...], ...] = ()  # a grid instead of rows: the values of each column
    words: tuple[str, ...] = ("go",)  # literal ones in the command
    env: str = "e1"
    text: str = "t1"
    data: str = "d1"
    cases: tuple[tuple[str, str], ...] = ()
    results: Mapping[str, Result] = field(default_factory=dict)
    attempts: int = 1

    # -- what is meant

    @property
    def lines(self) -> tuple[tuple[str, ...], ...]:
        """The values of each set, in order."""
        return tuple(product(*self.axes)) if self.axes else self.rows

    @property
    def command(self) -> tuple[str, ...]:
        pattern = "{{ " + self.number + " }}"
        return (COMMAND[self.kind], pattern, *self.words, f"{self.case}={{{{ {self.case} }}}}")

    def sets(self) -> tuple[Set, ...]:
        """In the order of the table, each once."""
        found: dict[Set, None] = {}
        for line in self.lines:
            values = dict(zip(self.columns, line, strict=True))
            case = dict(self.cases)[values[self.case]]
            rest = (self.command[:1] + self.command[2:], self.env, self.text, self.data)
            found[Set(frozenset(values.items()), values[self.number], case, *rest)] = None
        return tuple(found)

    @property
    def sources(self) -> frozenset[str]:
        """The files that are kept of an attempt made today; what is printed is kept always."""
        return frozenset({STDOUT, *(one.source for one in self.results.values())})

    # -- as files

    def files(self) -> dict[str, str]:
        """Path -> content."""
        made = {"spe.yaml": self._yaml(), "data.txt": self.data}
        made |= {f"cases/{value}.txt": text for value, text in self.cases}
        main, helper = (PY_MAIN, PY_HELPER) if self.kind == PYTHON else (SH_MAIN, SH_HELPER)
        fails = " ".join(sorted(self.program.fails))
        about = {"MAIN": str(self.program.main), "HELPER": str(self.program.helper), "FAILS": fails}
        about["MODULE"] = HELPER[self.kind]
        for name, text in ((MAIN[self.kind], main), (HELPER[self.kind], helper)):
            for key, value in about.items():
                text = text.replace(f"@{key}@", value)
            made[name] = text
        if not self.axes:
            made["params.csv"] = "".join(",".join(line) + "\n" for line in (self.columns, *self.rows))
        return made

    def _yaml(self) -> str:
        inputs = {
            "in.txt": f"'{self.text}'",
            "data.txt": "{file: data.txt}",
            "case.txt": f"{{file: 'cases/{{{{ {self.case} }}}}.txt'}}",
            HELPER[self.kind]: f"{{file: {HELPER[self.kind]}}}",
        }
        if self.kind != WORKER:
            inputs[MAIN[self.kind]] = f"{{file: {MAIN[self.kind]}}}"
        lines = [
            f"command: {' '.join(self.command)}",
            f"parameters: {self._parameters()}",
            "hosts: [localhost slots=2]",
            f"attempts: {self.attempts}",
            f"env: {{WEEK: '{self.env}'}}",
            "inputs:",
            *(f"  {name}: {value}" for name, value in inputs.items()),
            "results:",
            *(f"  {name}: {one.yaml()}" for name, one in self.results.items()),
        ]
        return "\n".join(lines) + "\n"

    def _parameters(self) -> str:
        if not self.axes:
            return "params.csv"
        axes = (f"{name}: [{', '.join(axis)}]" for name, axis in zip(self.columns, self.axes, strict=True))
        return "{grid: {" + ", ".join(axes) + "}}"


def changes(before: Plan, after: Plan) -> str:
    """What was edited, for people."""
    old, new = before.__dict__, after.__dict__
    names = [name for name in new if new[name] != old[name]]
    return ", ".join(f"{name}: {_value(old[name])} -> {_value(new[name])}" for name in names) or "nothing changed"


def told(plan: Plan) -> str:
    """All of a plan, for people."""
    return ", ".join(f"{name}={_value(value)}" for name, value in plan.__dict__.items())


def _value(value: object) -> str:
    if isinstance(value, Program):
        return f"{value.name}" + (f" fails for {sorted(value.fails)}" if value.fails else "")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {one.yaml()}" for name, one in value.items()) + "}"
    return repr(value)


#: A program says in $LOG that it begins, waits for the gate, fails or not, and writes. Each token opens the gate once.
SH_MAIN = """#!/bin/sh
. ./@MODULE@
number=$1; shift
told="@MAIN@.$HELPER|$number|$*|$WEEK|$(cat in.txt)|$(cat data.txt)|$(cat case.txt)"
printf '%s\\n' "$SPE_TASK#$told" >> "$LOG"
passes() {
    [ -e "$GATE/open" ] && return 0
    for token in "$GATE"/token.*; do
        mv "$token" "$GATE/taken.$SPE_TICKET.$$" 2>/dev/null && return 0
    done
    return 1
}
until passes; do sleep 0.02; done
case " @FAILS@ " in *" $number "*) echo "cannot do $number" >&2; exit 3;; esac
[ ! -e "$BROKEN/$number" ] || { echo "the world is broken" >&2; exit 3; }
value=$((number * 10 + @MAIN@ % 10))
printf 'told=%s\\nvalue=%s\\n' "$told" "$value"
printf '{"a":{"v":%s,"w":%s.5},"told":"%s"}\\n' "$value" "$value" "$told" > out.json
printf 'side %s\\n' "$told" > side.txt
printf '%s\\n%s\\n%s\\n' "$told" "$told" "$told" > out.txt
"""
SH_HELPER = "#!/bin/sh\nHELPER=@HELPER@\n"

PY_MAIN = """import glob, os, sys, time
import mod

def read(name):
    with open(name) as file:
        return file.read()

def passes():
    gate, ticket = os.environ["GATE"], os.environ["SPE_TICKET"]
    if os.path.exists(gate + "/open"):
        return True
    for token in glob.glob(gate + "/token.*"):
        try:
            os.rename(token, "%s/taken.%s.%d" % (gate, ticket, os.getpid()))
            return True
        except OSError:
            pass
    return False

number = sys.argv[1]
about = ["@MAIN@.%d" % mod.HELPER, number, " ".join(sys.argv[2:]), os.environ["WEEK"]]
told = "|".join(about + [read("in.txt"), read("data.txt"), read("case.txt")])
with open(os.environ["LOG"], "a") as log:
    log.write(os.environ["SPE_TASK"] + "#" + told + "\\n")
while not passes():
    time.sleep(0.02)
if number in "@FAILS@".split():
    sys.exit(3)
if os.path.exists(os.environ["BROKEN"] + "/" + number):
    sys.exit(3)
value = int(number) * 10 + @MAIN@ % 10
print("told=%s\\nvalue=%d" % (told, value))
with open("out.json", "w") as file:
    file.write('{"a":{"v":%d,"w":%d.5},"told":"%s"}\\n' % (value, value, told))
with open("side.txt", "w") as file:
    file.write("side %s\\n" % told)
with open("out.txt", "w") as file:
    file.write((told + "\\n") * 3)
"""
PY_HELPER = "HELPER = @HELPER@\n"
