"""Groups of hosts that share a home, found out on the way: one turn of copying for each file system.

Each host that lacks the client puts an empty file of its own name (a nonce) into the cache folder,
*then* lists the folder, *then* looks for the client again. So of two hosts that share the folder the
later one sees the earlier one's nonce; or, when that is gone again, the client, which was copied
before the nonce was removed. A host that has just written into the folder lists it afresh, also on
NFS. A host that sees no other is taken to be alone: at worst the client is copied once too often.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager


class _Home:
    """A file system, with the lock that lets one host at a time copy to it."""

    def __init__(self, nonce: str) -> None:
        self.nonces = {nonce}
        self.lock = threading.Lock()
        self.turns = 0


class Homes:
    """The homes of one run, shared by all its launchers.

    A host that stalls during its turn is waited for at most `patience` seconds. Going on without the
    turn is safe, only wasteful: a copy is written under a temporary name and renamed.
    """

    def __init__(self, patience: float = 15.0) -> None:
        self.run = secrets.token_hex(6)
        self._patience = patience
        self._lock = threading.Lock()
        self._of = dict[str, _Home]()  # nonce -> its home

    def nonce(self) -> str:
        """Return the name of a file that nobody else makes."""
        return f".home-{self.run}-{secrets.token_hex(4)}"

    @contextmanager
    def turn(self, nonce: str, seen: Collection[str]) -> Iterator[bool]:
        """Hold the turn to copy for the host that saw these nonces; True for the first of its home."""
        home = self._merge(nonce, seen)
        acquired = home.lock.acquire(timeout=self._patience)
        try:
            # The turns are counted, not the copies: after a failed first copy the next host looks again.
            with self._lock:
                home.turns += 1
                first = home.turns == 1
            yield first
        finally:
            if acquired:
                home.lock.release()

    def _merge(self, nonce: str, seen: Collection[str]) -> _Home:
        """Return the one home of all these nonces; homes that turn out to be the same become one."""
        with self._lock:
            known = self._known(nonce, seen)
            # The first one stays, with its lock: a host that holds the lock now keeps its turn.
            home = known[0] if known else _Home(nonce)
            home.nonces.update((nonce, *seen), *(other.nonces for other in known))
            home.turns = sum(other.turns for other in known)
            for name in home.nonces:
                self._of[name] = home
            return home

    def _known(self, nonce: str, seen: Collection[str]) -> list[_Home]:
        """Return the homes of these nonces, each once, in a fixed order."""
        names = [name for name in (nonce, *sorted(seen)) if name in self._of]
        return list({id(self._of[name]): self._of[name] for name in names}.values())
