"""What the stored bytes of an attempt are worth under the `results` of today, set by set.

A set whose outputs were made by another `results` is reviewed at again: from its evidence (all bytes that are stored of
what its program wrote, by their source) come new outputs, what stays kept for a later `results`, and whether a cell
stays empty because its bytes were not stored. Pure: extract_again.py reads, judges, moves the files and writes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from urllib.parse import quote

from ..model import Kind, Output, ResultSpec, TaskState
from ..record import record
from .judge import Judgement, file_names

STDOUT = "stdout"
NONE = 0  # in place of a row of `specs`: the set has no outputs, all its evidence is kept
LONGEST = 200  # bytes of a file's name
NOT_JUDGED = "its result is stored, and no validate hook has judged it: `spe collect`"


@record
class Evidence:
    """All bytes that a program wrote to one source; in `raw`, or in `file` below runs/<name>/."""

    source: str  # stdout, stderr, or a file in the task's directory
    raw: bytes | None
    file: str | None
    size: int


@record
class StoredSet:
    """A set with a result, as it stands in the store."""

    number: int
    state: TaskState
    ticket: int
    accepted: bool  # False: a hook could not judge the result, and the set counts as failed
    spec: int | None  # row of `specs` that its outputs were made by; None: before there were such rows
    reason: str | None
    outputs: Mapping[str, Output]
    kept: Mapping[str, Evidence]
    stdout: bytes | None  # as it is kept with the attempt; None: not stored, or cut
    has_gap: bool = False


@record
class Move:
    """Before the commit, `file` (or `raw`) is to lie under `target` too; both below runs/<name>/."""

    target: str
    file: str | None
    raw: bytes | None


@record
class Renewal:
    """What becomes of one set: its rows afterwards, and what is to be done to its files before and after the commit."""

    before: StoredSet
    state: TaskState
    ticket: int | None
    reason: str | None
    spec: int
    outputs: tuple[Output, ...] = ()  # that are new; others of the same names are replaced
    gone: tuple[str, ...] = ()  # names of outputs that go
    kept: tuple[Evidence, ...] = ()  # all that is kept afterwards
    gap: bool = False
    moves: tuple[Move, ...] = ()
    rubbish: tuple[str, ...] = ()  # files that nothing refers to once this is committed
    halfway: bool = False  # all evidence is out of the way now; the set is to be reviewed at once more

    @property
    def is_adoption(self) -> bool:
        """Whether nothing changes but the note by which `results` the outputs were made."""
        return not (self.outputs or self.gone or self.moves or self.gap or self.before.has_gap or self.rubbish) and (
            self.state is self.before.state and self.ticket == self.before.ticket and self.reason == self.before.reason
            and {one.source: one for one in self.kept} == dict(self.before.kept)
        )  # fmt: skip


def canonical(specs: Sequence[ResultSpec]) -> str:
    """The `results` of spe.yaml as they stand in the store: equal texts extract the same."""
    return json.dumps([_plain(spec) for spec in sorted(specs, key=lambda one: one.name)], ensure_ascii=False)


def _plain(spec: ResultSpec) -> dict[str, object]:
    found: dict[str, object] = {"name": spec.name, "from": spec.source, "as": spec.kind.value}
    more = {"regex": spec.regex, "path": spec.path, "min": spec.minimum, "max": spec.maximum}
    return found | {key: value for key, value in more.items() if value is not None}


def parsed(text: str) -> tuple[ResultSpec, ...]:
    """What `canonical` was given."""
    return tuple(
        ResultSpec(
            one["name"], one["from"], Kind(one["as"]), one.get("regex"), one.get("path"), one.get("min"), one.get("max")
        )
        for one in json.loads(text)
    )


def kept_file(number: int, source: str) -> str:
    """Where a source lies that no result is made of: no result has a name that begins with a dot."""
    name = quote(source, safe=" ")
    if len(name) > LONGEST:
        name = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()
    return f"files/{number}/.kept/{name}"


def evidence(stored: StoredSet, then: Sequence[ResultSpec]) -> dict[str, Evidence]:
    """All that is stored of a set, by its source. `then`: the results that its outputs were made by."""
    found = dict(stored.kept)
    for spec in then:
        output = stored.outputs.get(spec.name)
        if output is not None and spec.source not in found:
            found[spec.source] = _of_output(spec.source, output)
    if STDOUT not in found and stored.stdout is not None:
        found[STDOUT] = Evidence(STDOUT, stored.stdout, None, len(stored.stdout))
    return found


def _of_output(source: str, output: Output) -> Evidence:
    if output.file is not None:
        return Evidence(source, None, output.file, output.size)
    raw = output.value.encode() + b"\n" if output.raw is None else output.raw
    return Evidence(source, raw, None, len(raw))


@record
class Review:
    """One set on its way from one `results` to another."""

    stored: StoredSet
    then: tuple[ResultSpec, ...]
    now: tuple[ResultSpec, ...]
    spec: int  # row of `specs` of `now`
    evidence: Mapping[str, Evidence]
    stays: frozenset[str] = field(default_factory=frozenset)  # results whose outputs are right as they are

    @property
    def due(self) -> dict[str, Evidence]:
        """What the other results are to be made of, as far as it is stored."""
        return {
            spec.name: self.evidence[spec.source]
            for spec in self.now
            if spec.name not in self.stays and spec.source in self.evidence
        }


def review(
    stored: StoredSet, then: Sequence[ResultSpec], now: Sequence[ResultSpec], spec: int, missing: Sequence[str] = ()
) -> Review:
    """What is to be judged of a set. `missing`: files of its evidence that are not there any more."""
    found = {source: one for source, one in evidence(stored, then).items() if one.file not in missing}
    before, names = {one.name: one for one in then}, file_names(now)
    stays = set()
    for one in now:
        output = stored.outputs.get(one.name)
        if output is None or before.get(one.name, one) != one or output.file in missing:
            continue
        if output.file is None or output.file == f"files/{stored.number}/{names[one.name]}":
            stays.add(one.name)
    return Review(stored, tuple(then), tuple(now), spec, found, frozenset(stays))


def renewal(reviewed: Review, judgement: Judgement) -> Renewal:
    """What becomes of a set, given the judgement about what was due of it."""
    stored = reviewed.stored
    if judgement.reason is not None:
        return _refused(reviewed, judgement)
    outputs = {output.name: output for output in judgement.outputs}
    if stored.state is TaskState.WAITING:  # it may be out on a host, whose result has its files' names
        outputs = {name: _apart(one, reviewed.due[name], stored.number) for name, one in outputs.items()}
    sources = {spec.name: spec.source for spec in reviewed.now}
    used = {sources[name] for name in (*outputs, *reviewed.stays)}
    moves = [
        Move(one.file, reviewed.due[one.name].file, reviewed.due[one.name].raw)
        for one in outputs.values()
        if one.file and one.file != reviewed.due[one.name].file
    ]
    if {move.target for move in moves} & {one.file for one in reviewed.evidence.values()}:
        return _all_kept(reviewed, stored.state, stored.reason, NONE, halfway=True)
    kept, more = _kept(reviewed, used)
    state, reason = _good(stored)
    gone = _gone(reviewed, {move.target for move in moves}, {*outputs, *reviewed.stays})
    files = {one.file for one in outputs.values()} | {one.file for one in kept}
    files |= {stored.outputs[name].file for name in reviewed.stays}
    gap = any(spec.name not in outputs and spec.name not in reviewed.stays for spec in reviewed.now)
    return Renewal(
        stored, state, stored.ticket, reason, reviewed.spec, tuple(outputs.values()), gone, kept, gap,
        (*moves, *more), _rubbish(reviewed, files),
    )  # fmt: skip


def _apart(output: Output, due: Evidence, number: int) -> Output:
    """The output with its file where it lies already, or where no result lies that comes meanwhile."""
    if not output.file or output.file == due.file:
        return output
    place = due.file or kept_file(number, due.source)
    return replace(output, value=output.value.replace(output.file, place), file=place)


def _good(stored: StoredSet) -> tuple[TaskState, str | None]:
    """A set that a `results` of before refused is done again; one that a hook could not judge still waits for that."""
    if stored.state is not TaskState.FAILED:
        return stored.state, stored.reason
    if stored.accepted:
        return TaskState.DONE, None
    return TaskState.FAILED, stored.reason if stored.outputs else NOT_JUDGED


def _refused(reviewed: Review, judgement: Judgement) -> Renewal:
    """The set has failed; its evidence is kept. A set that waits only loses its row in the table."""
    stored = reviewed.stored
    if stored.state is TaskState.WAITING:
        return Renewal(stored, stored.state, None, stored.reason, reviewed.spec, kept=tuple(stored.kept.values()))
    spec = NONE if judgement.fault else reviewed.spec
    return _all_kept(reviewed, TaskState.FAILED, judgement.reason, spec)


def _all_kept(reviewed: Review, state: TaskState, reason: str | None, spec: int, halfway: bool = False) -> Renewal:
    kept, moves = _kept(reviewed, set())
    rubbish = _rubbish(reviewed, {one.file for one in kept})
    gone = _gone(reviewed, set(), set())
    return Renewal(
        reviewed.stored, state, reviewed.stored.ticket, reason, spec, (), gone, kept, False, moves, rubbish, halfway
    )


def _kept(reviewed: Review, used: set[str]) -> tuple[tuple[Evidence, ...], tuple[Move, ...]]:
    """What no result is made of, in its place, and how it comes there. What the log has stays there alone."""
    stored = reviewed.stored
    kept, moves = list[Evidence](), list[Move]()
    for source, one in reviewed.evidence.items():
        logged = source == STDOUT and stored.stdout is not None and one.size == len(stored.stdout)
        if source in used or logged:
            continue
        target = kept_file(stored.number, source)
        if one.file and one.file != target and stored.state is not TaskState.WAITING:
            moves.append(Move(target, one.file, None))
            one = replace(one, file=target)
        kept.append(one)
    return tuple(kept), tuple(moves)


def _gone(reviewed: Review, overwritten: set[str], made: set[str]) -> tuple[str, ...]:
    """Outputs that go. An output of a name that neither `results` knows is of before schema 6: its source is not
    known, and it stays for a `results` that has its name again, unless its file is overwritten."""
    known = {spec.name for spec in (*reviewed.then, *reviewed.now)} - made
    stored = reviewed.stored.outputs
    others = [name for name in stored if name not in made]
    return tuple(name for name in others if name in known or stored[name].file in overwritten)


def _rubbish(reviewed: Review, needed: set[str | None]) -> tuple[str, ...]:
    if reviewed.stored.state is TaskState.WAITING:
        return ()
    ours = {one.file for one in reviewed.evidence.values() if one.file}
    ours |= {one.file for name, one in reviewed.stored.outputs.items() if one.file and _is_known(reviewed, name)}
    others = {one.file for name, one in reviewed.stored.outputs.items() if not _is_known(reviewed, name)}
    return tuple(sorted(ours - needed - others))


def _is_known(reviewed: Review, name: str) -> bool:
    return any(spec.name == name for spec in reviewed.then)
