"""Files that a start leaves on a host, and their removal.

When the connection breaks off in between, a later start of the same run removes them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import paramiko

from ...errors import LaunchError
from ...model import Host
from ..offer import Options
from . import remote, remote_shell

TIDY_LIMIT = 10.0  # seconds to leave a host as it was found


class Traces:
    """Files of one launcher on its host.

    `nonce` is the name of its file for homes.py, `copied` the temporary name of a copy, "" before it.
    """

    def __init__(self, host: Host, options: Options) -> None:
        self.nonce = options.homes.nonce()
        self.copied = ""
        self._host = host.name
        self._workdir = host.workdir
        self._owed = options.owed

    def remove_copy(self, transport: paramiko.Transport, limit: float) -> None:
        """Remove the rest of a copy that failed."""
        self._remove(transport, [self.copied], limit)

    def remove(self, transport: paramiko.Transport, client: str) -> None:
        """Remove all that was put on a host whose start failed.

        `client`: the client's file, "" when it is to stay. Files that cannot be removed now are owed:
        a later start removes them.
        """
        if not self._remove(transport, [self.nonce, self.copied, client]):
            # Not the client's own file: a client may be running from it by then.
            self._owed.setdefault(self._host, set()).update(filter(None, (self.nonce, self.copied)))

    def pay_debts(self, transport: paramiko.Transport) -> None:
        """Remove what earlier starts of this run left on the host."""
        owed = self._owed.get(self._host)
        if owed and self._remove(transport, sorted(owed)):
            del self._owed[self._host]

    def _remove(
        self, transport: paramiko.Transport, names: Sequence[str], limit: float = TIDY_LIMIT
    ) -> bool:
        """Return whether the host was told what to remove."""
        # Not tried on a dead connection: it would hold up the end of a run for TIDY_LIMIT seconds.
        if not transport.is_active():
            return False
        with contextlib.suppress(LaunchError):  # the start's own fault is reported, not this one
            script = remote.clean_script(self._workdir, *filter(None, names))
            remote_shell.run(transport, script, self._host, limit)
            return True
        return False
