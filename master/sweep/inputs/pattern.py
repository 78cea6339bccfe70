"""One input of spe.yaml: its name, and its text or its path, as patterns."""

from __future__ import annotations

from ...record import record
from ..pattern import Pattern


@record
class InputPattern:
    """A pattern of one input: its text, or the path of the file that has its bytes."""

    name: str
    pattern: Pattern
    is_file: bool
