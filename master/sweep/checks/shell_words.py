"""The words of a pattern that a shell reads, each as a pattern of its own.

Roughly: nothing is expanded, and a text that no shell would read has words, too. What a command
writes to (`> out.txt`) is left out: it names no file that must be there.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ..pattern import Pattern
from ..program import SHELL
from ..segments import Segment

_SIGNS = ";|&()<>\n`"
_OPTION_C = re.compile(r"-[a-z]*c")
# Characters of the private use area stand for expressions: no shell has a meaning for them.
_FIRST = 0xF0000
_EXPRESSION = re.compile("([\U000f0000-\U000ffffd])")


def shell_words(text: Pattern) -> list[Pattern]:
    """Return the words of a shell's text, without its signs and without files it writes to."""
    flat = "".join(
        chr(_FIRST + at) if one.code else one.text for at, one in enumerate(text.segments)
    )
    return [_pattern(word, text.segments) for word in _read_words(split(flat))]


def split(text: str) -> list[str]:
    """Return words and signs of a text as a shell splits it; blanks decide where it has no end."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=_SIGNS)
    lexer.whitespace_split = True
    lexer.whitespace = " \t\r"
    try:
        return list(lexer)
    except ValueError:  # a quote without its end
        return text.split()


def _read_words(tokens: Sequence[str]) -> Iterator[str]:
    """Yield the words that are no signs, not behind a `>`, and not the 2 of `2>`."""
    writes = False
    for token, following in pairwise([*tokens, ""]):
        if token and not token.strip(_SIGNS):
            writes = ">" in token
            continue
        if token and not writes and not (token.isdigit() and following[:1] in ("<", ">")):
            yield token
        writes = False


def _pattern(word: str, segments: Sequence[Segment]) -> Pattern:
    pieces = _EXPRESSION.split(word)
    # split() with a group gives texts and the characters between them in turn.
    return Pattern(
        _segment(piece, segments) if at % 2 else Segment(False, piece)
        for at, piece in enumerate(pieces)
    )


def _segment(character: str, segments: Sequence[Segment]) -> Segment:
    """Return the expression that a character stands for, or itself: it may be in the text."""
    at = ord(character) - _FIRST
    if at < len(segments) and segments[at].code:
        return segments[at]
    return Segment(False, character)


def text_of_shell(words: Sequence[Pattern]) -> int | None:
    """Return the place of the text in `sh -c TEXT`; None where no word is such a text."""
    for at in range(len(words) - 2):
        name, option = words[at].literal, words[at + 1].literal
        if name is None or option is None:
            continue
        if SHELL.fullmatch(name.rpartition("/")[2]) and _OPTION_C.fullmatch(option):
            return at + 2
    return None
