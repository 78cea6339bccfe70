"""The worker on this host: fetched once, kept for all tasks; inputs.py does that for input files.

The cache folder of the user may be shared by many hosts: one of them fetches a worker while the
others wait for its lock file, and what lies under its final name is always whole. Each client has a
copy of its own, which is safe from others' cleaning up.
"""

import errno
import hashlib
import os
import stat
from typing import Any, Callable, Dict, List, Optional

from .. import exits, log
from ..host import folders, lock
from ..machine import facts
from ..wire.master import MasterConnection, Query
from .originals import WORKER, Original, seal

BLOCK = 1 << 20
PART = ".part"  # ends the names of files that are not complete
TRIES = 3  # to fetch a file whose checksum is wrong


def cache_folder() -> str:
    """Return where workers and clients stay between runs: the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(os.path.abspath(home), "spe")


class Worker:
    """The worker of a session as /config names it. Lives as long as the client.

    `path` is our own copy once `have` has returned: the original of those that tasks get.
    """

    def __init__(
        self,
        config: Dict[str, str],
        platform: str,
        target: str,
        owe: Callable[[str], None] = lambda path: None,
        cache: str = "",
    ) -> None:
        """Take names and checksums from /config.

        `owe` is told what is to be deleted, before it is there. `cache`: a folder of our own in the
        place of the user's cache folder.
        """
        self.name, self.platform = config["Worker"], platform
        self.path = os.path.join(target, self.name)
        self.sums = {kind: config[key].lower() for kind, key in _KINDS if config.get(key)}
        self._owe, self._cache = owe, cache
        self.fetched = ""  # the file in the cache folder, if this client has fetched it
        if "/" in self.name or self.name in ("", ".", "..") or "\0" in self.name:
            raise exits.Ending(exits.WORKER, "the worker's name %r is not a file name" % self.name)

    def have(self, connection: MasterConnection) -> Original:
        """Make our copy, from the cache or from the master, and return it as an original.

        A copy that is there already is replaced by a new file.
        """
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        remove_if_there(self.path)  # not overwritten: tasks may be linked to the file
        self._bring(connection)
        return seal(WORKER, self.path)

    def _bring(self, connection: MasterConnection) -> None:
        if not self.sums:
            # Without a checksum from the master, nothing in a cache could be found again.
            return self._fetch(connection, self.path)
        try:
            if self._cache:
                claim(self._cache)
            self._have_through_cache(connection, self._place())
        except OSError as fault:
            log.say("the cache folder cannot be used (%s); fetching the worker without it" % fault)
            self._fetch(connection, self.path)
        return None

    def _place(self) -> str:
        key = self.sums.get("sha256") or self.sums["md5"]
        return os.path.join(self._cache or cache_folder(), "workers", key, self.name)

    def _have_through_cache(self, connection: MasterConnection, place: str) -> None:
        for _ in range(TRIES):  # another client may clean up between the two steps
            if _is_there(place) and self._copy(place):
                return
            self._put_into_cache(connection, place)
        self._fetch(connection, self.path)

    def _put_into_cache(self, connection: MasterConnection, place: str) -> None:
        folder = os.path.dirname(place)
        try:
            self._fetch_once(connection, place, folder)
        finally:  # removes nothing when the worker is there: a folder with files in it stays
            folders.unmake(folder, surely_ours=True)  # the name is a checksum
            folders.unmake(os.path.dirname(folder))

    def _fetch_once(self, connection: MasterConnection, place: str, folder: str) -> None:
        """Fetch the worker into the cache, unless another client has done so while this one waited."""
        folders.make(os.path.dirname(folder))
        with lock.LockFile(folder + ".lock"):
            if not (_is_there(place) and self._is_right(place)):
                folders.make(folder)
                _clear_parts(folder)
                self._owe(place)  # before it is there, in case this client is killed meanwhile
                self._fetch(connection, place)
                self.fetched = place

    def _copy(self, place: str) -> bool:
        """Copy the worker and check it in one reading. False when it is missing or wrong."""
        sums = _sums(self.sums)
        try:
            with open(place, "rb") as source, open(self.path, "wb") as target:
                for block in iter(lambda: source.read(BLOCK), b""):
                    target.write(block)
                    _feed(sums, block)
        except FileNotFoundError:
            return False
        return self._agree(sums)

    def _is_right(self, path: str) -> bool:
        try:
            return self._agree(read_digests(path, _sums(self.sums)))
        except FileNotFoundError:
            return False

    def _agree(self, sums: List[Any]) -> bool:
        return all(one.hexdigest() == self.sums[one.name] for one in sums)

    def _fetch(self, connection: MasterConnection, path: str) -> None:
        """Fetch the worker under a name of our own, check it, and rename it into place."""
        temporary = "%s.%s.%d%s" % (path, facts.host_name(), os.getpid(), PART)
        try:
            for _ in range(TRIES):
                self._download(connection, temporary)
                if self._is_right(temporary):
                    os.chmod(temporary, 0o755)
                    os.replace(temporary, path)
                    return
        finally:
            if os.path.exists(temporary):
                os.unlink(temporary)
        text = "the worker %s came %d times with a wrong checksum"
        raise exits.Ending(exits.WORKER, text % (self.name, TRIES))

    def _download(self, connection: MasterConnection, path: str) -> None:
        log.say("fetching the worker %s for %s" % (self.name, self.platform))
        try:
            query: Query = [("name", self.name), ("platform", self.platform)]
            reply = connection.ask("/worker", query, into=path, timeout=60.0)
        except exits.SessionRefused as fault:
            text = "the worker %s could not be fetched: %s"
            raise exits.Ending(exits.WORKER, text % (self.name, fault))
        if reply.status != 200:
            why = (self.name, reply.status, reply.text)
            raise exits.Ending(exits.WORKER, "the worker %s could not be fetched: %d %s" % why)

    def forget(self) -> None:
        """Remove what this client has fetched into the cache, with the folders made for that."""
        if self.fetched and os.path.exists(self.fetched):
            os.unlink(self.fetched)
            folders.unmake(os.path.dirname(self.fetched), surely_ours=True)


_KINDS = (("md5", "MD5"), ("sha256", "SHA256"))


def claim(path: str) -> None:
    """Make a folder outside of the home. Raises OSError when it is not ours alone."""
    folders.make(path, 0o700)
    info = os.lstat(path)
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o077:
        raise PermissionError(errno.EPERM, "%s belongs to somebody else" % path)


def _is_there(place: str) -> bool:
    """Tell whether the worker is in the cache, by listing the folders from above.

    A look at the name itself was rejected: on NFS a name that was looked up too early stays missing
    for seconds.
    """
    folder = os.path.dirname(place)
    return all(folders.listed(one) for one in (os.path.dirname(folder), folder, place))


def _clear_parts(folder: str) -> None:
    """Remove what a client left that died while it fetched; we have its lock.

    If it lives after all, it does without the cache.
    """
    for name in os.listdir(folder):
        if name.endswith(PART):
            try:
                os.unlink(os.path.join(folder, name))
            except FileNotFoundError:  # the other client lives, and has just finished
                continue


def _sums(wanted: Dict[str, str]) -> List[Any]:
    return [one for one in map(_sum, sorted(wanted)) if one is not None]


def _sum(kind: str) -> Optional[Any]:
    try:
        return hashlib.new(kind)
    except ValueError:  # MD5 is switched off on hosts with FIPS rules; SHA-256 remains
        return None


def _feed(sums: List[Any], block: bytes) -> None:
    for one in sums:
        one.update(block)


def read_digests(path: str, sums: List[Any]) -> List[Any]:
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            _feed(sums, block)
    return sums


def remove_if_there(path: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)
