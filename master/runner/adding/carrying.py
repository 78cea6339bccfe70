"""Sets of earlier readings of the parameters that stay today's, as people have added sets to them.

Usually a set that is not among today's parameters leaves the table. With `spe run --add` the sets of
before stay, also when the run is killed and goes on; store/decisions.py says when.
"""

from __future__ import annotations

import asyncio

from ...errors import SpeError
from ...store.decisions import ADDING
from ...store.store import NewSet, Store
from ...sweep.sweep import Sweep

BEHIND = 2**40  # the position of the first set that is carried: behind all of today's parameters


class Carrying:
    """Takes sets of earlier readings along into the reading of one run."""

    def __init__(self, sweep: Sweep, store: Store, resumes: bool, adds: bool) -> None:
        """`resumes`: the run goes on with one that was killed. `adds`: `--add` was given."""
        self._sweep, self._store = sweep, store
        self._resumes, self._adds = resumes, adds
        self._first: int | None = None  # the first reading whose sets are carried
        self._parameters = ""

    async def begin(self) -> None:
        """Decide whether sets are carried, as a new reading begins."""
        if not self._adds and not await self._store.meta(ADDING):
            return  # almost always: then the parameters are not read once more for their digest
        self._parameters = await asyncio.to_thread(parameters_digest, self._sweep)
        self._first = await self._store.begin_carrying(
            self._parameters, self._resumes, self._adds
        )

    async def carry(self) -> None:
        """Make sets of earlier readings today's, once those of today's parameters are stored."""
        if self._first is None:
            return
        after, position = 0, BEHIND
        while rows := await self._store.earlier_sets(self._first, after):
            carried = await asyncio.to_thread(self._same, rows, position)
            await self._store.add_sets(carried)
            after = rows[-1][0]
            position += len(carried)
        await self._store.end_carrying(self._parameters)

    def _same(self, rows: list[tuple[int, bytes, dict[str, str]]], position: int) -> list[NewSet]:
        """Return those of these sets that today's sweep computes as it did before.

        A set of another command, or of inputs that have changed, has another key and is left behind.
        """
        found: list[NewSet] = []
        for _, key, values in rows:
            if self._key(values) == key:
                found.append(NewSet(key, position + len(found), values))
        return found

    def _key(self, values: dict[str, str]) -> bytes:
        """Return the key of a set as today's sweep makes it; empty where it cannot."""
        if values.keys() != set(self._sweep.parameters.names):
            return b""
        try:
            return self._sweep.key(values)
        except (SpeError, OSError):  # an input file of the set that is gone: it cannot run any more
            return b""


def parameters_digest(sweep: Sweep) -> str:
    """Return a digest of a sweep's parameters. The parameter file is read."""
    return sweep.parameters.digest().hex()
