"""The ending for an error that nothing has handled: a fault of ours, unless the host has run out of something."""

import errno
import sys
import traceback

from .. import exits
from . import process_limit


def unforeseen() -> exits.Ending:
    """Return the ending for the error in hand: a fault of ours, unless memory has run out."""
    fault = sys.exc_info()[1]
    if "can't start new thread" in str(fault):
        if process_limit.is_reached():
            text = "no thread can be started: %s" % process_limit.limit()
            return exits.Ending(exits.NO_PROCESS, text)
    no_memory = isinstance(fault, OSError) and fault.errno == errno.ENOMEM
    if no_memory or isinstance(fault, MemoryError) or "can't start new thread" in str(fault):
        return exits.Ending(exits.OTHER, "out of memory: this host has no room for the client any more")
    return exits.Ending(exits.FAULT, "a fault of spe's own:\n" + traceback.format_exc())
