"""The input files that many tasks share, on this host: fetched once, kept for all tasks."""

import hashlib
import os
import threading
from collections import OrderedDict
from typing import Callable, Optional, Set

from ..wire.master import MasterConnection
from ..wire.task_record import ARCHIVE
from .archives import remove, seal_tree, unpack
from .cache import PART, TRIES, read_digests, remove_if_there
from .originals import Original, seal


class InputCache:
    """The input files that tasks share: each is fetched once and kept, within a limit.

    It lives as long as its client. Two threads use it: the one that asks for tasks, and one that
    fetches a changed file again.
    """

    def __init__(
        self, folder: str, limit: int = 1 << 30, needed: Callable[[], Set[str]] = set
    ) -> None:
        """Keep files in `folder`, up to `limit` bytes.

        `needed` returns the keys of files that tasks here still need: they stay, whatever the limit.
        """
        self.folder, self.limit, self._needed = folder, limit, needed
        # By key, the one used last at the end.
        self.kept: "OrderedDict[str, Original]" = OrderedDict()
        self._lock = threading.Lock()

    def have(
        self, connection: MasterConnection, key: str, changed: Optional[Original] = None
    ) -> Original:
        """Return the original with this key, fetched again if somebody has changed it.

        `changed`: one of which that is known, as for a tree, with its many files. Where another one
        has taken its place meanwhile, that is returned. Raises OSError.
        """
        # Held over the fetching: the other thread would fetch the same file.
        with self._lock:
            original = self.kept.get(key)
            is_good = original and original != changed and (original.is_tree or original.is_right())
            if original is None or not is_good:
                try:
                    self.kept[key] = original = self._bring(connection, key)
                except OSError:
                    self.kept.pop(key, None)
                    raise
            self.kept.move_to_end(key)
            self._make_room()
        return original

    def _bring(self, connection: MasterConnection, key: str) -> Original:
        sha256 = key.partition(".")[0]
        if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
            raise OSError("%r is not a SHA-256" % sha256)
        path = os.path.join(self.folder, key)
        new = path + PART  # not `path`, which tasks may be linked to
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        try:
            fetch(connection, sha256, new)
            if key.endswith(ARCHIVE):
                unpack(new, path)
            else:
                os.replace(new, path)
        finally:
            remove_if_there(new)  # half of a file would fill a full disk for good
        return seal_tree(key, path) if key.endswith(ARCHIVE) else seal(key, path)

    def _make_room(self) -> None:
        """Remove files that were not used for longest, until the rest is within the limit."""
        free = self.limit - sum(one.size for one in self.kept.values())
        if free >= 0:
            return
        needed = self._needed()
        for one in list(self.kept.values())[:-1]:
            if free < 0 and one.key not in needed:
                free += one.size
                del self.kept[one.key]
                remove(one)


def fetch(connection: MasterConnection, sha256: str, path: str) -> None:
    """Fetch the file with this checksum to `path`. Raises OSError when it cannot be had."""
    for _ in range(TRIES):
        reply = connection.ask("/file", [("sha256", sha256)], into=path, timeout=60.0)
        if reply.status != 200:
            raise OSError(
                "the master does not give out the file %s: %d %s"
                % (sha256, reply.status, reply.text)
            )
        if read_digests(path, [hashlib.sha256()])[0].hexdigest() == sha256:
            return
    raise OSError("the file %s came %d times with a wrong checksum" % (sha256, TRIES))
