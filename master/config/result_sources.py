"""The results of a sweep for one set: `from` may have parameters, which are filled in here.

Results as spe.yaml has them say what is kept (their source names it, whatever the set). Filled ones
say which file that is for one set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ..errors import ConfigError
from ..model import Kind, ResultSpec
from .names import safe
from .results import WILDCARD

Values = Mapping[str, str]
_MAGIC = re.compile(r"[*?\[]")


class Filled(Protocol):
    """A pattern of text with parameters; sweep/pattern.py has it."""

    @property
    def names(self) -> frozenset[str]:
        """The names that it uses."""

    @property
    def fill(self) -> Callable[[Values], str]:
        """Return its text for some values."""


class ResultSources:
    """The results of a sweep, to be filled with the values of a set. Lives as long as the sweep."""

    def __init__(self, specs: Sequence[ResultSpec], patterns: Mapping[str, Filled]) -> None:
        """`patterns`: of the results whose `from` has parameters, by their names."""
        self.specs = tuple(specs)
        self.patterns = dict(patterns)

    def of(self, values: Values) -> tuple[ResultSpec, ...]:
        """Return the results of one set. Raises KeyError for values of another sweep."""
        if not self.patterns:
            return self.specs  # most sweeps have no parameter here, and this runs for each task
        return tuple(self._filled(spec, values) for spec in self.specs)

    def _filled(self, spec: ResultSpec, values: Values) -> ResultSpec:
        pattern = self.patterns.get(spec.name)
        if pattern is None:
            return spec
        if spec.kind is Kind.FILES:
            # A `*` in a value is a letter of a file's name and no wildcard.
            values = {name: _MAGIC.sub(r"[\g<0>]", value) for name, value in values.items()}
        return replace(spec, source=pattern.fill(values).removeprefix("./"))

    def faults(self, values: Values) -> Iterator[tuple[str, ConfigError]]:
        """Yield (result, error without a place) for each source that is no path for these values."""
        for name in self.patterns:
            spec = next(one for one in self.specs if one.name == name)
            # Not the filled spec: the letters that mask a `*` would be shown to people.
            source = self.patterns[name].fill(values).removeprefix("./")
            if fault := _fault(spec, source):
                what = f"`from` is {source!r} for this set, and must be {fault}"
                yield name, ConfigError(what, todo="Mend the pattern, or the value.")


def _fault(spec: ResultSpec, source: str) -> str:
    """Return what is wanted in place of such a source; "" if it is good."""
    if source in ("stdout", "stderr"):
        return "a path: these two are no files"
    if spec.kind not in (Kind.FILES, Kind.FOLDER) and WILDCARD.search(source):
        return "the name of one file, without * and ?"
    return safe(source)
