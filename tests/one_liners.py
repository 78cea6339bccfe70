"""One-liners for tests, as `spe run` makes them of its words and options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spe.line.one_liner import OneLiner
from spe.line.parameters import ParameterOptions, parameter_keys


def one_liner(words: Sequence[str], parameters: Sequence[str] = (), **keys: Any) -> OneLiner:
    """Return the one-liner of a command with these -p options and other keys of spe.yaml."""
    found, options = parameter_keys(ParameterOptions(tuple(parameters)))
    return OneLiner(tuple(words), {**found, **keys}, options)
