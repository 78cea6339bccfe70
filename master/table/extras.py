"""Libraries that a plain installation does not have, and the line that installs each."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import UsageError

#: Library -> the extra of ours that brings it.
EXTRAS = {
    "apprise": "notify",
    "cairosvg": "image",
    "pandas": "pandas",
    "plotext": "plot",
    "plotly": "plot",
    "polars": "polars",
    "psycopg": "postgresql",
    "pyarrow": "arrow",
    "pymysql": "mysql",
    "rocrate": "crate",
    "sqlalchemy": "farm",
    "xlsxwriter": "xlsx",
}


#: Extra -> its libraries, where it has several that one thing needs.
_TOGETHER = {"pandas": ("pandas", "pyarrow"), "polars": ("polars", "pyarrow")}


def library(name: str, wanted: str, extra: str = "") -> Any:
    """Return a library. Raises UsageError with the line that installs it; `wanted`: what needs it.

    `extra`: the extra that the line names, where it is another one than that of the library.
    """
    top = name.partition(".")[0]
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] != top:
            raise  # it is there, and lacks one of its own
        todo = f"pip install 'spe[{extra or EXTRAS[top]}]'"
        raise UsageError(f"{wanted} needs {top}, which is not installed", todo=todo) from error


def check_extra(extra: str, wanted: str) -> None:
    """Raise UsageError where a library of an extra is missing: one line brings all of them."""
    for name in _TOGETHER[extra]:
        library(name, wanted, extra)
