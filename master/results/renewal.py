"""Decide what becomes of a stored set under the `results` of today. Pure.

review.py says what of a set is to be judged; the judge's verdict on that comes in here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..model import Output, TaskState
from .extraction import NONE, STDOUT, Evidence, Move, Renewal, StoredSet, kept_file
from .judge import Judgement
from .review import Review
from .trees import files_in

NOT_JUDGED = "its result is stored, and no validate hook has judged it: `spe collect`"


def renewal(reviewed: Review, judgement: Judgement) -> Renewal:
    """Return what becomes of a set, given the judgement on what was due of it."""
    if judgement.reason is not None:
        return _refused(reviewed, judgement)
    outputs = _placed(reviewed, judgement.outputs)
    moves = _moves(reviewed, outputs.values())
    if _overwrites_evidence(reviewed, moves):
        # Two results have swapped their file names, say: in one turn the second move would read
        # what the first one wrote. So all evidence moves away now, and the results come next.
        stored = reviewed.stored
        return _all_kept(reviewed, stored.state, stored.reason, NONE, halfway=True)
    return _renewed(reviewed, outputs, moves)


def _placed(reviewed: Review, outputs: Iterable[Output]) -> dict[str, Output]:
    """Return the new outputs by their names, with their files where they may lie."""
    by_name = {output.name: output for output in outputs}
    if not reviewed.is_waiting:
        return by_name
    # The set may be out on a host, whose result will have the same file names.
    due = reviewed.due
    number = reviewed.stored.number
    return {name: _apart(one, due[name], number) for name, one in by_name.items()}


def _apart(output: Output, due: Evidence, number: int) -> Output:
    """Return the output with its file where it lies already, or where no new result will lie."""
    if not output.file or output.file == due.file:
        return output
    place = due.file or kept_file(number, due.source)
    # The value of a text that was cut names the file as well.
    return replace(output, value=output.value.replace(output.file, place), file=place)


def _moves(reviewed: Review, outputs: Iterable[Output]) -> list[Move]:
    """Return the files to make for the new outputs."""
    due = reviewed.due
    moves = []
    for one in outputs:
        source = due[one.name]
        if one.file and one.file != source.file:
            moves += _moves_of(source, one.file)
    return moves


def _moves_of(source: Evidence, target: str) -> list[Move]:
    """Return what brings evidence to another place: a move for each of its files."""
    if not source.is_tree:
        return [Move(target, source.file, source.raw)]
    pairs = zip(source.at(target).files, source.files, strict=True)
    return [Move(new, old, None) for new, old in pairs]


def _overwrites_evidence(reviewed: Review, moves: Iterable[Move]) -> bool:
    files = {file for one in reviewed.evidence.values() for file in one.files}
    return any(move.target in files for move in moves)


def _renewed(reviewed: Review, outputs: Mapping[str, Output], moves: Sequence[Move]) -> Renewal:
    stored = reviewed.stored
    made = {*outputs, *reviewed.stays}
    kept, more_moves = _kept(reviewed, _sources(reviewed, made))
    state, reason = _good(stored)
    return Renewal(
        before=stored,
        state=state,
        ticket=stored.ticket,
        reason=reason,
        spec=reviewed.spec,
        outputs=tuple(outputs.values()),
        gone=_gone(reviewed, {move.target for move in moves}, made),
        kept=kept,
        gap=any(spec.name not in made for spec in reviewed.now),
        moves=(*moves, *more_moves),
        rubbish=_rubbish(reviewed, _needed(reviewed, outputs, kept)),
    )


def _sources(reviewed: Review, results: set[str]) -> set[str]:
    return {spec.origin for spec in reviewed.now if spec.name in results}


def _needed(
    reviewed: Review, outputs: Mapping[str, Output], kept: Iterable[Evidence]
) -> set[str]:
    """Return the files that something refers to afterwards."""
    stays = [reviewed.stored.outputs[name] for name in reviewed.stays]
    files = {file for one in (*outputs.values(), *stays) for file in _files(one)}
    return files | _all_files(kept)


def _all_files(kept: Iterable[Evidence]) -> set[str]:
    return {file for one in kept for file in one.files}


def _files(output: Output) -> list[str]:
    return files_in(output.file, output.raw)


def _good(stored: StoredSet) -> tuple[TaskState, str | None]:
    """Return (state, reason) of a set whose results are good.

    A set that an earlier `results` refused is done again. A set that a hook could not judge still
    waits for that.
    """
    if stored.state is not TaskState.FAILED:  # waiting ones go on waiting
        return stored.state, stored.reason
    if stored.accepted:
        return TaskState.DONE, None
    reason = stored.reason if stored.outputs else NOT_JUDGED
    return TaskState.FAILED, reason


def _refused(reviewed: Review, judgement: Judgement) -> Renewal:
    """Return a renewal in which the set has failed and its evidence is kept.

    A waiting set only loses its row in the table: its next result will be judged anyway.
    """
    stored = reviewed.stored
    if reviewed.is_waiting:
        return Renewal(
            before=stored,
            state=stored.state,
            ticket=None,
            reason=stored.reason,
            spec=reviewed.spec,
            kept=tuple(stored.kept.values()),
        )
    # After a fault of the judging itself (a regex that hung) the set is not marked as made by today's results.
    spec = NONE if judgement.fault else reviewed.spec
    return _all_kept(reviewed, TaskState.FAILED, judgement.reason, spec)


def _all_kept(
    reviewed: Review,
    state: TaskState,
    reason: str | None,
    spec: int,
    halfway: bool = False,
) -> Renewal:
    """Return a renewal without outputs, in which all evidence is kept."""
    kept, moves = _kept(reviewed, set())
    return Renewal(
        before=reviewed.stored,
        state=state,
        ticket=reviewed.stored.ticket,
        reason=reason,
        spec=spec,
        gone=_gone(reviewed, set(), set()),
        kept=kept,
        moves=moves,
        rubbish=_rubbish(reviewed, _all_files(kept)),
        halfway=halfway,
    )


def _kept(reviewed: Review, used: set[str]) -> tuple[tuple[Evidence, ...], tuple[Move, ...]]:
    """Return the evidence that no result is made of, in its place, and the moves that bring it there.

    `used`: sources that results are made of.
    """
    kept: list[Evidence] = []
    moves: list[Move] = []
    for source, one in reviewed.evidence.items():
        if source in used or _is_logged(reviewed.stored, one):
            continue
        target = _kept_place(reviewed, one)
        if target is not None and target != one.file:
            moves += _moves_of(one, target)
        kept.append(one.at(target))
    return tuple(kept), tuple(moves)


def _kept_place(reviewed: Review, one: Evidence) -> str | None:
    """Return where the file of evidence is to lie; None for evidence in the database."""
    # A waiting set keeps its files in place until a new result replaces them.
    if one.file is None or reviewed.is_waiting:
        return one.file
    return kept_file(reviewed.stored.number, one.source)


def _is_logged(stored: StoredSet, one: Evidence) -> bool:
    """Return whether the log of the attempt has the whole evidence, which is enough."""
    if one.source != STDOUT or stored.stdout is None:
        return False
    return one.size == len(stored.stdout)


def _gone(reviewed: Review, overwritten: set[str], made: set[str]) -> tuple[str, ...]:
    """Return the names of outputs that are removed.

    An output whose name neither `results` knows is from before schema 6, and its source is not known.
    It stays for a `results` that has its name again, unless its file is overwritten.
    """
    known = {spec.name for spec in (*reviewed.then, *reviewed.now)}
    outputs = reviewed.stored.outputs
    others = [name for name in outputs if name not in made]
    return tuple(
        name
        for name in others
        if name in known or not overwritten.isdisjoint(_files(outputs[name]))
    )


def _rubbish(reviewed: Review, needed: set[str]) -> tuple[str, ...]:
    """Return the files that nothing refers to once the renewal is committed."""
    if reviewed.is_waiting:  # the new result removes them
        return ()
    outputs = reviewed.stored.outputs
    known = {spec.name for spec in reviewed.then} & set(outputs)
    ours = {file for name in known for file in _files(outputs[name])}
    ours |= _all_files(reviewed.evidence.values())
    # Outputs of names that `then` does not know are from before schema 6, see _gone.
    others = {file for name in set(outputs) - known for file in _files(outputs[name])}
    return tuple(sorted(ours - needed - others))
