"""Extract results again from what is stored, because `results` of spe.yaml has changed. Nothing runs.

The work goes chunk by chunk: read, judge, move files, then write one transaction. A crash in
between leaves files that nothing refers to, and sets that are still outdated: the next `spe run` or
`spe collect` goes on with them. results/renewal.py decides what becomes of a set.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..errors import HookError, StoreError
from ..hooks.hooks import Hooks
from ..model import ResultSpec, TaskState
from ..record import record
from ..results.extract import Part
from ..results.extraction import Evidence, Renewal, canonical
from ..results.judge import Judgement, judge_again, needs_process
from ..results.kept_files import put_under, sync_path
from ..results.renewal import renewal
from ..results.review import Review, review
from ..results.trees import Member, folder_of, read_list
from ..session.run_folder import Folder, anchor_of
from ..store import stored
from ..store.reader import Reader
from ..store.store import Store
from ..text import counted

log = logging.getLogger("spe.extract")
ResultsOf = Callable[[Mapping[str, str]], tuple[ResultSpec, ...]]
CHUNK = 500  # sets in memory at once: at 64 kB for each of their sources some 30 MB
MOST_FAULTS = (
    3  # sets at which a regex may hang (each costs its whole time limit) before we give up
)


@record
class Extracted:
    """Counts of one extraction: sets extracted again, of these refused now, and done again."""

    sets: int = 0
    refused: int = 0
    taken: int = 0

    def __str__(self) -> str:
        """Return one line for people; empty when nothing was done."""
        if not self.sets:
            return ""
        what = counted(self.sets, "set was", "sets were")
        text = f"`results` has changed: {what} extracted again from what is stored"
        if self.refused:
            text += f", {counted(self.refused, 'is', 'are')} refused now"
        if self.taken:
            text += f", {counted(self.taken, 'is', 'are')} done again"
        return text


async def extract_again(
    store: Store,
    specs: Sequence[ResultSpec],
    hooks: Hooks,
    folder: Folder,
    results_of: ResultsOf | None = None,
    others: Sequence[int] = (),
) -> Extracted:
    """Return what was done so that the outputs of all sets of the last run are made by `specs`.

    `folder` is runs/<name>/. `results_of` returns the results of a set, where `from` has parameters.
    `others`: more sets, that were none of the last run's.
    When the outputs are up to date already, it costs one look into the
    store. Raises HookError when a regex hangs at several sets, StoreError when a file cannot be
    moved to its new name.
    """
    spec = await use_results(store, specs)
    mark = json.dumps([store.plan, spec])
    if await store.meta(stored.EXTRACTED) == mark and not others:
        return Extracted()
    # The mark goes before the work begins: a crash in the middle must not leave it standing.
    await store.set_meta(stored.EXTRACTED, "")
    work = _Extraction(store, tuple(specs), spec, hooks, folder, results_of, others)
    while await work.go_through():
        pass
    # With a fault the mark stays away, so that the next start tries these sets again.
    if not work.faults:
        await store.set_meta(stored.EXTRACTED, mark)
    return Extracted(work.sets, work.refused, work.taken)


async def use_results(store: Store, specs: Sequence[ResultSpec]) -> int:
    """Return the row of `specs`: what is accepted from now on is noted as made by them."""
    text = canonical(specs)
    return await store.call(lambda connection: stored.use_results(connection, text))


async def outdated(store: Store, specs: Sequence[ResultSpec]) -> list[range]:
    """Return the tickets from before `use_results` whose results cannot give `specs`."""
    return await store.call(lambda connection: stored.outdated(connection, specs))


class _Extraction:
    """A single extraction over all sets, with its counts; lives until `extract_again` returns."""

    def __init__(
        self,
        store: Store,
        specs: tuple[ResultSpec, ...],
        spec: int,
        hooks: Hooks,
        folder: Folder,
        results_of: ResultsOf | None = None,
        others: Sequence[int] = (),
    ) -> None:
        self.results_of = results_of
        self.others = others
        self.store = store
        self.specs = specs
        self.spec = spec
        self.hooks = hooks
        self.folder = folder
        self.sets = 0
        self.refused = 0
        self.taken = 0
        self.faults: dict[int, str] = {}  # sets that could not be judged, and why
        self._in_process = needs_process(specs)

    async def go_through(self) -> bool:
        """Extract all outdated sets; True when some must be looked at once more."""
        after = 0
        again = False
        while True:
            # Held for the whole chunk: a result that arrives meanwhile must not move its files
            # between our reading and our writing.
            async with self.store.placing:
                reviews = await asyncio.to_thread(self._read, after)
                if not reviews:
                    return again
                after = reviews[-1].stored.number
                due = [one for one in reviews if one.stored.number not in self.faults]
                again |= await self._do(due)

    def _read(self, after: int) -> list[Review]:
        """Return the next chunk of outdated sets, those with a number above `after`."""
        with Reader(self.folder) as reader:
            specs = reader.specs()
            sets = reader.made_by_others(self.spec, after, CHUNK, self.others)
        reviews = []
        for one in sets:
            # A set from before schema 6 counts as made by the results of today: a new version of
            # spe is no reason to judge it again.
            then = self.specs
            if one.spec is not None:
                then = specs.get(one.spec, ())
            first = review(one, then, self.specs, self.spec)
            reviews.append(self._without_lost_files(first, then))
        return reviews

    def _without_lost_files(self, reviewed: Review, then: Sequence[ResultSpec]) -> Review:
        """Return the review without files that somebody removed or wrote into: their bytes are lost."""
        files = [one for one in reviewed.evidence.values() if one.file]
        lost = [one for one in files if not self._is_whole(one)]
        if not lost:
            return reviewed
        return review(reviewed.stored, then, self.specs, self.spec, lost)

    def _is_whole(self, one: Evidence) -> bool:
        # By size, not by checksum: reading gigabytes again would take longer than the extraction.
        sizes = [one.size]
        if one.is_tree:
            sizes = [size for _, size in read_list(one.raw or b"")]
        pairs = zip(one.files, sizes, strict=True)
        return all(self._has_size(file, size) for file, size in pairs)

    def _has_size(self, file: str, size: int) -> bool:
        try:
            return (self.folder / file).stat().st_size == size
        except OSError:
            return False

    def _specs_of(self, one: Review) -> tuple[ResultSpec, ...]:
        """Return today's results, filled with the values of this set."""
        return self.results_of(one.stored.values) if self.results_of else self.specs

    async def _do(self, reviews: Sequence[Review]) -> bool:
        """Judge, move files, write; True when a set of these must be looked at once more."""
        renewals = await self._renewals(reviews)
        await asyncio.to_thread(self._place, renewals)
        # `apply` leaves out sets that changed since they were read, so only `done` is cleared up.
        done = await self.store.call(lambda connection: stored.apply(connection, renewals))
        await asyncio.to_thread(self._clear, done)
        for one in done:
            self._add(one)
        return any(one.halfway for one in done)

    async def _renewals(self, reviews: Sequence[Review]) -> list[Renewal]:
        # Without a regex nothing can hang, and a thread spares the pipe to the hook process.
        if not self._in_process:
            return await asyncio.to_thread(self._judge_here, reviews)
        judgements = await asyncio.gather(*(self._asked(one) for one in reviews))
        return [renewal(*pair) for pair in zip(reviews, judgements, strict=True)]

    def _judge_here(self, reviews: Sequence[Review]) -> list[Renewal]:
        return [renewal(one, self._judged(one)) for one in reviews]

    def _judged(self, one: Review) -> Judgement:
        parts = self._parts(one)
        if not parts:
            return Judgement(())
        return judge_again(self._specs_of(one), parts, f"files/{one.stored.number}")

    async def _asked(self, one: Review) -> Judgement:
        """Return the judgement of the hook process, where a regex that hangs can be killed."""
        parts = self._parts(one)
        if not parts:
            return Judgement(())
        place = f"files/{one.stored.number}"
        judgement = await self.hooks.judge_again(parts, place, self._specs_of(one))
        if judgement.fault:
            self._note_fault(one.stored.number, str(judgement.reason))
        return judgement

    def _note_fault(self, number: int, reason: str) -> None:
        self.faults[number] = reason
        if len(self.faults) >= MOST_FAULTS:
            raise HookError(
                f"results cannot be extracted again: {reason}",
                where=f"task {number}",
                todo="Nothing stored is lost. Mend `results`, then try again.",
            )

    def _parts(self, one: Review) -> Mapping[str, Part]:
        """Return what the results are to be made of, in the form that the judge reads."""
        parts = {}
        filled = {spec.name: spec for spec in self._specs_of(one)}
        for name, found in one.due.items():
            if found.is_tree:
                tree = self._members(found, folder_of(filled[name]))
                parts[name] = Part(name, None, None, found.size, tree)
                continue
            path = self.folder / found.file if found.file else None
            parts[name] = Part(name, found.raw, path, found.size)
        return parts

    def _members(self, found: Evidence, above: str) -> tuple[Member, ...]:
        """Return the files of a tree. `above`: their folder in the task's directory."""
        return tuple(
            Member(f"{above}/{name}" if above else name, self.folder / file, size)
            for file, (name, size) in zip(found.files, read_list(found.raw or b""), strict=True)
        )

    def _place(self, renewals: Sequence[Renewal]) -> None:
        """Put files under their new names, durably, before any row speaks of them."""
        # The anchor and not the path: a folder that was moved meanwhile is not made again.
        root = anchor_of(self.folder)
        touched: set[Path] = set()
        try:
            for one in renewals:
                touched.update(self._put_under_new_names(one, root))
            for place in touched:
                sync_path(place)
        except OSError as error:
            raise StoreError(
                f"a result cannot be moved to its new name: {error}",
                where=str(self.folder),
                todo="Nothing stored is lost. Mend what it says, then try again.",
            ) from error

    def _put_under_new_names(self, one: Renewal, root: Path) -> set[Path]:
        """Return the folders whose names changed; each needs a sync."""
        touched: set[Path] = set()
        for move in one.moves:
            put_under(root, move.target, move.file, move.raw)
            above = [root / folder for folder in Path(move.target).parents]
            touched.update(above)
        return touched

    def _clear(self, done: Sequence[Renewal]) -> None:
        """Remove names that nothing refers to any more. One that stays does no harm."""
        for one in done:
            for file in one.rubbish:
                self._remove(file)

    def _remove(self, file: str) -> None:
        """Remove a file, and the folders of its set that are empty then."""
        root = anchor_of(self.folder)
        try:
            (root / file).unlink(missing_ok=True)
            # Not those above it: files/ itself, and the folder of the set, may be needed at any moment.
            for above in list(Path(file).parents)[:-3]:
                (root / above).rmdir()
        except OSError as error:  # no warning: the folder is often not empty, which is fine
            log.debug("%s is left: %s", file, error)

    def _add(self, one: Renewal) -> None:
        """Count one set, unless nothing about it changed or it will be counted later."""
        if one.is_adoption or one.halfway:
            return
        # "refused" and "done again" count changes only: a set that failed before is no news.
        was = one.before.state
        self.sets += 1
        self.refused += was is TaskState.DONE and one.state is TaskState.FAILED
        self.taken += was is TaskState.FAILED and one.state is TaskState.DONE
