"""The limit on processes and threads, where the system starts no more of them."""

import errno
import os
import resource
import sys
import traceback
from typing import Iterator, Tuple

from .. import exits
from .facts import content


def fork() -> int:
    """Fork as os.fork does. Raises exits.Ending, which names the limit, where that cannot be."""
    try:
        return os.fork()
    except OSError as fault:
        raise exits.Ending(exits.NO_PROCESS, reason(fault))


def reason(fault: OSError) -> str:
    """Return what the system says of a process that it did not start, with the limit that is reached."""
    text = fault.strerror or str(fault)
    return "%s: %s" % (text, limit()) if fault.errno == errno.EAGAIN else text


def is_reached() -> bool:
    """Tell whether no process can be started. A thread that was not may also have lacked memory."""
    try:
        child = os.fork()
    except OSError as fault:
        return fault.errno == errno.EAGAIN
    if not child:
        os._exit(0)
    try:
        os.waitpid(child, 0)
    except ChildProcessError:  # another thread has waited for it
        pass
    return False


def limit() -> str:
    """Return the name and the value of the limit on processes that is reached, as far as that is known."""
    for path, most in _group_limits():
        current = content(path + "/pids.current").strip()
        if current.isdigit() and int(current) >= int(most):
            text = "the limit on processes of its control group (pids.max, TasksMax of systemd) is %s"
            return text % most
    most_of_account = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if most_of_account != resource.RLIM_INFINITY:
        text = "the limit on processes and threads of this account (ulimit -u) is %d"
        return text % most_of_account
    return "the system has a limit on processes (kernel.pid_max, kernel.threads-max)"


def _group_limits() -> Iterator[Tuple[str, str]]:
    """Yield (folder, limit) of our control group and of those above it, of both versions."""
    for line in content("/proc/self/cgroup").split("\n"):
        number, _, rest = line.partition(":")
        kinds, _, path = rest.partition(":")
        top = "/sys/fs/cgroup" if number == "0" else "/sys/fs/cgroup/pids"
        if number != "0" and "pids" not in kinds.split(","):
            continue
        while path.strip("/"):
            most = content(top + path + "/pids.max").strip()
            if most.isdigit():
                yield top + path, most
            path = os.path.dirname(path)


def unforeseen() -> exits.Ending:
    """Return the ending for the error in hand: a fault of ours, unless memory has run out."""
    fault = sys.exc_info()[1]
    if "can't start new thread" in str(fault) and is_reached():
        return exits.Ending(exits.NO_PROCESS, "no thread can be started: %s" % limit())
    no_memory = isinstance(fault, OSError) and fault.errno == errno.ENOMEM
    if no_memory or isinstance(fault, MemoryError) or "can't start new thread" in str(fault):
        return exits.Ending(exits.OTHER, "out of memory: this host has no room for the client any more")
    return exits.Ending(exits.FAULT, "a fault of spe's own:\n" + traceback.format_exc())
