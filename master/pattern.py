"""Patterns: text with jinja2 expressions, filled with the values of one parameter set.

A command is split into words first, as a POSIX shell splits, with the expressions kept whole, and filled
afterwards: so a value with spaces, quotes or `;` stays one argument, and no shell ever reads it. Most words
are literal text and plain names; these are joined without jinja, because a million sets are normal.

What the values are, where a pattern stands and what an argument may hold is not known here (recipe.py).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import SandboxedEnvironment

from .errors import ConfigError

Values = Mapping[str, str]

#: Names that jinja reads as its own, so that no parameter can have them.
RESERVED = frozenset(["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"])

ENVIRONMENT = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
ENVIRONMENT.globals.clear()  # lipsum, range and the like would be "names there are" that nobody declared
ENVIRONMENT.filters["quote"] = shlex.quote  # for `shell: true`

_OPENERS = ("{{", "{%", "{#")
_PLAIN = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}\Z")
_RAW = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%\}")
_ENDRAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


class Segment(NamedTuple):
    """A piece of a pattern: literal text, or code as it was written, braces included."""

    code: bool
    text: str

    @property
    def name(self) -> str | None:
        """The name in `{{ name }}`, when that is all it is."""
        match = _PLAIN.match(self.text) if self.code else None
        return match[1] if match and match[1] not in RESERVED else None


class Pattern:
    """One pattern: which names it uses, and its text for given values."""

    __slots__ = ("fill", "names", "segments", "simple")

    def __init__(self, segments: Iterable[Segment]) -> None:
        self.segments = _joined(segments)
        self.simple = all(not s.code or s.name for s in self.segments)
        self.names: frozenset[str]
        self.fill: Callable[[Values], str]
        if self.simple:
            self.names = frozenset(s.name for s in self.segments if s.name)
            self.fill = _filler(self.segments)
        else:
            self.names, self.fill = _template(self.segments)

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """A text taken as one pattern: an input, a variable, a word that a shell has split already."""
        segments, here = [], 0
        while (start := _next_code(text, here)) >= 0:
            end = _code_end(text, start)
            segments += [Segment(False, text[here:start]), Segment(True, text[start:end])]
            here = end
        return cls([*segments, Segment(False, text[here:])])

    @property
    def literal(self) -> str | None:
        """The text when there is nothing to fill in, else None."""
        return None if any(s.code for s in self.segments) else "".join(s.text for s in self.segments)

    def canonical(self) -> list[str | list[str]]:
        """What the pattern says, whatever the spaces inside its braces: the part of it that makes identity."""
        return [[s.name or s.text] if s.code else s.text for s in self.segments]

    def weight(self, name: str) -> int:
        """How often a value goes into the text; only known for simple patterns."""
        return sum(1 for s in self.segments if s.code and s.name == name)

    def __str__(self) -> str:
        return "".join(s.text for s in self.segments)

    def __repr__(self) -> str:
        return f"Pattern({str(self)!r})"


def split(command: str) -> list[Pattern]:
    """The words of a command as a POSIX shell would see them, each as a pattern; nothing is expanded."""
    return _Splitter(command).words()


class Condition:
    """An expression over the values, read as numbers where they look like numbers: the `where` of a sweep."""

    def __init__(self, text: str) -> None:
        try:
            self.names = frozenset(meta.find_undeclared_variables(ENVIRONMENT.parse("{{ (" + text + "\n) }}")))
            self._holds = ENVIRONMENT.compile_expression(text, undefined_to_none=False)
        except TemplateError as error:
            raise ConfigError(
                f"{text!r} is not an expression: {error}", todo="Write it like `x <= 5 or y == 'a'`."
            ) from error
        self.text = text

    def holds(self, values: Values) -> bool:
        """Whether it is true for these values; raises ConfigError when it can't be told."""
        try:
            return bool(self._holds({name: number(values[name]) for name in self.names}))
        except Exception as error:  # the expression is the user's code: anything can come out of it
            raise ConfigError(f"{self.text!r} can't be told: {error}") from error


_INT = re.compile(r"[-+]?[0-9]{1,300}\Z")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\Z")


def number(text: str) -> int | float | str:
    """A value as `where` sees it: a number if it looks like one."""
    if _INT.match(text):
        return int(text)
    return float(text) if _FLOAT.match(text) else text


