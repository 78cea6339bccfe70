"""Changes of users and tokens are committed before anybody hears of them."""

from __future__ import annotations

import logging

from ..members import Members
from .heart import Heart, Paused

log = logging.getLogger("spe.farm")


async def commit(members: Members, heart: Heart) -> None:
    """Have the farm store what has changed. Raises Paused when it cannot.

    A token that is not stored must not be sent: it would be unknown after a restart.
    """
    changes = members.take_changes()
    if not (changes.save or changes.remove):
        return
    try:
        await heart.commit(changes)
    except BaseException as error:
        members.put_back(changes)
        if isinstance(error, Exception) and not isinstance(error, Paused):
            log.exception("users and tokens could not be stored")
            raise Paused("the farm cannot store anything now", 30.0) from error
        raise
