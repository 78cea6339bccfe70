"""A proxy before a database server, which cuts connections as it is told."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable

#: Asked for each piece: is it from the client, and its bytes. Returns whether to pass it on and whether to cut then.
Judge = Callable[[bool, bytes], tuple[bool, bool]]


class Proxy:
    """Passes connections to a port of this machine. `judge` makes a judge for each connection."""

    def __init__(self, port: int, judge: Callable[[], Judge]) -> None:
        self._target, self._judge = port, judge
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        # shutdown wakes the thread that accepts; close alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
                continue
            judge = self._judge()
            for one, other, is_client in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pass, args=(one, other, is_client, judge), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, is_client: bool, judge: Judge) -> None:
        try:
            while piece := one.recv(65536):
                passes, cuts = judge(is_client, piece)
                if passes:
                    other.sendall(piece)
                if cuts:
                    self.cuts += 1
                    break
        except OSError:
            pass  # the other thread has cut it
        for end in (one, other):
            _reset(end)


def _reset(end: socket.socket) -> None:
    try:
        # A reset, as a firewall sends it: what the kernel still holds is thrown away.
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()
