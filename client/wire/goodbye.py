"""The last words of a client to the master: goodbye, and tickets that end with it."""

import http.client
import json
import mmap
import struct
from typing import List

from .. import log
from ..exits import Ending
from .connection import describe, parse_address
from .master import Master, Query

BYE_TIME = 3.0  # seconds: the client ends, whether the master answers or not
MOST_LEFT = 900  # characters: the text goes into the first line of a request


class Unsaid:
    """A goodbye that the client is about to say, in memory that it shares with its guard.

    Between the removal of its folder and its goodbye, nothing else tells of a client: killed there,
    it would be waited for until its lease ends.
    """

    _LENGTH = "I"
    _SIZE = 4096

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, self._SIZE)

    def note(self, master: Master, killed: bool) -> None:
        """Note what is to be said: to whom, as whom, and whether it was killed."""
        address = master.address
        note = json.dumps([address.url, address.fingerprint, master.client, killed]).encode()
        begin = struct.calcsize(self._LENGTH)
        if begin + len(note) > self._SIZE:  # an address of that length: the master waits, then
            return
        self._memory[begin : begin + len(note)] = note
        self._set_length(len(note))

    def clear(self) -> None:
        """It was said."""
        self._set_length(0)

    def say(self, master: Master) -> None:
        """Say what was noted and not said, if anything."""
        (length,) = struct.unpack_from(self._LENGTH, self._memory)
        if not length:
            return
        begin = struct.calcsize(self._LENGTH)
        url, fingerprint, master.client, killed = json.loads(
            self._memory[begin : begin + length].decode()
        )
        master.address = parse_address(url, fingerprint)
        say_bye(master, killed=killed)

    def _set_length(self, length: int) -> None:
        struct.pack_into(self._LENGTH, self._memory, 0, length)


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
