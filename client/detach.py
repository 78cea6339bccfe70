"""Going into the background: the parent stays until the client is ready or has failed, and ends with its code.

With --hold it stays longer, until the client has ended: so the SSH session that started them stays open.
"""

import os
import sys
from typing import Callable, Optional, Tuple

from . import exits, log

Ready = Callable[[int, str], None]
END = b"\0"
STAYS = "at work; this process stays until it has ended"  # what the master waits for, see launch/offer.py


def detached(work: Callable[[Ready], int], holds: bool = False) -> int:
    """Run work(ready) in the background; returns in the foreground, with what it said by ready(code, text).

    `holds`: returns only when the background has ended. Its parent lives then, too, so it is nobody's orphan: what
    clears up after users who have logged out looks for such.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        code, text = _hear(reader)
        if holds and code == exits.OK and not text:  # a text: another client runs here, which is not our child
            log.say(STAYS)
            os.waitpid(child, 0)
        return code
    os.close(reader)
    os.setsid()
    os.chdir("/")
    _close_standard_streams()
    code = work(_Teller(writer).tell)
    os._exit(code)


def _hear(reader: int) -> Tuple[int, str]:
    heard = b""
    with os.fdopen(reader, "rb", 0) as file:
        while not heard.endswith(END):  # not only to the pipe's end: the guard has it open too
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
    """Tells the parent; the mark at the end of a word is what it waits for."""

    def __init__(self, writer: int) -> None:
        self._writer: Optional[int] = writer

    def tell(self, code: int, text: str) -> None:
        """The first word counts; there is no second, as the number of the pipe may be another file's by then."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            os.write(writer, ("%d %s" % (code, text)).encode("utf-8", "replace") + END)
        except OSError:  # the parent was killed: nobody to tell
            pass
        os.close(writer)


def _close_standard_streams() -> None:
    """An SSH session ends only when nobody holds its streams any more."""
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.close(nothing)
