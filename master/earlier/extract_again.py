"""Extract results again from what is stored, because `results` of spe.yaml has changed. Nothing runs.

Chunk by chunk: read, judge, files first, then one transaction. A crash in between leaves files that nothing refers to,
and sets that still wait for this: the next `spe run` or `spe collect` does it again. What a set becomes is decided in
extraction.py.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import HookError, StoreError
from ..hooks.hooks import Hooks
from ..model import ResultSpec, TaskState
from ..record import record
from ..results.extract import Part
from ..results.extraction import Evidence, Look, Renewal, canonical, look, renewal
from ..results.judge import Judgement, judge_again, needs_process
from ..results.kept_files import put_under, sync_folder
from ..session.run_folder import Folder, anchor_of
from ..store import stored
from ..store.reader import Reader
from ..store.store import Store
from ..text import counted

log = logging.getLogger("spe.extract")
CHUNK = 500  # sets; with them up to 64 kB of each of their sources are in memory
MOST_FAULTS = 3  # sets at which a regex may hang, until nothing more is tried


@record
class Extracted:
    """What came of it: sets that were extracted again, of these now refused, or done again."""

    sets: int = 0
    refused: int = 0
    taken: int = 0

    def __str__(self) -> str:
        """One line for people; empty when nothing was done."""
        if not self.sets:
            return ""
        what = counted(self.sets, "set was", "sets were")
        text = f"`results` has changed: {what} extracted again from what is stored"
        if self.refused:
            text += f", {counted(self.refused, 'is', 'are')} refused now"
        if self.taken:
            text += f", {counted(self.taken, 'is', 'are')} done again"
        return text


async def extract_again(store: Store, specs: Sequence[ResultSpec], hooks: Hooks, folder: Folder) -> Extracted:
    """Have the outputs of all today's sets be those that `specs` makes of what is stored. `folder` is runs/<name>/.

    It costs one look into the store when they are. Raises HookError when a regex hangs, StoreError when a file can't
    be moved to its new name.
    """
    spec = await use_results(store, specs)
    mark = json.dumps([store.plan, spec])
    if await store.meta(stored.EXTRACTED) == mark:
        return Extracted()
    await store.set_meta(stored.EXTRACTED, "")
    work = _Work(store, tuple(specs), spec, hooks, folder)
    while await work.go_through():
        pass
    if not work.faults:
        await store.set_meta(stored.EXTRACTED, mark)
    return Extracted(work.sets, work.refused, work.taken)


async def use_results(store: Store, specs: Sequence[ResultSpec]) -> int:
    """What is accepted from now on is noted as made by `specs`; their row in `specs`."""
    text = canonical(specs)
    return await store.call(lambda connection: stored.use_results(connection, text))


async def outdated(store: Store, specs: Sequence[ResultSpec]) -> list[range]:
    """Tickets of before `use_results` that cannot give these results."""
    return await store.call(lambda connection: stored.outdated(connection, specs))


class _Work:
    """One extraction."""

    def __init__(self, store: Store, specs: tuple[ResultSpec, ...], spec: int, hooks: Hooks, folder: Folder) -> None:
        self.store, self.specs, self.spec, self.hooks, self.folder = store, specs, spec, hooks, folder
        self.sets = self.refused = self.taken = 0
        self.faults: dict[int, str] = {}  # sets that could not be judged, and why
        self._in_process = needs_process(specs)

    async def go_through(self) -> bool:
        """Look at all sets that differ; whether some must be looked at once more."""
        after, again = 0, False
        while True:
            async with self.store.placing:  # a result that comes meanwhile waits for this chunk
                looks = await asyncio.to_thread(self._read, after)
                if not looks:
                    return again
                after = looks[-1].stored.number
                again |= await self._do([one for one in looks if one.stored.number not in self.faults])

    def _read(self, after: int) -> list[Look]:
        with Reader(self.folder) as reader:
            specs = reader.specs()
            sets = reader.made_by_others(self.spec, after, CHUNK)
        looks = []
        for one in sets:
            # A set of before schema 6 counts as made by the results of today: an upgrade is no reason to look at it.
            then = self.specs if one.spec is None else specs.get(one.spec, ())
            looks.append(self._without_lost_files(look(one, then, self.specs, self.spec), then))
        return looks

    def _without_lost_files(self, looked: Look, then: Sequence[ResultSpec]) -> Look:
        """Somebody may have removed files, or written into them: what they were is not stored any more."""
        lost = [one.file for one in looked.evidence.values() if one.file and not self._is_whole(one)]
        return look(looked.stored, then, self.specs, self.spec, lost) if lost else looked

    def _is_whole(self, one: Evidence) -> bool:
        try:
            return (self.folder / str(one.file)).stat().st_size == one.size
        except OSError:
            return False

    async def _do(self, looks: Sequence[Look]) -> bool:
        renewals = await self._renewals(looks)
        await asyncio.to_thread(self._place, renewals)
        done = await self.store.call(lambda connection: stored.apply(connection, renewals))
        await asyncio.to_thread(self._clear, done)
        for one in done:
            self._count(one)
        return any(one.halfway for one in done)

    async def _renewals(self, looks: Sequence[Look]) -> list[Renewal]:
        if not self._in_process:
            return await asyncio.to_thread(lambda: [renewal(one, self._judged(one)) for one in looks])
        judgements = await asyncio.gather(*(self._asked(one) for one in looks))
        return [renewal(one, judgement) for one, judgement in zip(looks, judgements, strict=True)]

    def _judged(self, one: Look) -> Judgement:
        parts = self._parts(one)
        return judge_again(self.specs, parts, f"files/{one.stored.number}") if parts else Judgement(())

    async def _asked(self, one: Look) -> Judgement:
        """By the hook process, where a regex that hangs is killed."""
        parts = self._parts(one)
        if not parts:
            return Judgement(())
        judgement = await self.hooks.judge_again(parts, f"files/{one.stored.number}")
        if judgement.fault:
            self.faults[one.stored.number] = str(judgement.reason)
            if len(self.faults) >= MOST_FAULTS:
                raise HookError(
                    f"results cannot be extracted again: {judgement.reason}", where=f"task {one.stored.number}",
                    todo="Nothing stored is lost. Mend `results`, then try again.",
                )  # fmt: skip
        return judgement

    def _parts(self, one: Look) -> Mapping[str, Part]:
        return {
            name: Part(name, found.raw, self.folder / found.file if found.file else None, found.size)
            for name, found in one.due.items()
        }

    def _place(self, renewals: Sequence[Renewal]) -> None:
        """Files under their new names, on the disk, before any row speaks of them."""
        root = anchor_of(self.folder)  # a folder that was moved meanwhile is not made again
        touched: set[Path] = set()
        try:
            for one in renewals:
                for move in one.moves:
                    put_under(root, move.target, move.file, move.raw)
                    place = (root / move.target).parent
                    touched.update((place, place.parent, root / "files", root))
            for place in touched:
                sync_folder(place)
        except OSError as error:
            raise StoreError(
                f"a result cannot be moved to its new name: {error}", where=str(self.folder),
                todo="Nothing stored is lost. Mend what it says, then try again.",
            ) from error  # fmt: skip

    def _clear(self, done: Sequence[Renewal]) -> None:
        """Names that nothing refers to any more. One that stays does no harm."""
        for one in done:
            for file in one.rubbish:
                try:
                    (anchor_of(self.folder) / file).unlink(missing_ok=True)
                    (anchor_of(self.folder) / kept_folder(one.before.number)).rmdir()
                except OSError as error:
                    log.debug("%s stays: %s", file, error)

    def _count(self, one: Renewal) -> None:
        if one.is_adoption or one.halfway:
            return
        self.sets += 1
        was, now = one.before.state, one.state
        self.refused += was is TaskState.DONE and now is TaskState.FAILED
        self.taken += was is TaskState.FAILED and now is TaskState.DONE


def kept_folder(number: int) -> str:
    """Where a set's kept files lie, below runs/<name>/."""
    return f"files/{number}/.kept"
