"""--result NAME=FROM[:PATH][:AS] as an entry of `results:` in spe.yaml.

`--result energy=out.json:energy.total:float`, `--result n=stdout:int`, `--result trace.csv` (named
`trace`), or anything more as YAML: `--result 'slope={from: stdout, regex: "slope = (\\S+)"}'`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from ..errors import ConfigError, UsageError
from ..model import Kind
from ..text import nearest

_TODO = (
    "Write NAME=FROM, NAME=FROM:AS or NAME=FROM:PATH:AS, such as e=out.json:energy.total:float ."
)
# A name in front of `=`: else the `=` belongs to the path. The name itself is checked with the key.
_NAMED = re.compile(r"([^=/{}]+)=(.*)", re.DOTALL)


def result_key(text: str) -> tuple[str, Any]:
    """Return name and entry of one --result. Raises UsageError."""
    where = f"--result {text}"
    found = _NAMED.fullmatch(text)
    name, rest = (found[1].strip(), found[2].strip()) if found else ("", text.strip())
    if not rest:
        raise UsageError("a result has no source", where=where, todo=_TODO)
    if rest.startswith("{") and not rest.startswith("{{"):
        return _named(name, where), _from_yaml(rest, where)
    source, *more = _parts(rest)
    if not name:
        name = _named(PurePosixPath(source).name.split(".")[0] if "{{" not in source else "", where)
    return name, _entry(source, more, where)


def _named(name: str, where: str) -> str:
    if not name:
        raise UsageError("a result has no name", where=where, todo=_TODO)
    return name


def _parts(text: str) -> list[str]:
    """Return what stands between colons; one in an expression {{ … }} separates nothing."""
    return re.findall(r"(?:\{\{.*?\}\}|[^:])+", text) or [text]


def _entry(source: str, more: Sequence[str], where: str) -> Any:
    """Return the entry for a source with a path and a kind, each of which may be missing."""
    kinds = [one for one in more[-1:] if one in set(Kind)]
    paths = list(more[: len(more) - len(kinds)])
    if len(paths) > 1:
        known = ", ".join(Kind)
        what = f"{paths[-1]!r} is no kind of a result"
        raise UsageError(what, where=where, todo=f"There are {known}. {_TODO}")
    if not more:
        return source
    if paths and (meant := nearest(paths[0], Kind)):
        todo = f"Did you mean {meant}? A path of that name is written {{from: {source}, path: {paths[0]}}}."
        raise UsageError(f"{paths[0]!r} is no kind of a result", where=where, todo=todo)
    entry: dict[str, Any] = {"from": source}
    if paths:
        entry["path"] = paths[0]
    entry["as"] = kinds[0] if kinds else "text"
    return entry


def _from_yaml(text: str, where: str) -> Any:
    from ..config.yaml_file import parse  # late: it loads PyYAML

    try:
        return plain(parse(f"x: {text}", where).data["x"])
    except ConfigError as error:
        what = f"not readable as YAML: {error.what}".replace("not readable as YAML: not", "not")
        raise UsageError(
            what, where=where, todo="Write it like 'NAME={from: stdout, as: float}'."
        ) from error


def plain(value: Any) -> Any:
    """Return data of a YAML text as data that JSON can hold."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return str(value)
