"""Messages between the client and its hands, over a pair of sockets: whole ones, in order.

Both ends are the same program in the same Python, so marshal will do.
"""

import marshal
import select
import socket
import struct
from typing import Any, List, Tuple

Message = Tuple[str, Any]
_SIZE = struct.Struct("=I")
_PART = 1 << 18  # bytes read at once


class ChannelClosed(Exception):
    """The other end is no more."""


class Channel:
    """One end. `unsent`: what the other end had no room for yet."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sock.setblocking(False)
        self._came, self.unsent = bytearray(), bytearray()

    def fileno(self) -> int:
        """For select."""
        return self._sock.fileno()

    def close(self) -> None:
        """The other end hears of it."""
        self._sock.close()

    def send(self, name: str, argument: Any = None) -> None:
        """Does not wait: what there is no room for goes with the next `flush`."""
        text = marshal.dumps((name, argument))
        self.unsent += _SIZE.pack(len(text)) + text
        self.flush()

    def flush(self) -> None:
        """Send what there is room for. To an end that is gone nothing can be said: `receive` tells that it is."""
        try:
            while self.unsent:
                del self.unsent[: self._sock.send(self.unsent)]
        except BlockingIOError:
            return
        except OSError:
            self.unsent.clear()

    def flush_all(self) -> None:
        """The same, however long it takes."""
        while self.unsent:
            select.select([], [self._sock], [])
            self.flush()

    def receive(self) -> List[Message]:
        """What has come since; raises ChannelClosed when nothing can come any more."""
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
