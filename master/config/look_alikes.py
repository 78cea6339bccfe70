"""Single values that look like several: a range, a list or a glob of another tool.

Pure. `-p x=1..10` would be one set with the text `1..10`, which nobody finds before the sweep has
run. So such a value is refused where it stands alone and without quotes, and the message shows the
form that is meant. Quotes make it the text that it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..record import record

_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
# `1..10`, `1..10..2`, `1:10:`, `1:10:2:4`; what is a range already never comes here.
_DOTS = re.compile(rf"({_NUMBER})\.{{2,3}}({_NUMBER})(?:\.{{2,3}}({_NUMBER}))?")
_COLONS = re.compile(rf"({_NUMBER}):({_NUMBER})(?::({_NUMBER}))?(?::|(?::{_NUMBER})+)?")
_DASH = re.compile(r"([0-9]+)-([0-9]+)()")
_CALL = re.compile(r"(?:range|arange|seq|linspace|logspace|geomspace|log)\s*[\[(].*,.*[\])]")
_BRACKETS = re.compile(r"\[(.*)\]|\((.*)\)|\{(.*)\}")
_WORD = r"[\w.+/-]+"
_SIGNS = re.compile(rf"{_WORD}(?:\s*([;|])\s*{_WORD})(?:\s*\1\s*{_WORD})*")
_BLANKS = re.compile(rf"{_NUMBER}(?:\s+{_NUMBER})+")
# A star that belongs to a file name: at an end of a part of a path, or before a suffix. Not `2*y`.
_STAR = re.compile(r"(?:\S*/)?(?:\*[^\s*]\S*|[^\s*]*\*|\*|\S*\*\S*(?:/\S*|\.[A-Za-z]\w*))")
_ONE_SIGN = re.compile(r"[^\s:]*(?:\?|\[[^\]\s]+\])[^\s:]*\.[A-Za-z]\w*")
_FILE_OF_VALUES = re.compile(r"@(-|[\w./~-]+)")
_LONGEST = 200  # characters; a longer value is no list that was typed


@record
class LookAlike:
    """The form of a value: kind `range`, `list`, `glob` or `file`, and its parts if known."""

    kind: str
    parts: tuple[str, ...] = ()

    @property
    def noun(self) -> str:
        """Return the words for messages."""
        nouns = {"glob": "a pattern of file names", "file": "a file with values"}
        return nouns.get(self.kind, f"a {self.kind}")


def look_alike(text: str) -> LookAlike | None:
    """Return what this value, which stands alone and without quotes, looks like; else None."""
    if len(text) > _LONGEST or "\n" in text:
        return None
    return _range(text) or _list(text) or _files(text)


def is_several(text: str) -> bool:
    """Return whether the whole of several values looks like one list in brackets: `[1,2,3]`."""
    return bool(_CALL.fullmatch(text) or (_BRACKETS.fullmatch(text) and '"' not in text))


def _range(text: str) -> LookAlike | None:
    inner = _inside(text)
    for pattern in (_DOTS, _COLONS, _DASH):
        if found := pattern.fullmatch(inner if pattern is not _DASH else text):
            return LookAlike("range", tuple(filter(None, found.groups())))
    return LookAlike("range") if _CALL.fullmatch(text) else None


def _list(text: str) -> LookAlike | None:
    if '"' in text or "'" in text:
        return None
    inner = _inside(text)
    if inner is not text and "," in inner:
        return LookAlike("list", tuple(part.strip() for part in inner.split(",")))
    if found := _SIGNS.fullmatch(inner):
        return LookAlike("list", tuple(part.strip() for part in inner.split(found[1])))
    if _BLANKS.fullmatch(inner):
        return LookAlike("list", tuple(inner.split()))
    return None


def _files(text: str) -> LookAlike | None:
    if found := _FILE_OF_VALUES.fullmatch(text):
        return LookAlike("file", (found[1],))
    if text.startswith("glob:") or _STAR.fullmatch(text):
        return LookAlike("glob")
    if _ONE_SIGN.fullmatch(text):
        return LookAlike("glob")
    return None


def _inside(text: str) -> str:
    """Return what stands in the brackets around the whole text; the text itself without them."""
    found = _BRACKETS.fullmatch(text)
    if found is None:
        return text
    return next(group for group in found.groups() if group is not None)


def right_option(name: str, found: LookAlike, text: str) -> str:
    """Return how a -p option is written that means what this value looks like."""
    as_text = f"as this one text: -p '{name}=\"{text}\"'"
    if found.kind == "file":
        file = "as a parameter file" if found.parts == ("-",) else _file_of(found)
        return f"Write the values with commas, or {file} ({as_text})."
    if found.kind == "glob":
        return f"Name the files one by one: -p {name}=one,two ({as_text})."
    return f"Write -p {name}={_option_values(found)} ({as_text})."


def _file_of(found: LookAlike) -> str:
    return f"in a spe.yaml with `parameters: {found.parts[0]}`, a parameter file"


def _option_values(found: LookAlike) -> str:
    if found.kind == "list":
        return ",".join(found.parts)
    return ":".join(found.parts or ("1", "10"))


def right_yaml(found: LookAlike | None, text: str) -> str:
    """Return how a grid in spe.yaml is written that means what this value looks like."""
    if found is None:
        return f"Write a list: [{text}]."
    as_text = f'as this one text, in quotes: ["{text}"]'
    if found.kind == "file":
        return f"Name the parameter file under rows:, or {as_text}."
    if found.kind == "glob":
        return f"Write a list and name the files one by one, or {as_text}."
    if found.kind == "list":
        return f"Write [{_joined(found.parts)}], or {as_text}."
    return f"Write {{range: [{_joined(found.parts or ('1', '10'))}]}}, or {as_text}."


def _joined(parts: Sequence[str]) -> str:
    return ", ".join(parts)
