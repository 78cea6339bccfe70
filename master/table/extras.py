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


def library(name: str, wanted: str) -> Any:
    """Return a library. Raises UsageError with the line that installs it; `wanted`: what needs it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] != name.partition(".")[0]:
            raise  # it is there, and lacks one of its own
        top = name.partition(".")[0]
        todo = f"pip install 'spe[{EXTRAS[top]}]'"
        raise UsageError(f"{wanted} needs {top}, which is not installed", todo=todo) from error
