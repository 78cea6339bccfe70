"""The last words of a client to the master: goodbye, and tickets that end with it."""

import http.client
from typing import List

from .. import log
from ..exits import Ending
from .connection import describe
from .master import Master, Query

BYE_TIME = 3.0  # seconds: the client ends, whether the master answers or not
MOST_LEFT = 900  # characters: the text goes into the first line of a request


def say_bye(master: Master, left: str = "", killed: bool = False) -> None:
    """Send the last request. `left`: what stays on this host.

    `killed`: for a client that cannot say it itself, or of which a part was killed.
    """
    query: Query = []
    if left:
        query.append(("left", left[:MOST_LEFT]))
    if killed:
        query.append(("killed", 1))
    _say(master, "/bye", query)


def give_back(master: Master, tickets: List[int]) -> None:
    """Give tickets back that end with this client and had no part in why it ends."""
    if tickets:
        _say(master, "/back", [("ticket", one) for one in tickets])


def _say(master: Master, path: str, query: Query) -> None:
    """Ask one time: nobody waits for the answer."""
    connection = master.connection()
    try:
        connection.once(path, query, timeout=BYE_TIME, connect=BYE_TIME)
    except (OSError, http.client.HTTPException) as fault:
        log.say("could not send %s to the master: %s" % (path, describe(fault)))
    except Ending as ending:
        log.say(ending.text)
    connection.close()