class _Splitter:
    """The state of splitting one command: the word so far, and the quote that is open."""

    def __init__(self, text: str) -> None:
        self.text, self.here, self.quote = text, 0, ""
        self.found: list[Pattern] = []
        self.word: list[Segment] | None = None

    def words(self) -> list[Pattern]:
        while self.here < len(self.text):
            self._step()
        if self.quote:
            raise ConfigError(
                f"a quote {self.quote} is not closed", todo="Close it, or write it as \\" + self.quote + " ."
            )
        self._end_word()
        return self.found

    def _step(self) -> None:
        char = self.text[self.here]
        if self.text.startswith(_OPENERS, self.here):
            end = _code_end(self.text, self.here)
            self._add(Segment(True, self.text[self.here : end]))
            self.here = end
        elif char == "\\" and self.quote != "'":
            self._escape()
        elif self.quote:
            self._quoted(char)
        else:
            self._bare(char)

    def _bare(self, char: str) -> None:
        self.here += 1
        if char in " \t\n":
            self._end_word()
        elif char in "'\"":
            self.quote = char
            self._add(Segment(False, ""))
        else:
            self._add(Segment(False, char))

    def _quoted(self, char: str) -> None:
        self.here += 1
        if char == self.quote:
            self.quote = ""
        else:
            self._add(Segment(False, char))

    def _escape(self) -> None:
        after = self.text[self.here + 1 : self.here + 2]
        if not after:
            raise ConfigError("the command ends with a backslash", todo="Remove it, or write it twice.")
        self.here += 2
        if after == "\n":
            return
        keep = "\\" if self.quote and after not in '$`"\\' else ""
        self._add(Segment(False, keep + after))

    def _add(self, segment: Segment) -> None:
        if self.word is None:
            self.word = []
        self.word.append(segment)

    def _end_word(self) -> None:
        if self.word is not None:
            self.found.append(Pattern(self.word))
        self.word = None


def _next_code(text: str, here: int) -> int:
    """Where the next expression begins, or -1."""
    return min((i for i in (text.find(opener, here) for opener in _OPENERS) if i >= 0), default=-1)


def _code_end(text: str, start: int) -> int:
    """Where the expression that begins at `start` ends; braces in its strings and brackets are its own."""
    opener = text[start : start + 2]
    if opener == "{#":
        return _find(text, "#}", start)
    if raw := _RAW.match(text, start):
        end = _ENDRAW.search(text, raw.end())
        return end.end() if end else _unclosed(text, start, "{% endraw %}")
    return _expression_end(text, start, "}}" if opener == "{{" else "%}")


def _expression_end(text: str, start: int, closer: str) -> int:
    here, open_ = start + 2, [""]
    while here < len(text):
        char = text[here]
        if len(open_) == 1 and text.startswith(closer, here):
            return here + 2
        if char in "'\"":
            here = _string_end(text, here)
            continue
        if char in _BRACKETS:
            open_.append(_BRACKETS[char])
        elif char == open_[-1]:
            open_.pop()
        here += 1
    return _unclosed(text, start, closer)


def _string_end(text: str, start: int) -> int:
    """After the string that begins at `start`; to the end of the text if it has no end."""
    here = start + 1
    while here < len(text) and text[here] != text[start]:
        here += 2 if text[here] == "\\" else 1
    return here + 1


def _find(text: str, closer: str, start: int) -> int:
    end = text.find(closer, start + 2)
    return end + 2 if end >= 0 else _unclosed(text, start, closer)


def _unclosed(text: str, start: int, closer: str) -> int:
    raise ConfigError(f"{text[start : start + 30]!r} is not closed", todo=f"Write {closer} after the expression.")


def _joined(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """The segments with neighbouring literals made one and empty ones left out."""
    joined: list[Segment] = []
    for segment in segments:
        if joined and not segment.code and not joined[-1].code:
            joined[-1] = Segment(False, joined[-1].text + segment.text)
        elif segment.text:
            joined.append(segment)
    return tuple(joined)


def _filler(segments: tuple[Segment, ...]) -> Callable[[Values], str]:
    """The fast way: literal text and plain names."""
    names = [s.name for s in segments if s.name]
    shape = "".join("%s" if s.code else s.text.replace("%", "%%") for s in segments)
    if not names:
        text = "".join(s.text for s in segments)
        return lambda values: text
    if len(names) == 1:
        name = names[0]
        return (lambda values: values[name]) if shape == "%s" else (lambda values: shape % values[name])
    return lambda values: shape % tuple([values[name] for name in names])


def _template(segments: tuple[Segment, ...]) -> tuple[frozenset[str], Callable[[Values], str]]:
    """jinja's way, for everything that is more than names."""
    source = "".join(s.text if s.code else _protected(s.text) for s in segments)
    shown = "".join(s.text for s in segments)
    try:
        names = frozenset(meta.find_undeclared_variables(ENVIRONMENT.parse(source)))
        template = ENVIRONMENT.from_string(source)
    except (TemplateSyntaxError, TemplateError) as error:
        todo = "A {% … %} has to begin and to end within one word." if "{%" in shown else "Mend the expression."
        raise ConfigError(f"{_short(shown)} is not a pattern: {error}", todo=todo) from error

    def fill(values: Values) -> str:
        try:
            return template.render(values)
        except Exception as error:  # the expression is the user's code: anything can come out of it
            raise ConfigError(f"{_short(shown)} can't be filled in: {_message(error)}") from error

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
