"""A sweep without a file: the words of its command, and the keys of spe.yaml that its options stand
for.

Both are kept with the sweep, so that `spe run` without words goes on with it. Values that were read
from a file or from standard input are kept as they were read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from ..record import record
from .parameters import ParameterOptions, parameter_keys

Place = tuple[str | int, ...]  # path of a key of spe.yaml


@record
class OneLiner:
    """The words of a command and the keys of spe.yaml beside `command`, as data that JSON can hold.

    `options`: the option that gave a key, as it was typed; for messages, and not kept.
    """

    words: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[Place, str] = field(default_factory=dict)

    def as_json(self) -> str:
        """Return the text that is kept with the sweep."""
        return json.dumps({"words": self.words, "settings": self.settings})


def from_json(text: str | None) -> OneLiner | None:
    """Return the one-liner that a sweep has kept; None for a sweep of a file."""
    kept = json.loads(text or "null")
    if isinstance(kept, list):  # before 0.3: the words, and the -p options as they were typed
        words, given = kept
        settings, _ = parameter_keys(ParameterOptions(values=tuple(given)))
        return OneLiner(tuple(words), settings)
    if kept is None:
        return None
    return OneLiner(tuple(kept["words"]), kept["settings"])
