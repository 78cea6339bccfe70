"""Results, validate and collect in spe.yaml. Of the same make as keys.py."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from ..model import Kind
from .names import file_path
from .values import Wanted, text, words, wrong

VALIDATORS = ("exit_zero", "non_empty", "one_line")
COLLECTORS = ("table", "concat", "concat_numbered", "blocks")
#: Parts of a POST that are not results, and so can't be names of results.
RESERVED_RESULTS = ("stderr", "exit-code", "usage")

_HOOK = re.compile(r"[\w./-]+\.py:[^\W\d]\w*\Z")
_RESULT = re.compile(r"\w[\w .+-]{0,99}\Z")


def result_name(value: Any) -> str:
    name = text(value)
    if name in RESERVED_RESULTS:
        raise Wanted(f"a result can't be called {name}: the wire uses that name", "Give it another name.")
    if not _RESULT.match(name) or ".." in name or name != name.strip():
        raise Wanted(f"{name!r} can't be the name of a result", "A name has letters, digits, spaces, . _ + - and no /.")
    return name


def source(value: Any) -> str:
    name = file_path(value)
    if name == "stderr":
        raise wrong(value, "stdout or a file", todo="The end of stderr is kept with each attempt: `spe log`.")
    return name


def kind(value: Any) -> Kind:
    word = text(value, "text, int, float, json or file")
    if word not in list(Kind):
        near = difflib.get_close_matches(word, list(Kind), 1)
        raise wrong(value, "text, int, float, json or file", todo=f"Did you mean {near[0]}?" if near else "")
    return Kind(word)


def regex(value: Any) -> str:
    try:
        re.compile(text(value, "a regular expression"))
    except re.error as error:
        raise Wanted(f"{value!r} is not a regular expression: {error}", "Quote it: regex: 'slope = (\\S+)'.") from None
    return str(value)


def result(value: Any) -> Any:
    """`x: stdout` and `x: FILE` as their long forms."""
    if isinstance(value, (list, tuple)):
        raise wrong(value, "stdout, a file, or {from: …, as: …}")
    if isinstance(value, str):
        if not value:
            raise wrong(value, "stdout, a file, or {from: …, as: …}")
        return {"from": value, "as": "text" if value == "stdout" else "file"}
    return value


def sensible(kind: Kind, regex: str | None, path: str | None, low: float | None, high: float | None) -> None:
    """What the keys of a result mean together."""
    if kind is Kind.FILE and (regex or path):
        key = "regex" if regex else "path"
        raise Wanted(f"{key} and as: file don't go together", "Take as: text, int, float or json.", (key,))
    if regex and path:
        raise Wanted("regex and path don't go together", "Keep one of them.", ("path",))
    if kind not in (Kind.INT, Kind.FLOAT) and (low is not None or high is not None):
        key = "min" if low is not None else "max"
        raise Wanted(f"{key} is for numbers, this is {kind}", "Add as: float or as: int.", (key,))
    if low is not None and high is not None and low > high:
        raise Wanted("min is greater than max", "Exchange them.", ("min",))


def keep_output(value: Any) -> bool:
    """Whether all of stdout and stderr is kept, not the last 64 kB alone."""
    wanted = "64 kB or all"
    if text(value, wanted).replace(" ", "").lower() not in ("64kb", "all"):
        raise wrong(value, wanted)
    return text(value).strip().lower() == "all"


def _listed(value: Any, known: Sequence[str], wanted: str) -> tuple[str, ...]:
    for position, entry in enumerate(found := words(value)):
        if entry not in known and not _HOOK.match(entry):
            near = difflib.get_close_matches(entry, known, 1)
            todo = f"Did you mean {near[0]}?" if near else ""
            at = (position,) if isinstance(value, (list, tuple)) else ()
            raise wrong(entry, wanted, *at, todo=todo)
    return found


def validators(value: Any) -> tuple[str, ...]:
    return _listed(value, VALIDATORS, "exit_zero, non_empty, one_line or hooks.py:FUNCTION")


def collectors(value: Any) -> tuple[str, ...]:
    return _listed(value, COLLECTORS, "table, concat, concat_numbered, blocks or hooks.py:FUNCTION")
