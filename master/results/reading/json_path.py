"""Values in a JSON document, found by a dotted path and spelled as they came. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from ...model import ResultSpec
from .refusal import Refused, shown

_INDEX = re.compile(r"-?[0-9]{1,9}")
_BOM = "\ufeff"
# Texts stay as they are, blanks between them go. Possessive: no memory for ways back.
_SPACE = re.compile(r'("[^"\\]*+(?:\\.[^"\\]*+)*+")|[ \t\r\n]+')
_MOST_KEYS = 10  # named in a refusal


class JsonValue(str):
    """JSON that was found at a path: whatever the kind of the result, it must not be cut."""


class _Token(str):
    """A number of a JSON text, spelled as it came."""


def compact(text: str, spec: ResultSpec) -> str:
    """Return the whole text as compact JSON. Raises Refused when it is not JSON.

    Blanks are removed from the text itself: parsing and dumping would spell numbers anew.
    """
    _parse(text, spec)
    return _SPACE.sub(lambda match: match[1] or "", text.removeprefix(_BOM))


def value_at(text: str, spec: ResultSpec) -> str:
    """Return the value at the dotted path of `spec`: strings as their text, all else as JSON.

    Raises Refused when the text is not JSON or has no such value.
    """
    value = _follow(_parse(text, spec), spec)
    try:
        if isinstance(value, dict | list):
            # Parsed again, as only now numbers must be told from strings, which takes longer.
            value = _follow(_parse(text, spec, _Token), spec)
            return JsonValue(whole_characters(_dump(value)))
        return whole_characters(value if isinstance(value, str) else _dump(value))
    except RecursionError:
        what = f"the value at {spec.path} in {spec.source} is nested too deep"
        raise Refused(what) from None


def _parse(text: str, spec: ResultSpec, number: type[str] = str) -> Any:
    """Return the document. Its numbers stay texts: Python reads no integer of 5000 digits."""
    try:
        return json.loads(
            text.removeprefix(_BOM),
            parse_int=number,
            parse_float=number,
            parse_constant=number,
        )
    except RecursionError:
        raise Refused(f"{spec.source} is nested too deep to be read as JSON") from None
    except ValueError as fault:
        raise Refused(f"{spec.source} is not JSON: {fault}") from None


def _follow(value: Any, spec: ResultSpec) -> Any:
    for step in (spec.path or "").split("."):
        value = _step(value, step, spec)
    return value


def _step(value: Any, step: str, spec: ResultSpec) -> Any:
    missing = f"no {step!r} of {spec.path} in {spec.source}"
    if isinstance(value, dict):
        return _member(value, step, missing)
    if isinstance(value, list):
        return _item(value, step, missing)
    raise Refused(f"{missing}: there is a single value")


def _member(value: dict[str, Any], step: str, missing: str) -> Any:
    if step in value:
        return value[step]
    there = ", ".join(list(value)[:_MOST_KEYS]) or "nothing"
    raise Refused(f"{missing}, there is: {shown(there)}")


def _item(value: list[Any], step: str, missing: str) -> Any:
    # Negative ones count from the end, as the last element of a history is often the result.
    if _INDEX.fullmatch(step) and -len(value) <= int(step) < len(value):
        return value[int(step)]
    raise Refused(f"{missing}: there is a list of {len(value)}")


def _dump(value: Any) -> str:
    """Return compact JSON that spells numbers as they came, which json.dumps cannot."""
    if isinstance(value, _Token):
        return value
    if isinstance(value, dict):
        pairs = (f"{_dump(key)}:{_dump(item)}" for key, item in value.items())
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_dump, value))}]"
    return json.dumps(value, ensure_ascii=False)


def whole_characters(text: str) -> str:
    r"""Return the text with U+FFFD for half characters: JSON may spell one (\ud800), no store takes it."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
