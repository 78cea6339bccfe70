"""The mutations of bench/mutate.py: small changes of one place in a source file, one at a time.

Changed are operators, comparisons, constants, `and`/`or`, `not`, plain conditions, returned values, `break` and
`continue`, min/max and any/all; calls, changes of attributes and items, and `raise` are removed. Left alone are
docstrings, annotations, decorators, `__all__`, `__repr__`, assertions, log lines, f-strings and strings with a space
(text for people).
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
TYPES = ("int", "float", "str", "bytes", "bool", "list", "dict", "tuple")
LOGS = ("log", "logger", "logging")
SKIPPED_FUNCTIONS = ("__repr__", "__str__")
CONDITIONS = (ast.If, ast.While, ast.IfExp)
CHANGED_ELSEWHERE = (ast.Compare, ast.BoolOp, ast.Constant, ast.UnaryOp)  # as a condition


@dataclass
class Mutant:
    """One change of one place; `outcome` is set when the tests have run."""

    file: str
    line: int
    column: int
    change: str  # before -> after, in one line
    text: str  # of the whole file
    diff: str
    outcome: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.change}"


def mutants_of(file: Path, name: str) -> list[Mutant]:
    """Return all mutants of this file, in the order of their places. `name`: of the file, for reports."""
    source = file.read_text(encoding="utf-8")
    mutants = []
    for node, replacement in _changes(ast.parse(source), None):
        start, end = _span(source, node)
        text = source[:start] + replacement + source[end:]
        compile(text, name, "exec")
        change = f"{_one_line(source[start:end])} -> {_one_line(replacement)}"
        mutants.append(Mutant(name, node.lineno, node.col_offset, change, text, _diff(source, text)))
    return sorted(mutants, key=lambda mutant: (mutant.line, mutant.column, mutant.change))


def _changes(node: ast.AST, parent: ast.AST | None) -> Iterator[tuple[Any, str]]:
    """Yield (node, its new source) for each change at or below this node."""
    if _is_left_alone(node):
        return
    yield from _changes_here(node, parent)
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_comment"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_docstring(node, child):
                yield from _changes(child, node)


def _is_left_alone(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name in SKIPPED_FUNCTIONS
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name):
        return node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.Call):
        root = node.func
        while isinstance(root, ast.Attribute):
            root = root.value
        return isinstance(root, ast.Name) and root.id in LOGS
    return isinstance(node, ast.JoinedStr | ast.Assert)


def _is_docstring(parent: ast.AST, child: ast.AST) -> bool:
    return isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)


def _changes_here(node: ast.AST, parent: ast.AST | None) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, CONDITIONS) and not isinstance(node.test, CHANGED_ELSEWHERE):
        yield node.test, f"(not {ast.unparse(node.test)})"
    if isinstance(node, ast.comprehension):
        for test in node.ifs:
            if not isinstance(test, CHANGED_ELSEWHERE):
                yield test, f"(not ({ast.unparse(test)}))"
    if isinstance(node, ast.stmt):
        yield from _changes_of_a_statement(node, parent)
    elif isinstance(node, ast.expr):
        yield from _changes_of_an_expression(node, parent)


def _changes_of_a_statement(node: ast.stmt, parent: ast.AST | None) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        yield node, "return None"
    elif isinstance(node, ast.Break):
        yield node, "continue"
    elif isinstance(node, ast.Continue):
        yield node, "break"
    elif isinstance(node, ast.AugAssign):
        yield node, "pass"
        yield node, ast.unparse(ast.AugAssign(node.target, OPERATORS[type(node.op)](), node.value))
    elif _may_be_removed(node, parent):
        yield node, "pass"


def _may_be_removed(node: ast.stmt, parent: ast.AST | None) -> bool:
    """Tell whether the file most often still runs without this statement: no attribute is missing, no name unknown."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call | ast.Await) and not _is_left_alone(node.value)
    if isinstance(node, ast.Assign):
        if isinstance(parent, ast.FunctionDef) and parent.name == "__init__":
            return False
        return all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets)
    return isinstance(node, ast.Delete | ast.Raise)


def _changes_of_an_expression(node: ast.expr, parent: ast.AST | None) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Compare):
        for position, operator in enumerate(node.ops):
            for other in COMPARISONS[type(operator)]:
                operators = [*node.ops[:position], other(), *node.ops[position + 1 :]]
                yield node, f"({ast.unparse(ast.Compare(node.left, operators, node.comparators))})"
    elif isinstance(node, ast.BoolOp):
        other_one = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield node, f"({ast.unparse(ast.BoolOp(other_one, node.values))})"
    elif isinstance(node, ast.BinOp):
        if not _is_type_union(node):
            yield node, f"({ast.unparse(ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right))})"
    elif isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.UAdd):
        yield node, f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.Constant):
        yield from _changes_of_a_constant(node)
    elif isinstance(node, ast.Name) and node.id in NAMES and isinstance(parent, ast.Call) and parent.func is node:
        yield node, NAMES[node.id]


def _is_type_union(node: ast.BinOp) -> bool:
    """Tell whether this is a type such as `int | None` in place of a value: types are not tested."""
    sides = (node.left, node.right)
    if not isinstance(node.op, ast.BitOr):
        return False
    names = [side.id for side in sides if isinstance(side, ast.Name)]
    has_none = any(isinstance(side, ast.Constant) for side in sides)
    return has_none or any(name in TYPES or name[0].isupper() for name in names)


def _changes_of_a_constant(node: ast.Constant) -> Iterator[tuple[ast.AST, str]]:
    value = node.value
    if isinstance(value, bool):
        yield node, str(not value)
    elif isinstance(value, int | float):
        yield node, repr(value + 1)
    elif isinstance(value, str | bytes) and len(value.split()) == 1:
        yield node, repr(value[:0])
    elif value == "":
        yield node, "'mutated'"


def _span(source: str, node: Any) -> tuple[int, int]:
    """Return where this node begins and ends in the source, in characters (ast counts bytes of a line)."""
    lines = source.splitlines(keepends=True)

    def offset(line: int, column: int) -> int:
        in_line = len(lines[line - 1].encode()[:column].decode())
        return sum(map(len, lines[: line - 1])) + in_line

    return offset(node.lineno, node.col_offset), offset(node.end_lineno, node.end_col_offset)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _diff(before: str, after: str) -> str:
    """Return the lines that differ, with - and +."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return "\n".join("    " + line for line in lines if not line.startswith(("---", "+++", "@@")))
