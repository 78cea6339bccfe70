"""Values in the text of a shell that the shell would read as more than a word: `wc -l < {{ f }}`.

A file named `a; rm b` would be a command there, and `my file` two words. Such a value is a mistake
unless it is quoted. One that stands where a command begins (`{{ line }} | sort`) is meant for the
shell, and so are the blanks of values that are no files: `cc {{ flags }} x.c`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from ...config.document import Document
from ...errors import ConfigError
from ...record import record
from ..parameters import shown
from ..pattern import Pattern, Values
from ..recipe import Recipe
from ..segments import Segment
from .shell_words import text_of_shell

# What a shell does not take as it is: outside of quotes, and within each kind of them.
_SPECIAL = {
    "": re.compile(r"[;&|<>()$`\"'\\\n*?\[]|\A[#~]"),
    '"': re.compile(r"[\"$`\\]"),
    "'": re.compile(r"'"),
}
_BLANK = re.compile(r"[ \t]")
_ANY = re.compile(r"[;&|<>()$`\"'\\\n*?\[ \t]|\A[#~]|\A\Z")
_QUOTED = re.compile(r"\|\s*quote\s*\}\}\Z")
_BEGINS = ";&|(\n"  # behind these a command begins


@record
class _Place:
    """An expression in a shell's text, and the quotes around it ("" for none)."""

    pattern: Pattern
    quote: str


class ShellValues:
    """Looks at the values of all sets that go into a shell's text. Lives for one reading of them.

    `files`: the parameters whose values are files.
    """

    def __init__(self, recipe: Recipe, document: Document, files: Collection[str]) -> None:
        self._where = document.where("command")
        self._files = frozenset(files)
        at = 0 if recipe.shell else text_of_shell(recipe.words)
        known = frozenset(recipe.names)
        self._places = []
        if at is not None:
            for one in _places(recipe.words[at].segments):
                if one.pattern.names <= known:
                    self._places.append(one)
        self._names = frozenset(name for one in self._places for name in one.pattern.names)
        self._found: ConfigError | None = None
        self._blank: str | None = None

    def begin(self, values: Values) -> None:
        """Do nothing: `look` sees the first set, too."""

    def look(self, names: Sequence[str], rows: Sequence[tuple[Sequence[str], int]]) -> None:
        """Look at the next sets. Costs a search in each row, where a shell reads any value."""
        columns = [at for at, name in enumerate(names) if name in self._names]
        if not columns or self._found:
            return
        for cells, _ in rows:
            if any(_ANY.search(cells[at]) for at in columns):
                self._look_at_set(dict(zip(names, cells, strict=True)))
                if self._found:
                    return

    def end(self, values: Values) -> None:
        """Do nothing: `look` sees the last set, too."""

    def mistakes(self) -> Iterable[ConfigError]:
        """Yield the first value that a shell would read as more than a word."""
        if self._found:
            yield self._found

    def warnings(self) -> Iterable[str]:
        """Yield a line about blanks in a value that may be meant as several words."""
        if self._blank and not self._found:
            yield self._blank

    def _look_at_set(self, values: Values) -> None:
        for one in self._places:
            used = [name for name in one.pattern.names if _ANY.search(values[name])]
            if not used:
                continue
            try:
                text = one.pattern.fill(values)
            except ConfigError:  # told with its place by another check
                continue
            sign = _SPECIAL[one.quote].search(text)
            blank = None if one.quote else _BLANK.search(text)
            if sign or (blank and self._files.intersection(used)):
                self._found = self._mistake(one, used[0], values, (sign or blank)[0])  # type: ignore[index]
                return
            if (blank or (not text and not one.quote)) and not self._blank:
                self._blank = self._warning(one, used[0], values)

    def _mistake(self, one: _Place, name: str, values: Values, sign: str) -> ConfigError:
        around = f" within {one.quote}" if one.quote else ""
        what = (
            f"{one.pattern} is in a shell's text{around}, "
            f"and the shell would not take {_named(sign)} in {shown({name: values[name]})} as it is"
        )
        todo = f"Write {_quoted(one)}; `--anyway` runs all the same."
        return ConfigError(what, where=self._where, todo=todo)

    def _warning(self, one: _Place, name: str, values: Values) -> str:
        words = "several words" if values[name] else "no word at all"
        what = f"in a shell's text {one.pattern} is {words} where {shown({name: values[name]})}"
        return f"{self._where}: {what}; {_quoted(one)} makes it one"


def _named(sign: str) -> str:
    return {" ": "the blank", "\t": "the tab", "\n": "the line end"}.get(sign, f"the {sign}")


def _quoted(one: _Place) -> str:
    """Return how the expression is to be written."""
    code = str(one.pattern)[2:-2].strip()
    written = f"{{{{ {code} | quote }}}}"
    return f"{written} without the {one.quote} around it" if one.quote else written


def _places(segments: Sequence[Segment]) -> Iterator[_Place]:
    """Yield the expressions that a shell reads as words, unless they are quoted by themselves."""
    state = _State()
    for segment in segments:
        if not segment.code:
            state.read(segment.text)
            continue
        if segment.text.startswith("{{") and not state.begins and not _QUOTED.search(segment.text):
            yield _Place(Pattern([segment]), state.quote)
        state.begins = False


class _State:
    """The state of reading a shell's text: the quote that is open, and whether a command begins."""

    def __init__(self) -> None:
        self.quote = ""
        self.begins = True

    def read(self, text: str) -> None:
        """Go on behind this text."""
        characters = iter(text)
        for char in characters:
            if char == "\\" and self.quote != "'":
                next(characters, None)
                self.begins = False
            elif self.quote:
                self.quote = "" if char == self.quote else self.quote
            elif char in "'\"":
                self.quote = char
                self.begins = False
            elif char in _BEGINS:
                self.begins = True
            elif not char.isspace():
                self.begins = False
