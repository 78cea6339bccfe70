"""`town`: a farm on hosts of the lab, and three users who have joined it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from lab import Lab

from .town import MOST, SLOTS, USERS, Town


@pytest.fixture
def make_town(lab: Lab) -> Iterator[Callable[..., Town]]:
    """make_town(slots=…, most=…): the farm runs, and the users have joined."""
    made: list[Town] = []

    def make(slots: int = SLOTS, most: int = MOST, users: tuple[str, ...] = USERS) -> Town:
        town = Town(lab)
        made.append(town)
        town.boot()
        town.write_farm(slots, most)
        town.start_farm()
        for who in users:
            town.join(who)
        return town

    yield make
    for one in made:
        one.close()
