"""Text cut into literal pieces and expressions, and a command cut into words with its expressions kept whole.

Pure text: where an expression ends is known here (`}}` in its strings and brackets is its own), what it means
is pattern.py.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..config.parameter_names import RESERVED
from ..errors import ConfigError

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


def segments_of(text: str) -> list[Segment]:
    """A whole text as literal pieces and expressions."""
    segments, here = [], 0
    while (start := _next_code(text, here)) >= 0:
        end = _code_end(text, start)
        segments += [Segment(False, text[here:start]), Segment(True, text[start:end])]
        here = end
    return [*segments, Segment(False, text[here:])]


def split_words(command: str) -> list[list[Segment]]:
    """The words of a command as a POSIX shell would see them; nothing is expanded."""
    return _Splitter(command).words()


class _Splitter:
    """The state of splitting one command: the word so far, and the quote that is open."""

    def __init__(self, text: str) -> None:
        self.text, self.here, self.quote = text, 0, ""
        self.found: list[list[Segment]] = []
        self.word: list[Segment] | None = None

    def words(self) -> list[list[Segment]]:
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
            self.found.append(self.word)
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
