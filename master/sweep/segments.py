"""Cuts text into literal pieces and expressions, and a command into words with its expressions kept
whole.

Where an expression ends is known here (`}}` in its strings and brackets is its own). What it means
is pattern.py's business. Why not jinja's lexer: it is made for whole templates and changes the text
around expressions (docs/measurements.md, "Rejected"). A property test compares both.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..config.parameter_names import RESERVED
from ..errors import ConfigError

_OPENERS = ("{{", "{%")  # not jinja's {#: a deck may have it, and a comment would vanish from it
_PLAIN = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}\Z")
_RAW = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%\}")
_ENDRAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


class Segment(NamedTuple):
    """A segment of a pattern: literal text, or code as it was written, braces included."""

    code: bool
    text: str

    @property
    def name(self) -> str | None:
        """Return the name in `{{ name }}`, when that is all it is."""
        match = _PLAIN.match(self.text) if self.code else None
        return match[1] if match and match[1] not in RESERVED else None


class NotClosed(ConfigError):
    """An expression has no end. `at`: where it begins in the text."""

    def __init__(self, text: str, at: int, closer: str) -> None:
        what = f"{text[at : at + 30]!r} is not closed"
        super().__init__(what, todo=f"Write {closer} after the expression.")
        self.at = at


def segments_of(text: str, marks: tuple[str, str] | None = None) -> list[Segment]:
    """Return a whole text as literal pieces and expressions.

    With `marks` an expression stands between these, and {{ or {% in the text is text. Raises
    NotClosed for code without an end.
    """
    segments: list[Segment] = []
    here = 0
    while (found := _next_segment(text, here, marks)) is not None:
        start, end, code = found
        segments += [Segment(False, text[here:start]), Segment(True, code)]
        here = end
    return [*segments, Segment(False, text[here:])]


def _next_segment(
    text: str, here: int, marks: tuple[str, str] | None
) -> tuple[int, int, str] | None:
    """Return (begin, end, code) of the next expression, as with {{ }}; None where there is none."""
    if marks is None:
        start = _next_code(text, here)
        end = _code_end(text, start) if start >= 0 else -1
        return (start, end, text[start:end]) if start >= 0 else None
    opener, closer = marks
    start = text.find(opener, here)
    if start < 0:
        return None
    end = _expression_end(text, start, closer, len(opener))
    return start, end, "{{" + text[start + len(opener) : end - len(closer)] + "}}"


def split_words(command: str) -> list[list[Segment]]:
    """Return the words of a command as a POSIX shell would see them. Nothing is expanded."""
    return _Splitter(command).words()


class _Splitter:
    """The state of splitting one command: the word so far, and the quote that is open."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.here = 0
        self.quote = ""  # the quote that is open
        self.found: list[list[Segment]] = []
        self.word: list[Segment] | None = None

    def words(self) -> list[list[Segment]]:
        """Return all words. Raises ConfigError for a quote or code without its end."""
        while self.here < len(self.text):
            self._step()
        # shlex would say "No closing quotation": no place, nothing to do.
        if self.quote:
            todo = f"Close it, or write it as \\{self.quote} ."
            raise ConfigError(f"a quote {self.quote} is not closed", todo=todo)
        self._end_word()
        return self.found

    def _step(self) -> None:
        """Read one character, escape or expression."""
        # Before quotes and backslashes: those of an expression are jinja's, not the shell's.
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
        """Read a character outside of quotes."""
        self.here += 1
        if char in " \t\n":
            self._end_word()
        elif char in "'\"":
            self.quote = char
            self._add(Segment(False, ""))  # so that '' alone is a word
        else:
            self._add(Segment(False, char))

    def _quoted(self, char: str) -> None:
        """Read a character within quotes."""
        self.here += 1
        if char == self.quote:
            self.quote = ""
        else:
            self._add(Segment(False, char))

    def _escape(self) -> None:
        """Read a backslash and what follows it, as POSIX has it within and outside of double
        quotes.
        """
        after = self.text[self.here + 1 : self.here + 2]
        if not after:
            raise ConfigError(
                "the command ends with a backslash", todo="Remove it, or write it twice."
            )
        self.here += 2
        # A command may go over several lines, as in a shell.
        if after == "\n":
            return
        # Within double quotes a backslash only escapes these four.
        keep = "\\" if self.quote and after not in '$`"\\' else ""
        self._add(Segment(False, keep + after))

    def _add(self, segment: Segment) -> None:
        if self.word is None:
            self.word = []
        self.word.append(segment)

    def _end_word(self) -> None:
        if self.word is not None:
            self.found.append(self.word)
        self.word = None


def _next_code(text: str, here: int) -> int:
    """Return where the next expression begins, or -1."""
    found = [text.find(opener, here) for opener in _OPENERS]
    return min((at for at in found if at >= 0), default=-1)


def _code_end(text: str, start: int) -> int:
    """Return where the code that begins at `start` ends."""
    opener = text[start : start + 2]
    # Between raw and endraw nothing is code, whatever it looks like.
    if raw := _RAW.match(text, start):
        return _raw_end(text, start, raw.end())
    return _expression_end(text, start, "}}" if opener == "{{" else "%}")


def _raw_end(text: str, start: int, inside: int) -> int:
    """Return the place behind the `{% endraw %}` of the code that begins at `start`."""
    end = _ENDRAW.search(text, inside)
    if end is None:
        raise NotClosed(text, start, "{% endraw %}")
    return end.end()


def _expression_end(text: str, start: int, closer: str, opener: int = 2) -> int:
    """Return where an expression ends; braces in its strings and brackets are its own.

    `opener`: characters of the mark with which it begins.
    """
    here = start + opener
    open_ = [""]  # the closing brackets that are still to come; "" closes nothing
    while here < len(text):
        if len(open_) == 1 and text.startswith(closer, here):
            return here + len(closer)
        here = _past(text, here, open_)
    raise NotClosed(text, start, closer)


def _past(text: str, here: int, open_: list[str]) -> int:
    """Return the place behind the string or the character at `here`; keep count of the brackets."""
    char = text[here]
    if char in "'\"":
        return _string_end(text, here)
    # A bracket that was never opened is left to jinja, which says what is wrong with it.
    if char in _BRACKETS:
        open_.append(_BRACKETS[char])
    elif char == open_[-1]:
        open_.pop()
    return here + 1


def _string_end(text: str, start: int) -> int:
    """Return the place behind the string that begins at `start`.

    The end of the text if it has no end.
    """
    here = start + 1
    while here < len(text) and text[here] != text[start]:
        here += 2 if text[here] == "\\" else 1
    return here + 1
