"""JSON that somebody sends: all that can be wrong with it is a ValueError."""

from __future__ import annotations

import json
from typing import Any


def read_json(text: bytes | str) -> Any:
    """Return the value of this JSON text.

    Raises ValueError for what is no JSON, or is nested too deep to be read.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
