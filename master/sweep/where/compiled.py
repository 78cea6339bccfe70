"""A condition as a function of Python, made of the tree that jinja has read.

jinja makes a context and a template's state for each call: 3 us. The same expression as Python's own
takes 0.1 us, and most conditions only compare, count and join. All that needs jinja (filters, tests,
attributes) is left to it. Both mean the same: jinja's operators are Python's.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jinja2 import nodes

from ...errors import ConfigError
from ...record import record

_COMPARED: Mapping[str, type[ast.cmpop]] = {
    "eq": ast.Eq,
    "ne": ast.NotEq,
    "lt": ast.Lt,
    "lteq": ast.LtE,
    "gt": ast.Gt,
    "gteq": ast.GtE,
    "in": ast.In,
    "notin": ast.NotIn,
}
_COUNTED: Mapping[type[nodes.BinExpr], type[ast.operator]] = {
    nodes.Add: ast.Add,
    nodes.Sub: ast.Sub,
    nodes.Mul: ast.Mult,
    nodes.Div: ast.Div,
    nodes.FloorDiv: ast.FloorDiv,
    nodes.Mod: ast.Mod,
}
#: Names that jinja gives a meaning of its own.
_JINJAS = frozenset(
    ("self", "super", "loop", "caller", "varargs", "kwargs", "range", "dict", "lipsum")
)


class _NotCovered(Exception):
    """An expression has something that only jinja knows."""


@record
class Compiled:
    """A condition as functions. `names`: the order in which both take the values."""

    names: Sequence[str]
    #: Of the names' values: what the expression is.
    of_one: Callable[..., Any]
    #: Of rows of the names' values: the places of those for which the expression is true.
    places: Callable[[Iterable[tuple[Any, ...]]], list[int]]


def compiled(tree: nodes.Expr, names: Iterable[str]) -> Compiled | None:
    """Return a condition as functions; None where only jinja can tell it."""
    ordered = sorted(names)
    if not _JINJAS.isdisjoint(ordered):
        return None
    variables = {name: f"v{place}" for place, name in enumerate(ordered)}
    try:
        body = _python(tree, variables)
        of_one = ast.Lambda(_arguments(*variables.values()), body)
        places = ast.Lambda(_arguments("rows"), _comprehension(list(variables.values()), body))
        return Compiled(ordered, _made(of_one), _made(places))
    except (_NotCovered, RecursionError):
        return None


def check_condition(tree: nodes.Expr, text: str) -> None:
    """Raise ConfigError for an expression that is surely a number or a text, not true or false.

    In `a > 5 and flag`, a column stands for "not 0, not empty"; one alone is a slip more often.
    """
    if isinstance(tree, nodes.Name):
        what, name = f"{tree.name} alone says nothing", tree.name
    elif _has_value_for_truth(tree):
        what, name = "a number or a text says nothing", "x"
    else:
        return
    todo = f"Compare it: `{name} > 5`, or `{name} == 'a'`."
    raise ConfigError(f"{text!r} is not a condition: {what}", todo=todo)


def _has_value_for_truth(node: nodes.Expr) -> bool:
    """Tell whether a number, text or list stands where something true or false belongs."""
    match node:
        case nodes.Not():
            return _has_value_for_truth(node.node)
        case nodes.And() | nodes.Or():
            return _has_value_for_truth(node.left) or _has_value_for_truth(node.right)
        case nodes.Const():
            return not isinstance(node.value, bool)
    return isinstance(node, nodes.Neg | nodes.Pos | nodes.Literal | nodes.Concat | nodes.BinExpr)


def numeric_names(tree: nodes.Expr) -> frozenset[str]:
    """Return the names that are compared with numbers, and occur nowhere else.

    It makes no difference to such a comparison how a number was written.
    """
    whole = nodes.Output([tree])  # find_all looks below a node, not at it
    compared: set[int] = set()
    for one in whole.find_all(nodes.Compare):
        operands = [one.expr, *(operand.expr for operand in one.ops)]
        variables = [operand for operand in operands if isinstance(operand, nodes.Name)]
        others = [operand for operand in operands if not isinstance(operand, nodes.Name)]
        if len(variables) == 1 and all(map(_is_number, others)):
            compared.add(id(variables[0]))
    names = list(whole.find_all(nodes.Name))
    elsewhere = {one.name for one in names if id(one) not in compared}
    return frozenset(one.name for one in names) - elsewhere


def _is_number(node: nodes.Expr) -> bool:
    if isinstance(node, nodes.Neg | nodes.Pos):
        return _is_number(node.node)
    if isinstance(node, nodes.List | nodes.Tuple):
        return all(map(_is_number, node.items))
    return isinstance(node, nodes.Const) and isinstance(node.value, int | float)


# -- jinja's tree as Python's


def _python(node: nodes.Expr, variables: Mapping[str, str]) -> ast.expr:
    """Return an expression as Python has it. Raises _NotCovered."""

    def inner(one: nodes.Expr) -> ast.expr:
        return _python(one, variables)

    match node:
        case nodes.Const():
            return ast.Constant(node.value)
        case nodes.Name():
            return ast.Name(variables[node.name], ast.Load())
        case nodes.Compare():
            operators: list[ast.cmpop] = [_COMPARED[one.op]() for one in node.ops]
            return ast.Compare(inner(node.expr), operators, [inner(one.expr) for one in node.ops])
        case nodes.And() | nodes.Or():
            joined = ast.And() if isinstance(node, nodes.And) else ast.Or()
            return ast.BoolOp(joined, [inner(node.left), inner(node.right)])
        case nodes.Not() | nodes.Neg() | nodes.Pos():
            return ast.UnaryOp(_unary(node), inner(node.node))
        case nodes.BinExpr() if type(node) in _COUNTED:
            return ast.BinOp(inner(node.left), _COUNTED[type(node)](), inner(node.right))
        case nodes.List():
            return ast.List([inner(one) for one in node.items], ast.Load())
        case nodes.Tuple():
            return ast.Tuple([inner(one) for one in node.items], ast.Load())
    raise _NotCovered


def _unary(node: nodes.UnaryExpr) -> ast.unaryop:
    if isinstance(node, nodes.Not):
        return ast.Not()
    return ast.USub() if isinstance(node, nodes.Neg) else ast.UAdd()


def _comprehension(variables: Sequence[str], body: ast.expr) -> ast.ListComp:
    """Return `[place for place, (v0, v1) in enumerate(rows) if BODY]`."""
    values = ast.Tuple([ast.Name(one, ast.Store()) for one in variables], ast.Store())
    target = ast.Tuple([ast.Name("place", ast.Store()), values], ast.Store())
    rows = ast.Call(ast.Name("enumerate", ast.Load()), [ast.Name("rows", ast.Load())], [])
    part = ast.comprehension(target=target, iter=rows, ifs=[body], is_async=0)
    return ast.ListComp(ast.Name("place", ast.Load()), [part])


def _arguments(*names: str) -> ast.arguments:
    return ast.arguments(
        posonlyargs=[], args=[ast.arg(one) for one in names], kwonlyargs=[], kw_defaults=[], defaults=[]
    )  # fmt: skip


def _made(function: ast.Lambda) -> Callable[..., Any]:
    # Nothing of the user's text is code here: names are ours, constants are values.
    whole = ast.fix_missing_locations(ast.Expression(function))
    made: Callable[..., Any] = eval(compile(whole, "<where>", "eval"), {"enumerate": enumerate})
    return made
