"""Checks results, validate and collect in spe.yaml. The checks are as in values.py."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..model import Kind
from ..text import nearest
from .names import safe
from .values import WrongValue, did_you_mean, size, text, words, wrong

VALIDATORS = ("exit_zero", "non_empty", "one_line")
COLLECTORS = ("table", "concat", "concat_numbered", "blocks")
#: Parts of a client's report that are not results, so no result may have their names.
RESERVED_RESULTS = ("stderr", "exit-code", "usage")
#: What makes a path a pattern of several. `[` alone stands in real names of files: out[1].dat.
WILDCARD = re.compile(r"[*?]")

_HOOK = re.compile(r"[\w./-]+\.py:[^\W\d]\w*\Z")
_FILLED_IN = re.compile(r"\{[{%#].*?[}%#]\}", re.DOTALL)  # what is filled in for each set
_PLAIN_NAME = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_KINDS = "text, int, float, json, file, files or folder"
_RESULT = re.compile(r"\w[\w .+-]{0,99}\Z")


def result_name(value: Any) -> str:
    """Return the name of a result."""
    name = text(value)
    if name in RESERVED_RESULTS:
        raise WrongValue(
            f"a result can't be called {name}: the wire uses that name", "Give it another name."
        )
    # The name is a part of paths, too: `collect: [concat]` writes <result>.txt.
    if not _RESULT.match(name) or ".." in name or name != name.strip():
        raise WrongValue(
            f"{name!r} can't be the name of a result",
            "A name has letters, digits, spaces, . _ + - and no /.",
        )
    return name


def source(value: Any) -> str:
    """Return what a result is read from: stdout, or a path below the task's directory.

    It may be a pattern with parameters. Whether a folder or a `*` may stand there depends on the
    kind: see `sensible`.
    """
    name = text(value, "a file name").removeprefix("./")
    # Expressions count as one letter here: what they give is checked for each set.
    shape = _FILLED_IN.sub("x", name)
    if fault := safe(shape.removesuffix("/") if shape != "/" else shape):
        raise wrong(value, fault)
    if name == "stderr":
        raise wrong(
            value,
            "stdout or a file",
            todo="The end of stderr is kept with each attempt: `spe log`.",
        )
    # One spelling of a name, so that other blanks around it do not make another source of it.
    return _PLAIN_NAME.sub(r"{{ \1 }}", name)


def kind(value: Any) -> Kind:
    """Return the kind of a result."""
    word = text(value, _KINDS)
    if word not in list(Kind):
        near = nearest(word, list(Kind))
        raise wrong(value, _KINDS, todo=did_you_mean(near))
    return Kind(word)


def regex(value: Any) -> str:
    """Return a regular expression."""
    try:
        re.compile(text(value, "a regular expression"))
    except re.error as error:
        raise WrongValue(
            f"{value!r} is not a regular expression: {error}", "Quote it: regex: 'slope = (\\S+)'."
        ) from None
    return str(value)


def result(value: Any) -> Any:
    """Return the short forms `x: stdout` and `x: FILE` as mappings, and anything else as it is."""
    if isinstance(value, (list, tuple)):
        raise wrong(value, "stdout, a file, or {from: …, as: …}")
    if isinstance(value, str):
        if not value:
            raise wrong(value, "stdout, a file, or {from: …, as: …}")

        kind = "text" if value == "stdout" else "file"
        return {"from": value, "as": kind}
    return value


def sensible(
    source: str,
    kind: Kind,
    regex: str | None,
    path: str | None,
    low: float | None,
    high: float | None,
) -> None:
    """Raise WrongValue for keys of one result that exclude each other."""
    _sensible_source(source, kind)
    _sensible_place(kind, regex, path)
    _sensible_limits(kind, low, high)


def _sensible_source(source: str, kind: Kind) -> None:
    """Raise WrongValue for a `from` that can match nothing of this kind."""
    shape = _FILLED_IN.sub("x", source)
    if kind.is_tree and source == "stdout":
        raise WrongValue(
            f"as: {kind} reads files, and stdout is none", "Take as: file or text.", ("as",)
        )
    if kind is not Kind.FILES and WILDCARD.search(shape):
        what = f"as: {kind} reads one {'folder' if kind is Kind.FOLDER else 'file'}"
        todo = f'Write {{from: "{source}", as: files}} for all files that match.'
        raise WrongValue(f"{what}, and {source!r} is a pattern of several", todo, ("from",))
    if kind is not Kind.FOLDER and source.endswith("/"):
        # In one order with the check above, so that `frames/*/` is told to be a pattern.
        what = f"{source!r} is a folder, and as: {kind} reads "
        what += "files" if kind is Kind.FILES else "one file"
        todo = f'Write {{from: "{source}", as: folder}} for all that is in it, or name the file.'
        raise WrongValue(what, todo, ("from",))


def _sensible_place(kind: Kind, regex: str | None, path: str | None) -> None:
    """Raise WrongValue for a `regex` or `path` that finds nothing in such a result."""
    key = "regex" if regex else "path"
    # A file is stored as it is, and nothing in it is looked for.
    if kind.is_path and (regex or path):
        raise WrongValue(
            f"{key} and as: {kind} don't go together", "Take as: text, int, float or json.", (key,)
        )
    if regex and path:
        raise WrongValue("regex and path don't go together", "Keep one of them.", ("path",))


def _sensible_limits(kind: Kind, low: float | None, high: float | None) -> None:
    """Raise WrongValue for `min` and `max` of what is no number, or that no number meets."""
    given = [key for key, limit in (("min", low), ("max", high)) if limit is not None]
    if given and kind not in (Kind.INT, Kind.FLOAT):
        key = given[0]
        raise WrongValue(
            f"{key} is for numbers, this is {kind}", "Add as: float or as: int.", (key,)
        )
    if low is not None and high is not None and low > high:
        raise WrongValue("min is greater than max", "Exchange them.", ("min",))


def keep_failed(value: Any) -> int:
    """Return how many bytes of files are kept of a failed set; 0 for none."""
    if text(value).strip() == "0":
        return 0
    return size(value)


def keep_output(value: Any) -> bool:
    """Tell whether all of stdout and stderr is kept, not the last 64 kB alone."""
    wanted = "64 kB or all"
    if text(value, wanted).replace(" ", "").lower() not in ("64kb", "all"):
        raise wrong(value, wanted)
    return text(value).strip().lower() == "all"


def _listed(value: Any, known: Sequence[str], wanted: str) -> tuple[str, ...]:
    """Return names of ours and `FILE.py:FUNCTION` of the user's."""
    found = words(value)
    for position, entry in enumerate(found):
        if entry not in known and not _HOOK.match(entry):
            # One word alone has no line of its own below that of its key.
            at = (position,) if isinstance(value, (list, tuple)) else ()
            todo = did_you_mean(nearest(entry, known))
            raise wrong(entry, wanted, *at, todo=todo)
    return found


def validators(value: Any) -> tuple[str, ...]:
    """Return the validations."""
    return _listed(value, VALIDATORS, "exit_zero, non_empty, one_line or hooks.py:FUNCTION")


def collectors(value: Any) -> tuple[str, ...]:
    """Return what is made of the results."""
    return _listed(value, COLLECTORS, "table, concat, concat_numbered, blocks or hooks.py:FUNCTION")
