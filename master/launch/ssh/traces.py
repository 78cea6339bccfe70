"""What a start puts on a host, and its removal: by a later start where the connection broke off in between."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import paramiko

from ...errors import LaunchError
from ..offer import Options
from . import remote, remote_shell

TIDY_LIMIT = 10.0  # seconds for leaving a host as it was found


class Traces:
    """Those of one start. `nonce` is the name of a file for homes.py, `copied` that of a copy which has no name yet."""

    def __init__(self, host: str, options: Options) -> None:
        self.nonce, self.copied = options.homes.nonce(), ""
        self._host, self._owed = host, options.owed

    def remove_copy(self, transport: paramiko.Transport, limit: float) -> None:
        """The rest of a copy that failed."""
        self._remove(transport, [self.copied], limit)

    def remove(self, transport: paramiko.Transport, client: str) -> None:
        """All that was put on a host that does not work; `client`: its file, "" where that is to stay.

        What cannot be removed now is owed. Not so the file of the client: it may have been started from it.
        """
        if not self._remove(transport, [self.nonce, self.copied, client]):
            self._owed.setdefault(self._host, set()).update(filter(None, (self.nonce, self.copied)))

    def pay_debts(self, transport: paramiko.Transport) -> None:
        """What earlier starts of this run left there."""
        owed = self._owed.get(self._host)
        if owed and self._remove(transport, sorted(owed)):
            del self._owed[self._host]

    def _remove(self, transport: paramiko.Transport, names: Sequence[str], limit: float = TIDY_LIMIT) -> bool:
        """Whether the host has heard what is to be removed."""
        if not transport.is_active():
            return False
        with contextlib.suppress(LaunchError):  # the fault itself is told, or will be
            remote_shell.run(transport, remote.clean_script(*filter(None, names)), self._host, limit)
            return True
        return False
