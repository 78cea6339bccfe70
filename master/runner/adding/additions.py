"""Sets that people add to a run that goes on (`spe run --add`).

They are in the store before anybody is told that they were added, so no killed master loses them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ...page.adding import Differs, Ending, NotRead, Offered
from ...store.decisions import Added
from ...sweep.checks.likeness import differences, facts
from ...sweep.sweep import Sweep
from ...text import sets
from ..feeding import Feeding
from ..options import RunOptions


class Additions:
    """Takes new sets into one run."""

    def __init__(
        self,
        sweep: Sweep,
        options: RunOptions,
        feeding: Feeding,
        note: Callable[[str, str], None],
    ) -> None:
        """Begin in the event loop. `note` tells people and programs of an event: kind and sentence."""
        self._sweep, self._feeding, self._note = sweep, feeding, note
        # At once: what people edit while the run goes on must be seen as a difference.
        look = asyncio.to_thread(facts, sweep, options.hosts_option)
        self._facts = asyncio.ensure_future(look)
        self._came = 0  # sets that came by requests before the last one of their command

    async def add(self, offered: Offered) -> Added:
        """Store these sets and have them handed out; return what became of them.

        Raises Ending when nothing more is handed out, NotRead while the run reads its own sets, and
        Differs where not only the parameters differ.
        """
        board = self._feeding.desk.dispatch.board
        if board.closed:
            raise Ending
        if not self._feeding.is_read:
            raise NotRead
        # Held from here on, before the first wait: the run is not over until this is through.
        self._feeding.adding += 1
        board.look_again()
        try:
            return await self._add(offered)
        finally:
            self._feeding.adding -= 1
            self._feeding.desk.moved.set()

    async def _add(self, offered: Offered) -> Added:
        await self._compare(offered)
        store = self._feeding.desk.store
        keyed = await asyncio.to_thread(self._keyed, offered)
        added = await store.add_to_todays(keyed, self._feeding.decision)
        if added.came:
            await self._feeding.came(added.came)
        self._came += sum(added.came.values())
        if offered.end:
            kinds = {one.name: one.kind for one in self._sweep.results}
            await store.end_adding(offered.end, kinds)
            self._tell()
        return added

    def _tell(self) -> None:
        """Tell people and programs what came, once for each command."""
        came, self._came = self._came, 0
        if came:
            total = self._feeding.desk.dispatch.board.total
            self._note("sets", f"{sets(came)} added; now there are {total}")

    async def _compare(self, offered: Offered) -> None:
        found = differences(await self._facts, offered.facts)
        if found:
            raise Differs(found)

    def _keyed(self, offered: Offered) -> list[tuple[bytes, dict[str, str]]]:
        """Return the key and the values of each set. Raises ConfigError for an input that is missing."""
        return [(self._sweep.key(values), dict(values)) for values in offered.sets]

