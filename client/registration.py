"""The registration of a client: what it says of itself, and the configuration that it gets."""

import os
from typing import Dict

from . import exits
from .arguments import ClientOptions
from .host.own_folder import OwnFolder
from .host.writers import NOBODY, Others, user_name
from .machine import bounded, facts
from .machine.neighbours import neighbours
from .shared.cache import cache_folder
from .wire.connection import MasterAddress, NotTheMaster, connection_to, describe
from .wire.master import FIRST_CONNECT, MasterConnection, Query

LITTLE_ROOM = 10000000  # bytes; a home with less is told


def _introduction(options: ClientOptions, others: Others) -> Query:
    query: Query = [
        ("platform", facts.platform_name()),
        ("host", options.host),
        ("slots", options.slots),
        ("pings", 1),
        ("grants", 1),
        ("cores", facts.cores()),
    ]
    if options.job:  # a farm's job: its master compares it with that of the farm's host
        query.append(("boot", facts.content("/proc/sys/kernel/random/boot_id").strip()))
    if others.who:
        query += [("others", others.who), ("where", others.where)]
    if not options.cache:  # with a workdir of its own, nothing of ours lies in the home
        bounded.within(2.0, lambda: query.extend(_little_room(cache_folder())))
    # Limited: a command line cannot be read while its process waits for a dead NFS server. A look
    # that goes on adds to a query which has been sent.
    bounded.within(
        2.0,
        lambda: query.extend(("neighbour", "%d %s" % (n, user_name(u))) for u, n in neighbours()),
    )
    return query


def _little_room(folder: str) -> Query:
    """Return the bytes that are free for files in the home, where these are few."""
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    try:
        room = facts.room(folder)
    except OSError:
        return []
    return [("room", room)] if room < LITTLE_ROOM else []


def register(
    connection: MasterConnection, options: ClientOptions, others: Others = NOBODY
) -> Dict[str, str]:
    """Register with the master by GET /config and return its answer.

    There is one try: the person who started the client wants to know at once. `others`: who else
    may write in the workdir.
    """
    where = options.address.url
    try:
        query = _introduction(options, others)
        reply = connection.once("/config", query, connect=FIRST_CONNECT)
    except Exception as fault:
        raise _not_reached(where, fault)
    if reply.status != 200:
        why = (where, reply.status, reply.text)
        raise exits.Ending(exits.OTHER, "the master at %s answers %d to /config: %s" % why)
    # Decoded as file names are: a worker may have an umlaut, a host no locale.
    lines = os.fsdecode(reply.body).split("\n")
    pairs = [line.partition("=") for line in lines if "=" in line]
    return {key.strip(): value.strip() for key, _, value in pairs}


def hand_over(address: MasterAddress, own_folder: OwnFolder) -> exits.Ending:
    """Tell the living client of this folder the master's address. Return how the teller ends.

    An address at which nobody answers is not told: the living client would lose the master, who on
    hearing of it forwards a port to this host and starts a client with the address of that port.
    """
    try:
        connection = connection_to(address, FIRST_CONNECT)
        connection.connect()
        connection.close()
    except Exception as fault:
        return _not_reached(address.url, fault)
    own_folder.hand_over(address)
    # The master waits for the first words (launch/offer.py).
    return exits.Ending(exits.OK, "already running here; told it the master's address")


def _not_reached(where: str, fault: Exception) -> exits.Ending:
    """Return how a client ends that got no answer from the master."""
    if isinstance(fault, exits.Ending):
        return fault
    if isinstance(fault, NotTheMaster):
        return exits.Ending(exits.CERTIFICATE, "%s: %s" % (where, fault))
    text = "the master at %s cannot be reached: %s"
    return exits.Ending(exits.NOT_REACHED, text % (where, describe(fault)))
