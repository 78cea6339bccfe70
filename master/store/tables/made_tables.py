"""What the tables beside sweep.db were made of, so that nobody makes or reads them in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import stored

if TYPE_CHECKING:
    from ..reader import Reader

#: meta: what the tables beside the database were made of, as a JSON list: what `rows_key` returns, the columns, the
#: files with their stamps.
TABLES = "tables"


def rows_key(reader: Reader) -> list[Any]:
    """Return what tells whether rows have changed, as JSON holds it.

    A set changes by a ticket, which is new then, or into another state, or because it was extracted
    again, which is counted.
    """
    counts = sorted([str(state), sets] for state, sets in reader.counts().items())
    return [reader.plan, reader.last_ticket(), counts, reader.meta(stored.COUNT)]
