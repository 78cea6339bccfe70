"""Patterns: text with expressions, filled with the values of one parameter set.

A command is split into words first, as a POSIX shell splits, with the expressions kept whole, and
filled afterwards. So a value with spaces, quotes or `;` stays one argument, and no shell ever reads
it.

Most words are literal text and plain names. These are joined here, because a million sets are
normal. All others are jinja's (expression.py), which is loaded where there is one. Where a pattern
stands and what an argument may hold is known in recipe.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping

from .segments import Segment, segments_of, split_words

Values = Mapping[str, str]


class Pattern:
    """A pattern: which names it uses, and its text for given values."""

    __slots__ = ("fill", "names", "segments", "simple")

    def __init__(self, segments: Iterable[Segment]) -> None:
        self.segments = _joined(segments)
        # jinja fills a plain name, too, but in 7 us instead of 0.7.
        self.simple = all(not s.code or s.name for s in self.segments)
        self.names: frozenset[str]
        self.fill: Callable[[Values], str]
        if self.simple:
            self.names = frozenset(s.name for s in self.segments if s.name)
            self.fill = _filler(self.segments)
        else:
            from .expression import template  # late: most sweeps have plain names only

            self.names, self.fill = template(self.segments)

    @classmethod
    def parse(cls, text: str, marks: tuple[str, str] | None = None) -> Pattern:
        """Return a text as one pattern: an input, a variable, a word that a shell has split
        already.

        `marks`: what stands around expressions in the place of {{ and }}.
        """
        return cls(segments_of(text, marks))

    @property
    def literal(self) -> str | None:
        """Return the text when there is nothing to fill in, else None."""
        if any(s.code for s in self.segments):
            return None
        return "".join(s.text for s in self.segments)

    def canonical(self) -> list[str | list[str]]:
        """Return what the pattern says, whatever the spaces inside its braces: a part of a set's
        identity.
        """
        return [[s.name or s.text] if s.code else s.text for s in self.segments]

    def weight(self, name: str) -> int:
        """Return how often a value goes into the text; known for simple patterns alone."""
        return sum(1 for s in self.segments if s.code and s.name == name)

    def __str__(self) -> str:
        return "".join(s.text for s in self.segments)

    def __repr__(self) -> str:
        return f"Pattern({str(self)!r})"


def split(command: str) -> list[Pattern]:
    """Return the words of a command as a POSIX shell would see them, each as a pattern.

    Nothing is expanded.
    """
    return [Pattern(word) for word in split_words(command)]


def _joined(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Return the segments with neighbouring literals joined and empty ones left out."""
    joined: list[Segment] = []
    # The splitter makes a segment of each character.
    for code, neighbours in itertools.groupby(segments, key=lambda segment: segment.code):
        if code:
            joined += neighbours
        elif text := "".join(segment.text for segment in neighbours):
            joined.append(Segment(False, text))
    return tuple(joined)


def _filler(segments: tuple[Segment, ...]) -> Callable[[Values], str]:
    """Return the fast way to fill literal text and plain names: one `%` of Python."""
    names = [s.name for s in segments if s.name]
    if not names:
        text = "".join(s.text for s in segments)
        return lambda values: text
    shape = "".join(map(_shape, segments))
    if len(names) == 1:
        return _one_name_filler(names[0], shape)
    # A list: a generator would take longer than the `%` itself.
    return lambda values: shape % tuple([values[name] for name in names])


def _shape(segment: Segment) -> str:
    """Return a segment as the `%` of Python has it."""
    return "%s" if segment.code else segment.text.replace("%", "%%")


def _one_name_filler(name: str, shape: str) -> Callable[[Values], str]:
    """Return the filler of most words: a value alone, or with literal text around it."""
    if shape == "%s":
        return lambda values: values[name]
    return lambda values: shape % values[name]
