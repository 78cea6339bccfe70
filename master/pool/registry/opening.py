"""Opens the registry, or says which library is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...table.extras import library

if TYPE_CHECKING:
    from .registry import Registry


def open_registry(url: str = "") -> Registry:
    """Open the registry and take its lead; `url`: as for SQLAlchemy, "" for a file of this account.

    Raises SpeError: what is missing, who leads already, or why the database cannot be used.
    """
    library("sqlalchemy", "the farm")
    # Not at the top: SQLAlchemy takes 0.14 s, and comes with an extra.
    from .registry import Registry

    return Registry(url)
