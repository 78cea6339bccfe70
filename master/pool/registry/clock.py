"""The time by the database's own clock, as an SQL expression: seconds since 1970.

Two hosts that want to lead may have clocks that differ, so neither's clock is asked. There is no
portable expression for this with fractions of seconds, so it is the one that each kind of database
has its own text for. CURRENT_TIMESTAMP is none: it is a text in SQLite, and local time in MariaDB,
which jumps by an hour twice a year.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Double
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement


class Now(ColumnElement[float]):
    """Seconds since 1970, when the statement is executed."""

    type = Double()
    inherit_cache = True


@compiles(Now, "sqlite")
def _sqlite(element: Now, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(Now, "postgresql")
def _postgresql(element: Now, compiler: Any, **options: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


@compiles(Now, "mysql", "mariadb")
def _mysql(element: Now, compiler: Any, **options: Any) -> str:
    # 0e0 makes a double of it; a decimal would come back as another type.
    return "(timestampdiff(MICROSECOND, '1970-01-01', utc_timestamp(6)) / 1000000.0 + 0e0)"
