"""Sets that are done but whose result files somebody has removed: their results are gone, so they wait again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..session.run_folder import FILES, RunFolder
from ..store import writes
from ..store.store import Store

PAGE = 10_000


async def put_back(store: Store, folder: RunFolder) -> list[int]:
    """Look for each file that the store speaks of; the numbers of the tasks that have lost one, which wait again."""
    found, page = set[int](), await _page(store, (0, ""))
    while page:
        found |= await asyncio.to_thread(_missing, folder, page)
        page = await _page(store, page[-1][:2])
    lost = sorted(found)
    if lost:
        await store.call(lambda connection: writes.lose(connection, lost))
    return lost


async def _page(store: Store, after: tuple[int, str]) -> list[tuple[int, str, str]]:
    return await store.call(lambda connection: writes.kept_files(connection, after, PAGE))


def _missing(folder: RunFolder, page: Sequence[tuple[int, str, str]]) -> set[int]:
    held = folder.held_files
    root = held.through if held else folder.anchor / FILES
    return {task for task, _, file in page if not root.joinpath(*file.split("/")[1:]).exists()}
