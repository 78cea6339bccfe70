"""JSON merge patches (RFC 7396): what makes one document the next. Pure.

A patch names only what changed; null in it means "gone". So no document has a null in it: what is unknown is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]


def diff(old: Document, new: Document) -> dict[str, Any]:
    """The patch that makes `new` of `old`; empty when they are equal."""
    patch: dict[str, Any] = dict.fromkeys(old.keys() - new.keys())
    for key, value in new.items():
        known = old.get(key)
        if known is value or (known == value and type(known) is type(value)):
            continue
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            patch[key] = diff(known, value)
        else:
            patch[key] = value
    return patch


def apply(document: Document, patch: Document) -> dict[str, Any]:
    """The document that this patch makes of that one, which stays as it is."""
    made = dict(document)
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        elif isinstance(value, Mapping):
            known = made.get(key)
            made[key] = apply(known if isinstance(known, Mapping) else {}, value)
        else:
            made[key] = value
    return made
