"""Messages between the client and its hands, over a pair of sockets: whole ones, in order.

Both ends are the same program in the same Python, so marshal will do, which takes a sixth less time
than pickle. A message is a name and an argument.

From the client to a hand:

    begin        [given, …]          attempts to begin, each when there is a slot (Attempt.given)
    drop         ticket              another host has done it
    signal       (ticket, number)    pause a program, or have it go on
    back         -                   give back what has not begun
    go on        clock time          the master has answered for all tickets held at this time
    watch        ticket              keep its place from other tasks
    worker       original            the worker has been fetched again
    lose         original            end what runs with this original: it was changed
    here         -                   answer, to show that you live
    bound        (slots, number)     keep so many slots free; the number counts the bounds
    stop         is_hasty            the client ends

From a hand to the client:

    done         [told, …]           attempts that have ended (Attempt.told)
    ended        [(ticket, …), …]    their slots are free, the reports follow (Attempt.ending_told)
    unbegun      [told, …]           not begun, given back after a failure
    back         [told, …]           not begun, given back because the client asked
    unsure       -                   something waits for the master's word
    watched      ticket              it has begun, and its place is kept
    changed      original            a program has changed it
    told to end  number              a signal that ends hosts has come
    fault        text                the hand ends because of a fault of its own
    killed       (text, tickets)     put in by the client when the hand is gone
    here         -                   the answer
    bounded      number              this bound is followed; what had not begun was given back
"""

import marshal
import select
import socket
import struct
from typing import Any, List, Tuple

Message = Tuple[str, Any]
_SIZE = struct.Struct("=I")
_PART = 1 << 18  # bytes read at once: more than a pair of sockets holds by default


class ChannelClosed(Exception):
    """Raised when the process at the other end has closed the channel, or is gone."""


class Channel:
    """A end of a channel. Lives as long as its process."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sock.setblocking(False)
        self._came = bytearray()  # bytes of a message that is not complete yet
        self.unsent = bytearray()  # bytes for which the other end had no room yet

    def fileno(self) -> int:
        """Return the number of the open socket, for `select`."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close the socket; the other end hears of it."""
        self._sock.close()

    def send(self, name: str, argument: Any = None) -> None:
        """Send a message without waiting: what there is no room for goes with the next `flush`."""
        text = marshal.dumps((name, argument))
        # Through the buffer, even if it is empty: a message must not overtake the rest of another.
        self.unsent += _SIZE.pack(len(text)) + text
        self.flush()

    def flush(self) -> None:
        """Send what there is room for.

        To an end that is gone nothing is sent: `receive` tells that it is.
        """
        try:
            while self.unsent:
                del self.unsent[: self._sock.send(self.unsent)]
        except BlockingIOError:
            return
        except OSError:
            self.unsent.clear()

    def flush_all(self) -> None:
        """Send all, however long it takes."""
        while self.unsent:
            select.select([], [self._sock], [])
            self.flush()

    def receive(self) -> List[Message]:
        """Return the messages that have come since the last call. Raises ChannelClosed at the end."""
        try:
            part = self._sock.recv(_PART)
        except BlockingIOError:
            return []
        except OSError:
            raise ChannelClosed()
        if not part:
            raise ChannelClosed()
        self._came += part
        return self._whole()

    def _whole(self) -> List[Message]:
        found: List[Message] = []
        at = 0
        while len(self._came) >= at + _SIZE.size:
            (size,) = _SIZE.unpack_from(self._came, at)
            end = at + _SIZE.size + size
            if len(self._came) < end:
                break
            found.append(marshal.loads(memoryview(self._came)[at + _SIZE.size : end]))
            at = end
        del self._came[:at]
        return found
