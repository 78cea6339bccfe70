"""What is more than a name in a pattern, and the `where` of a sweep: jinja's part of both.

It takes a fortieth of a second to load, so pattern.py imports this file only where there is an expression.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import SandboxedEnvironment

from ..errors import ConfigError
from .segments import Segment

Values = Mapping[str, str]
_MEND = "Mend the expression, or the value."

_ENVIRONMENT = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
_ENVIRONMENT.globals.clear()  # lipsum, range and the like would be "names there are" that nobody declared
_ENVIRONMENT.filters["quote"] = shlex.quote  # for `shell: true`


def condition(text: str) -> tuple[frozenset[str], Callable[[Mapping[str, Any]], Any]]:
    """The names in an expression, and how to ask whether it is true."""
    try:
        names = frozenset(meta.find_undeclared_variables(_ENVIRONMENT.parse("{{ (" + text + "\n) }}")))
        return names, _ENVIRONMENT.compile_expression(text, undefined_to_none=False)
    except (TemplateError, RecursionError) as error:
        todo = "Write it like `x <= 5 or y == 'a'`."
        raise ConfigError(f"{text!r} is not an expression: {error}", todo=todo) from error


def template(segments: tuple[Segment, ...]) -> tuple[frozenset[str], Callable[[Values], str]]:
    """jinja's way, for everything that is more than names."""
    source = "".join(s.text if s.code else _protected(s.text) for s in segments)
    shown = "".join(s.text for s in segments)
    try:
        names = frozenset(meta.find_undeclared_variables(_ENVIRONMENT.parse(source)))
        template = _ENVIRONMENT.from_string(source)
    except (TemplateError, RecursionError) as error:
        todo = "A {% … %} has to begin and to end within one word." if "{%" in shown else "Mend the expression."
        raise ConfigError(f"{_short(shown)} is not a pattern: {error}", todo=todo) from error

    def fill(values: Values) -> str:
        try:
            return template.render(values)
        except Exception as error:  # the expression is the user's code: anything can come out of it
            raise ConfigError(f"{_short(shown)} can't be filled in: {_message(error)}", todo=_MEND) from error

    return names, fill


def _protected(text: str) -> str:
    """Literal text that jinja could read as code, or change (`\\r\\n`), goes in as a string."""
    risky = "{" in text or "\r" in text or "}" in text
    return "{{ " + _string(text) + " }}" if risky else text


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n")
    return f'"{escaped}"'


def _message(error: Exception) -> str:
    return str(error) or type(error).__name__


def _short(text: str, limit: int = 80) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
