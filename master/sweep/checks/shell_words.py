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
_MAKERS = frozenset(("tee", "touch", "rm", "cp", "mv", "mkdir", "install", "truncate", "mkfifo"))
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


def written_words(text: Pattern) -> set[str]:
    """Return the words of a shell's text that it writes, makes or removes itself, as patterns' texts."""
    flat = "".join(
        chr(_FIRST + at) if one.code else one.text for at, one in enumerate(text.segments)
    )
    return {str(_pattern(word, text.segments)) for word in _made_words(split(flat))}


def _made_words(tokens: Sequence[str]) -> Iterator[str]:
    """Yield the words behind a `>`, and all that a command such as tee or cp is given."""
    writes = makes = False
    begins = True
    for token in tokens:
        if not token.strip(_SIGNS):
            writes = ">" in token
            if not writes and "<" not in token:
                begins, makes = True, False
            continue
        if writes or makes:
            yield token
        elif begins:
            makes = token in _MAKERS
        writes = begins = False


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
        name = words[at].literal
        if name is None or not SHELL.fullmatch(name.rpartition("/")[2]):
            continue
        if (option := _option_c(words, at + 1)) is not None:
            return option + 1
    return None


def _option_c(words: Sequence[Pattern], at: int) -> int | None:
    """Return the place of a shell's -c behind its other options, such as -e or -o pipefail."""
    while at < len(words) - 1:
        option = words[at].literal
        if option is None or not option.startswith(("-", "+")):
            return None
        if _OPTION_C.fullmatch(option):
            return at
        at += 2 if option in ("-o", "+o", "-O", "+O") else 1
    return None
