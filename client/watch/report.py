"""The line of a watcher about its host, as one dictionary."""

import os
from typing import Any, Dict, Optional, Tuple

from ..machine import facts, load, neighbours
from .accounts import Accounts, account

VERSION = 1
LEAST = 0.01  # cores of an account that is named
MOST = 50  # accounts


def report(accounts: Accounts) -> Dict[str, Any]:
    """Return what is told, with numbers and texts that JSON can hold."""
    cores = accounts.cores()
    most = sorted(cores.items(), key=lambda one: -one[1])[:MOST]
    return {
        "version": VERSION,
        "boot": facts.content("/proc/sys/kernel/random/boot_id").strip(),
        "platform": facts.platform_name(),
        "cores": facts.cores(),
        "load": loads(),
        "memory": load.memory(),
        "people": accounts.at_terminals(),
        "span": round(accounts.span, 1),
        "accounts": {account(user): round(n, 2) for user, n in most if n >= LEAST},
        "clients": [(account(user), slots, job) for user, slots, job in neighbours.clients()][:200],
        "top": accounts.top(),
        "sees_others": accounts.sees_others(),
    }


def loads() -> Optional[Tuple[float, ...]]:
    """Return the load of the last 1, 5 and 15 minutes; None if unknown."""
    try:
        return os.getloadavg()
    except (AttributeError, OSError):
        return None
