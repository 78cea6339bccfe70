"""What a user does to the files of a project in a week. Pure: (plan, dice) -> plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from .plan import JSON, OUT, PYTHON, SHELL, SIDE, STDOUT, WORKER, Plan, Program, Result

Edit = Callable[[Plan, Random], Plan]
MOST_ROWS = 8

POOL = {
    "told": Result(regex="told=(.*)"),
    "all": Result(),
    "value": Result(regex=r"value=(\d+)", kind="int"),
    "v": Result(JSON, "float", path="a.v"),
    "w": Result(JSON, "float", path="a.w"),
    "whole": Result(JSON, "json"),
    "side": Result(SIDE),
    "out": Result(OUT, "file"),
    "printed": Result(STDOUT, "file"),
}


def first_plan(dice: Random) -> Plan:
    """How the week begins."""
    rows = tuple((str(n), dice.choice("xy")) for n in range(1, dice.randint(5, 8)))
    names = ["told", *dice.sample(sorted(set(POOL) - {"told"}), dice.randint(0, 2))]
    fails = frozenset(dice.sample([row[0] for row in rows], dice.choice([0, 0, 1])))
    return Plan(
        kind=dice.choice([WORKER, PYTHON, SHELL]), program=Program(1, 1, fails), rows=rows,
        cases=tuple((case, f"c{case}1") for case in "xyz"), results={name: POOL[name] for name in names},
        attempts=dice.choice([1, 2]),
    )  # fmt: skip


def _next(text: str, dice: Random) -> str:
    """Another text of the same kind: sometimes one that was there before."""
    return text[0] + str(dice.randint(1, 9))


# -- what a set computes


def command(plan: Plan, dice: Random) -> Plan:
    words = list(plan.words)
    what = dice.choice(["change", "add", "remove"])
    if what == "add" or not words:
        words.insert(dice.randint(0, len(words)), f"w{dice.randint(1, 9)}")
    elif what == "remove":
        words.pop(dice.randrange(len(words)))
    else:
        words[dice.randrange(len(words))] = f"w{dice.randint(1, 9)}"
    return replace(plan, words=tuple(words))


def env(plan: Plan, dice: Random) -> Plan:
    more = dice.choice(["", " {{ " + plan.number + " }}"])
    return replace(plan, env=_next(plan.env, dice) + more)


def text(plan: Plan, dice: Random) -> Plan:
    more = dice.choice(["", " {{ " + plan.case + " }}"])
    return replace(plan, text=_next(plan.text, dice) + more)


def data(plan: Plan, dice: Random) -> Plan:
    return replace(plan, data=_next(plan.data, dice))


def case_file(plan: Plan, dice: Random) -> Plan:
    cases = dict(plan.cases)
    chosen = dice.choice(sorted(cases))
    cases[chosen] = f"c{chosen}{dice.randint(1, 9)}"
    return replace(plan, cases=tuple(cases.items()))


# -- the program


def program(plan: Plan, dice: Random) -> Plan:
    """Another version, mostly with the same faults."""
    fails = plan.program.fails
    if dice.random() < 0.3:
        fails = frozenset(dice.sample(sorted({line[plan.columns.index(plan.number)] for line in plan.lines}), 1))
    return replace(plan, program=Program(_version(dice), plan.program.helper, fails))


def module(plan: Plan, dice: Random) -> Plan:
    helper = plan.program.helper % 9 + 1
    return replace(plan, program=replace(plan.program, helper=helper))


def repair(plan: Plan, dice: Random) -> Plan:
    return replace(plan, program=Program(_version(dice), plan.program.helper))


def _version(dice: Random) -> int:
    """Never the same twice, so that it says which values fail."""
    return dice.randint(2, 99_999_999)


# -- the results


def results(plan: Plan, dice: Random) -> Plan:
    """Another way to the same, another name, one less, one more, limits."""
    now = dict(plan.results)
    what = dice.choice(["add", "add", "drop", "rename", "limit", "free", "other"])
    name = dice.choice(sorted(now))
    if what == "add":
        if others := sorted(set(POOL) - set(now)):
            now[dice.choice(others)] = POOL[others[0]] if len(others) == 1 else POOL[dice.choice(others)]
    elif what == "drop" and len(now) > 1:
        del now[name]
    elif what == "rename":
        now = {(f"r{dice.randint(1, 9)}" if one == name else one): result for one, result in now.items()}
    elif what == "limit":
        now["value"] = replace(POOL["value"], **{dice.choice(["least", "most"]): dice.randint(10, 60)})
    elif what == "free":
        now["value"] = POOL["value"]
    else:
        now[name] = POOL[dice.choice(sorted(POOL))]
    return replace(plan, results=now)


def attempts(plan: Plan, dice: Random) -> Plan:
    return replace(plan, attempts=3 - plan.attempts)


# -- the parameters


def insert(plan: Plan, dice: Random) -> Plan:
    """A new value in front, or anywhere."""
    at = dice.choice([0, 0, dice.randint(0, 8)])
    number = str(dice.randint(1, 20))
    if plan.axes:
        axes = list(plan.axes)
        index = plan.columns.index(plan.number)
        if number in axes[index] or len(plan.lines) >= MOST_ROWS:
            return plan
        axis = list(axes[index])
        axis.insert(at, number)
        axes[index] = tuple(axis)
        return replace(plan, axes=tuple(axes))
    if len(plan.rows) >= MOST_ROWS:
        return plan
    row = tuple(_value(plan, name, number, dice) for name in plan.columns)
    rows = list(plan.rows)
    rows.insert(at, row)
    return replace(plan, rows=tuple(dict.fromkeys(rows)))


def _value(plan: Plan, name: str, number: str, dice: Random) -> str:
    if name == plan.number:
        return number
    return dice.choice("xyz") if name == plan.case else str(dice.randint(1, 3))


def remove(plan: Plan, dice: Random) -> Plan:
    if plan.axes:
        index = plan.columns.index(plan.number)
        axis = list(plan.axes[index])
        if len(axis) < 2:
            return plan
        axis.pop(dice.randrange(len(axis)))
        return replace(plan, axes=(*plan.axes[:index], tuple(axis), *plan.axes[index + 1 :]))
    if len(plan.rows) < 2:
        return plan
    gone = dice.randrange(len(plan.rows))
    return replace(plan, rows=tuple(row for at, row in enumerate(plan.rows) if at != gone))


def rename(plan: Plan, dice: Random) -> Plan:
    """A parameter has another name, everywhere."""
    old = dice.choice(plan.columns)
    new = dice.choice([name for name in ("n", "a", "p", "q", "temperature", "k") if name not in plan.columns])

    def renamed(name: str) -> str:
        return new if name == old else name

    def everywhere(pattern: str) -> str:
        return pattern.replace("{{ " + old + " }}", "{{ " + new + " }}")

    return replace(
        plan, columns=tuple(map(renamed, plan.columns)), number=renamed(plan.number), case=renamed(plan.case),
        env=everywhere(plan.env), text=everywhere(plan.text),
    )  # fmt: skip


def reorder_columns(plan: Plan, dice: Random) -> Plan:
    order = list(range(len(plan.columns)))
    dice.shuffle(order)
    return replace(
        plan, columns=tuple(plan.columns[i] for i in order), axes=tuple(plan.axes[i] for i in order if plan.axes),
        rows=tuple(tuple(row[i] for i in order) for row in plan.rows),
    )  # fmt: skip


def reorder_rows(plan: Plan, dice: Random) -> Plan:
    if plan.axes:
        axes = tuple(tuple(dice.sample(axis, len(axis))) for axis in plan.axes)
        return replace(plan, axes=axes)
    return replace(plan, rows=tuple(dice.sample(plan.rows, len(plan.rows))))


def add_column(plan: Plan, dice: Random) -> Plan:
    """One that the command does not use."""
    if "extra" in plan.columns:
        return remove_column(plan, dice)
    if plan.axes:
        return replace(plan, columns=(*plan.columns, "extra"), axes=(*plan.axes, ("1",)))
    rows = tuple((*row, str(dice.randint(1, 2))) for row in plan.rows)
    return replace(plan, columns=(*plan.columns, "extra"), rows=rows)


def remove_column(plan: Plan, dice: Random) -> Plan:
    at = plan.columns.index("extra")
    columns = plan.columns[:at] + plan.columns[at + 1 :]
    if plan.axes:
        return replace(plan, columns=columns, axes=plan.axes[:at] + plan.axes[at + 1 :])
    rows = dict.fromkeys(row[:at] + row[at + 1 :] for row in plan.rows)
    return replace(plan, columns=columns, rows=tuple(rows))


def other_form(plan: Plan, dice: Random) -> Plan:
    """A file becomes a grid of its values, a grid a file."""
    if plan.axes:
        return replace(plan, rows=plan.lines, axes=())
    axes = [tuple(dict.fromkeys(row[i] for row in plan.rows)) for i in range(len(plan.columns))]
    index = plan.columns.index(plan.number)
    axes[index] = axes[index][:4]
    axes = [axis if i == index else axis[:2] for i, axis in enumerate(axes)]
    axes = [axis[:1] if plan.columns[i] == "extra" else axis for i, axis in enumerate(axes)]
    return replace(plan, rows=(), axes=tuple(axes))


EDITS: dict[str, Edit] = {
    "command": command, "env": env, "text": text, "data": data, "case_file": case_file, "program": program,
    "module": module, "repair": repair, "results": results, "attempts": attempts, "insert": insert, "remove": remove,
    "rename": rename, "reorder_columns": reorder_columns, "reorder_rows": reorder_rows, "add_column": add_column,
    "other_form": other_form,
}  # fmt: skip
