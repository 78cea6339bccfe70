"""Texts and files as lines for a POSIX shell that survive being pasted into a terminal.

shlex.quote is not enough there. A tab asks the shell to complete a word, a carriage return ends the
line, an escape sequence steers the terminal, zsh reads `=x` as the path of a program, bash looks for
`!` in a quoted text of several lines, and a terminal without line editing cuts a line at 4096 bytes.
So only short texts of printable characters are quoted. All others are written by printf, with octal
escapes, as `$'…'` is not known to every shell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 600  # bytes of a text in one line; as escapes it has up to four times as many
# zsh gives `=` at the beginning of a word a meaning, and `~` has one everywhere.
_PLAIN = re.compile(r"[\w./,:@%+-][\w./,:@%+=-]*", re.ASCII)
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\\": "\\\\", "%": "%%", "'": "\\047"}


class PasteWords:
    """Quotes the words of one script. `lines`: what must stand before their use.

    A word that cannot be quoted becomes a variable of the shell.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._variables = 0

    def word(self, text: str) -> str:
        """Return a text as one word of the shell."""
        if is_quotable(text):
            return quoted(text)
        self._variables += 1
        name = f"text{self._variables}"
        before = ""
        for piece in _pieces(_bytes(text)):
            # The point keeps newlines at the end, which the shell takes away from $( ).
            self.lines.append(f"{name}={before}$(printf '{_format(piece)}.')")
            before = f"${{{name}%.}}"
        self.lines.append(f"{name}={before}")
        return f'"${name}"'

    def path(self, text: str) -> str:
        """Return the path of a file as one word that no command takes for an option."""
        return self.word(f"./{text}" if text.startswith("-") else text)


def is_quotable(text: str) -> bool:
    """Tell whether a text can stand in single quotes in one line."""
    return text.isprintable() and len(_bytes(text)) <= LONGEST


def quoted(text: str) -> str:
    """Return a printable text as one word of the shell."""
    if _PLAIN.fullmatch(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def lines_that_write(content: bytes, path: str) -> Iterator[str]:
    """Yield commands that write a file. `path`: its path as a word of the shell."""
    text = content.decode("utf-8", "surrogateescape")
    whole, newline, last = text.rpartition("\n")
    whole_lines = whole.split("\n") if newline else []
    if not all(map(is_quotable, [*whole_lines, last])):
        yield from _with_escapes(content, path)
        return
    into = ">"
    if whole_lines or not last:
        yield _printed("%s\\n" if whole_lines else "", whole_lines, into, path)
        into = ">>"
    if last:
        yield _printed("%s", [last], into, path)


def _printed(form: str, words: list[str], into: str, path: str) -> str:
    """Return a printf of these words, each in a line of its own where there are several."""
    if len(words) > 1:
        return f"printf '{form}' {into} {path}" + "".join(f" \\\n  {quoted(one)}" for one in words)
    return " ".join(["printf", f"'{form}'", *map(quoted, words), into, path])


def _with_escapes(content: bytes, path: str) -> Iterator[str]:
    into = ">"
    for piece in _pieces(content):
        yield f"printf '{_format(piece)}' {into} {path}"
        into = ">>"


def _pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), LONGEST):
        yield content[start : start + LONGEST]


def _format(piece: bytes) -> str:
    """Return bytes as a format of printf, without quotes."""
    text = "".join(map(_escaped, piece.decode("utf-8", "surrogateescape")))
    # bash takes a format that begins with a minus for an option.
    return "\\055" + text[1:] if text.startswith("-") else text


def _escaped(char: str) -> str:
    """Return one character for a format: as it is where it can be pasted."""
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    return "".join(f"\\{byte:03o}" for byte in _bytes(char))


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
