"""The last words of a client to the master: goodbye, and tickets that end with it."""

import http.client
from typing import List

from .. import log
from ..exits import Ending
from .connection import describe
from .master import Master, Query

BYE_TIME = 3.0  # seconds
MOST_LEFT = 900  # characters


def say_bye(master: Master, left: str = "", killed: bool = False) -> None:
    """The last request. `left`: what stays here; `killed`: for a client that can't, or of which a part was killed."""
    query: Query = [("left", left[:MOST_LEFT])] if left else []
    _say(master, "/bye", query + ([("killed", 1)] if killed else []))


def give_back(master: Master, tickets: List[int]) -> None:
    """These end with us, and had no part in why we end."""
    if tickets:
        _say(master, "/back", [("ticket", one) for one in tickets])


def _say(master: Master, path: str, query: Query) -> None:
    """Once: nobody waits for the answer."""
    line = master.line()
    try:
        line.once(path, query, timeout=BYE_TIME, connect=BYE_TIME)
    except (OSError, http.client.HTTPException) as fault:
        log.say("could not say %s: %s" % (path[1:], describe(fault)))
    except Ending as ending:
        log.say(ending.text)
    line.close()
