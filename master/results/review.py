"""Compare a stored set with the `results` of today: what of it is right, and what is to be judged."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field

from ..model import Output, ResultSpec, TaskState
from ..record import record
from .extraction import STDOUT, Evidence, StoredSet


@record
class Review:
    """A set on its way from one `results` to another: what is right as it is, and what is not."""

    stored: StoredSet
    then: tuple[ResultSpec, ...]
    now: tuple[ResultSpec, ...]
    spec: int  # row of `specs` of `now`
    evidence: Mapping[str, Evidence]
    stays: frozenset[str] = field(default_factory=frozenset)  # results whose outputs are right

    @property
    def due(self) -> dict[str, Evidence]:
        """Evidence for the results that must be made anew, as far as it is stored."""
        return {
            spec.name: self.evidence[spec.origin]
            for spec in self.now
            if spec.name not in self.stays and spec.origin in self.evidence
        }

    @property
    def is_waiting(self) -> bool:
        """True when the set is to run again, so that a new result may arrive at any moment."""
        return self.stored.state is TaskState.WAITING


def review(
    stored: StoredSet,
    then: Sequence[ResultSpec],
    now: Sequence[ResultSpec],
    spec: int,
    missing: Collection[Evidence] = (),
) -> Review:
    """Return what is to be judged of a set.

    `then`: results that made its outputs. `now`: those of today, `spec` is their row. `missing`:
    evidence whose files are not there any more.
    """
    found = evidence(stored, then)
    there = {source: one for source, one in found.items() if one not in missing}
    before = {one.name: one for one in then}
    lost = {_place(one.file, one.raw) for one in missing}
    stays = frozenset(
        one.name
        for one in now
        if before.get(one.name, one) == one and _is_right(stored, one.name, lost)
    )
    return Review(stored, tuple(then), tuple(now), spec, there, stays)


def _is_right(stored: StoredSet, name: str, lost: set[tuple[str | None, bytes | None]]) -> bool:
    """Return whether a result has an output whose files are there, whatever their names are.

    Rows of earlier versions keep the names that those versions gave.
    """
    output = stored.outputs.get(name)
    if output is None:
        return False
    return output.file is None or _place(output.file, output.raw) not in lost


def _place(file: str | None, raw: bytes | None) -> tuple[str | None, bytes | None]:
    """Return what tells two kept things apart: two trees may have one folder."""
    return file, raw if file is not None else None


def evidence(stored: StoredSet, then: Sequence[ResultSpec]) -> dict[str, Evidence]:
    """Return all that is stored of a set, by its source. `then`: results that made its outputs."""
    found = dict(stored.kept)
    for spec, output in _made_outputs(stored, then):
        if spec.origin not in found:
            found[spec.origin] = _of_output(spec.origin, output)
    if STDOUT not in found and stored.stdout is not None:
        found[STDOUT] = Evidence(STDOUT, stored.stdout, None, len(stored.stdout))
    return found


def _made_outputs(
    stored: StoredSet, then: Sequence[ResultSpec]
) -> Iterator[tuple[ResultSpec, Output]]:
    for spec in then:
        if spec.name in stored.outputs:
            yield spec, stored.outputs[spec.name]


def _of_output(source: str, output: Output) -> Evidence:
    if output.file is not None:
        return Evidence(source, output.raw, output.file, output.size)
    raw = output.raw
    if raw is None:  # not stored twice: the bytes are the value and a newline
        raw = output.value.encode() + b"\n"
    return Evidence(source, raw, None, len(raw))
