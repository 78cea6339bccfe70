"""JSON merge patches (RFC 7396), by which one document is made into the next.

A patch names only what changed, and null in it means "gone". So no document has a null in it: what
is unknown is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]


def diff(old: Document, new: Document) -> dict[str, Any]:
    """Return the patch that makes `new` of `old`; empty when they are equal."""
    patch: dict[str, Any] = dict.fromkeys(old.keys() - new.keys())  # None: the key is gone
    for key, value in new.items():
        known = old.get(key)
        if _both(Mapping, known, value):
            inner = diff(known or {}, value)
            # An empty patch would be no change, and each change wakes every reader of the stream
            if inner:
                patch[key] = inner
        elif not _same(known, value):
            patch[key] = value
    return patch


def _same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same in JSON: 0 is not false, also within a list."""
    if _both(list, one, other):
        return len(one) == len(other) and all(map(_same, one, other))
    if _both(Mapping, one, other):
        return not diff(one, other) and not diff(other, one)
    # Python says that 1 == 1.0 == True. JSON writes three different texts for them.
    return type(one) is type(other) and bool(one == other)


def _both(kind: type, one: Any, other: Any) -> bool:
    return isinstance(one, kind) and isinstance(other, kind)


def apply(document: Document, patch: Document) -> dict[str, Any]:
    """Return the document that this patch makes of `document`, which stays as it is."""
    made = dict(document)
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        elif isinstance(value, Mapping):
            known = made.get(key)
            # As RFC 7396 says: what is no object is replaced by one
            if not isinstance(known, Mapping):
                known = {}
            made[key] = apply(known, value)
        else:
            made[key] = value
    return made
