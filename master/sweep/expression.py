"""jinja's part of a pattern: expressions that are more than a name, and the `where` of a sweep.

It takes a fortieth of a second to load jinja, so pattern.py imports this file only where there is
an expression.
"""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from jinja2 import StrictUndefined, TemplateError, meta, nodes
from jinja2.sandbox import SandboxedEnvironment

from ..errors import ConfigError
from ..model import Kind
from ..results.reading.foreign_numbers import has_decimal_comma
from ..results.reading.numerals import read
from ..text import nearest
from .segments import Segment
from .values import Value, like

Values = Mapping[str, str]
_MEND = "Mend the expression, or the value."

# Sandboxed: an expression computes a text, and must not reach into Python.
_ENVIRONMENT = SandboxedEnvironment(
    undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
)
_ENVIRONMENT.globals.clear()  # range, lipsum and others would count as names that are known
_ENVIRONMENT.filters["quote"] = shlex.quote  # for `shell: true`
# Parts of a path, as pathlib knows them: of data/a.tar.gz they are a.tar.gz, a.tar, .gz and data.
for _part in ("name", "stem", "suffix", "parent"):
    _ENVIRONMENT.filters[_part] = lambda path, part=_part: str(getattr(PurePosixPath(path), part))
_COMMA = re.compile(r"[0-9],[0-9]")
_ASSIGNED = re.compile(r"(?<![=!<>])=(?!=)")
_UNKNOWN = re.compile(r"No (filter|test) named '(\w+)'")


def _careful(number: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that makes numbers of the texts that spell one, as results are read.

    jinja's own would make 0 of all others without a word: `{{ x | float }}` was 0.0 for 1,5.
    """

    def checked(value: Any, *default: Any, **more: Any) -> Any:
        if not isinstance(value, str) or default or more:
            return number(value, *default, **more)
        if has_decimal_comma(value):
            raise ValueError(f"{value!r} has a decimal comma, and numbers have a point")
        found = read(value.strip(), Kind.FLOAT)
        if found is None:
            raise ValueError(f"{str(value)!r} is not a number")
        return number(found.cell)

    return checked


for _name in ("int", "float"):
    _ENVIRONMENT.filters[_name] = _careful(_ENVIRONMENT.filters[_name])


def _keeping(plain: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter whose texts refuse to be counted with, as the value that they are made of."""

    @functools.wraps(plain)  # with jinja's marks of what else it is given
    def kept(*arguments: Any, **more: Any) -> Any:
        value = next((one for one in arguments if isinstance(one, str)), None)
        return like(value, plain(*arguments, **more))

    return kept


for _name, _filter in list(_ENVIRONMENT.filters.items()):
    _ENVIRONMENT.filters[_name] = _keeping(_filter)


def condition(
    text: str,
) -> tuple[frozenset[str], nodes.Expr, Callable[[Mapping[str, Any]], Any]]:
    """Return the names in an expression, its tree, and the function that tells what it is for values."""
    try:
        source = "{{ (" + text + "\n) }}"
        names = frozenset(meta.find_undeclared_variables(_ENVIRONMENT.parse(source)))
        # Before the tree: a text with braces of its own is several expressions, and refused here.
        told = _ENVIRONMENT.compile_expression(text, undefined_to_none=False)
        # Read once more: looking for the names has put constants in the place of lists.
        (tree,) = _ENVIRONMENT.parse(source).body[0].nodes  # type: ignore[attr-defined]
        return names, tree, told
    except (TemplateError, RecursionError) as error:
        todo = "Write it like `x <= 5 or y == 'a'`."
        if _COMMA.search(text):
            todo += " A number has a point, not a comma: 1.5."
        if _ASSIGNED.search(text):
            todo = "Write == to compare. " + todo
        what = f"{text!r} is not an expression: {_message(error)}"
        raise ConfigError(what, todo=todo) from error


#: Parts of a condition that cost next to nothing, whatever the values are. Not `*`, `**`, `%` and filters:
#: `'a' * 10**10` would take all memory of the process that computes it.
_CHEAP = (
    nodes.Template, nodes.Output, nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand, nodes.Name,
    nodes.Const, nodes.List, nodes.Tuple, nodes.Neg, nodes.Pos, nodes.Add, nodes.Sub, nodes.Div, nodes.TemplateData,
)  # fmt: skip


def is_cheap(text: str) -> bool:
    """Tell whether an expression, which may be somebody else's, has parts of _CHEAP alone.

    Such are comparisons joined by `and`, `or`, `not` and brackets, with `in`, `+`, `-` and `/`.
    What is no expression is cheap: `condition` says what is wrong.
    """
    try:
        parsed = _ENVIRONMENT.parse("{{ (" + text + "\n) }}")
        return all(isinstance(one, _CHEAP) for one in parsed.find_all(nodes.Node))
    except TemplateError:
        return True
    except RecursionError:
        return False


def template(segments: tuple[Segment, ...]) -> tuple[frozenset[str], Callable[[Values], str]]:
    """Return the names in a pattern, and the function that fills it."""
    source = "".join(s.text if s.code else _protected(s.text) for s in segments)
    shown = "".join(s.text for s in segments)
    try:
        names = frozenset(meta.find_undeclared_variables(_ENVIRONMENT.parse(source)))
        template = _ENVIRONMENT.from_string(source)
    # RecursionError: thousands of brackets are a text that jinja's parser cannot go into.
    except (TemplateError, RecursionError) as error:
        raise _no_pattern(shown, error) from error

    def fill(values: Values) -> str:
        try:
            return template.render({name: Value(text, name) for name, text in values.items()})
        except Exception as error:  # the expression is the user's code: anything can come out of it
            raise ConfigError(
                f"{_short(shown)} can't be filled in: {_message(error)}", todo=_MEND
            ) from error

    return names, fill


def _no_pattern(shown: str, error: Exception) -> ConfigError:
    """Return the error for a text that jinja does not take."""
    todo = "Mend the expression."
    # The command is split into words first, so a loop over several words is cut in pieces.
    if "{%" in shown:
        todo = "A {% … %} has to begin and to end within one word."
    unknown = _UNKNOWN.match(_message(error))
    if unknown:
        known = _ENVIRONMENT.filters if unknown[1] == "filter" else _ENVIRONMENT.tests
        near = nearest(unknown[2], known)
        meant = f"Write {near}" if near else "Mend the name"
        todo = f"{meant}; docs/spe.yaml.md names those for paths and numbers."
    return ConfigError(f"{_short(shown)} is not a pattern: {_message(error)}", todo=todo)


def _protected(text: str) -> str:
    """Return literal text as jinja reads it unchanged: as a string, where it could be code or has
    `\\r`.
    """
    if "{" in text or "\r" in text or "}" in text:
        return "{{ " + _string(text) + " }}"
    return text


def _string(text: str) -> str:
    escaped = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n")
    )
    return f'"{escaped}"'


def _message(error: Exception) -> str:
    """Return what an error says, without the lines of jinja's own text that it was met in."""
    text = error.message if isinstance(error, TemplateError) else str(error)
    return text or type(error).__name__


def _short(text: str, limit: int = 80) -> str:
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return repr(text)
