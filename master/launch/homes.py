"""Which hosts share a home, found out on the way: one turn of copying for each file system.

Each host that lacks the client puts an empty file of its own name (a nonce) into the cache folder, *then* lists the
folder, *then* looks for the client again. So of two hosts that share it the later one sees the earlier one's nonce, or,
when that is gone again, the client that was copied before it went. Having just written into the folder, it lists it
afresh, also on NFS. Who sees nobody is taken to be alone: at worst one copy too many.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager


class _Home:
    """One file system, and who may copy to it now."""

    def __init__(self, nonce: str) -> None:
        self.nonces, self.lock, self.turns = {nonce}, threading.Lock(), 0


class Homes:
    """Make it once per run: all its launchers share it. A host that stalls in its turn is not waited for.

    Going on without the turn is safe (a copy is written under a temporary name and renamed), only wasteful.
    """

    def __init__(self, patience: float = 15.0) -> None:
        self.run = secrets.token_hex(6)
        self._patience, self._lock, self._of = patience, threading.Lock(), dict[str, _Home]()

    def nonce(self) -> str:
        """The name of a file that nobody else makes."""
        return f".home-{self.run}-{secrets.token_hex(4)}"

    @contextmanager
    def turn(self, nonce: str, seen: Collection[str]) -> Iterator[bool]:
        """The turn to copy for whoever saw these nonces; True if it is the first of its home."""
        home = self._meet(nonce, seen)
        mine = home.lock.acquire(timeout=self._patience)
        try:
            with self._lock:
                home.turns += 1
                first = home.turns == 1
            yield first
        finally:
            if mine:
                home.lock.release()

    def _meet(self, nonce: str, seen: Collection[str]) -> _Home:
        """The one home of all of them; homes that turn out to be the same become one."""
        with self._lock:
            known = list({id(home): home for name in (nonce, *sorted(seen)) if (home := self._of.get(name))}.values())
            home = known[0] if known else _Home(nonce)
            home.nonces.update((nonce, *seen), *(other.nonces for other in known))
            home.turns = sum(other.turns for other in known)
            for name in home.nonces:
                self._of[name] = home
            return home
