"""Going into the background: the parent stays until the client is ready or has failed.

It ends with the client's code. With --hold it stays until the client has ended, so that the SSH
session which started them stays open.
"""

import os
import sys
from typing import Callable, Optional, Tuple

from . import exits, log
from .machine import process_limit

Ready = Callable[[int, str], None]
END = b"\0"
# The master waits for these words (launch/offer.py).
STAYS = "at work; this process stays until it has ended"


def detached(work: Callable[[Ready], int], holds: bool = False) -> int:
    """Run work(ready) in the background.

    Return in the foreground the code that it said by ready(code, text).

    `holds`: return only when the background has ended. Its parent lives as long then, so it is
    nobody's orphan: programs that clear up after users who have logged out look for orphans.
    """
    reader, writer = os.pipe()
    child = process_limit.fork()
    if child:
        os.close(writer)
        code, text = _hear(reader)
        # A text: another client runs here, which is not our child.
        if holds and code == exits.OK and not text:
            log.say(STAYS)
            os.waitpid(child, 0)
        return code
    os.close(reader)
    os.setsid()
    os.chdir("/")
    _close_standard_streams()
    ready = _Teller(writer).tell
    try:
        code = work(ready)
    except exits.Ending as ending:  # before there was a client
        ready(ending.code, ending.text)
        code = ending.code
    os._exit(code)


def _hear(reader: int) -> Tuple[int, str]:
    heard = b""
    with os.fdopen(reader, "rb", 0) as file:
        while not heard.endswith(END):  # not only to the end of the pipe: the guard has it open too
            part = file.read(4096)
            if not part:
                break
            heard += part
    code, _, text = heard.rstrip(END).decode("utf-8", "replace").partition(" ")
    if text:
        log.say(text)
    elif not code:
        log.say("it died before it had registered")
    return int(code or exits.OTHER), text


class _Teller:
    """The background's end of the pipe to its parent. It tells one word, ended by a mark."""

    def __init__(self, writer: int) -> None:
        self._writer: Optional[int] = writer

    def tell(self, code: int, text: str) -> None:
        """Tell the parent a code and a text. Only the first word counts.

        For a second one the number of the pipe may be another file's.
        """
        writer = self._writer
        self._writer = None
        if writer is None:
            return
        try:
            os.write(writer, ("%d %s" % (code, text)).encode("utf-8", "replace") + END)
        except OSError:  # the parent was killed: there is nobody to tell
            pass
        os.close(writer)


def _close_standard_streams() -> None:
    """Let go of the standard streams: an SSH session ends only when no process holds them any more."""
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.close(nothing)
