"""The worker on this host: found in the user's cache folder and checked, or fetched; then a copy of our own.

The cache folder may be shared by many hosts: one of them fetches while the others wait for its lock file, and
what lies under its final name is always whole. Our own copy is safe from others' cleaning up.
"""

import hashlib
import os
import threading
from collections import OrderedDict
from typing import Any, Callable, Dict, List, Optional, Set

from .. import exits, log
from ..machine import facts
from ..wire.master import Line
from . import folders, lock
from .originals import WORKER, Original, seal

BLOCK, PART = 1 << 20, ".part"
TRIES = 3


def cache_folder() -> str:
    """Where workers and clients stay between runs: the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(os.path.abspath(home), "spe")


class Worker:
    """One worker as /config names it. `path` is our own copy once it was had: the original of those that tasks get."""

    def __init__(
        self, config: Dict[str, str], platform: str, target: str, owe: Callable[[str], None] = lambda path: None
    ) -> None:
        """`owe` is told what is to be deleted, before it is there."""
        self.name, self.platform = config["Worker"], platform
        self.path = os.path.join(target, self.name)
        self.sums = {kind: config[key].lower() for kind, key in _KINDS if config.get(key)}
        self._owe = owe
        self.fetched = ""  # the file in the cache folder, if it was us who fetched it
        if "/" in self.name or self.name in ("", ".", "..") or "\0" in self.name:
            raise exits.Ending(exits.WORKER, "the worker's name %r is not a file name" % self.name)

    def have(self, line: Line) -> Original:
        """Make our copy, from the cache or from the master, and return it as the original of what tasks get.

        A copy that is there already is replaced by a new file.
        """
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        _remove(self.path)  # tasks may be linked to it: nothing is written into what they have
        self._bring(line)
        return seal(WORKER, self.path)

    def _bring(self, line: Line) -> None:
        if not self.sums:
            return self._fetch(line, self.path)  # a master that names no checksum: nothing could be found again
        try:
            self._have_through_cache(line, self._place())
        except OSError as fault:
            log.say("the cache folder cannot be used (%s); fetching the worker without it" % fault)
            self._fetch(line, self.path)
        return None

    def _place(self) -> str:
        key = self.sums.get("sha256") or self.sums["md5"]
        return os.path.join(cache_folder(), "workers", key, self.name)

    def _have_through_cache(self, line: Line, place: str) -> None:
        for _ in range(TRIES):  # another client's cleaning up may come between the two steps
            if _is_there(place) and self._copy(place):
                return
            self._put_into_cache(line, place)
        self._fetch(line, self.path)

    def _put_into_cache(self, line: Line, place: str) -> None:
        folder = os.path.dirname(place)
        try:
            self._fetch_once(line, place, folder)
        finally:  # nothing to remove, when all went well
            folders.unmake(folder, surely_ours=True)  # its name is a checksum
            folders.unmake(os.path.dirname(folder))

    def _fetch_once(self, line: Line, place: str, folder: str) -> None:
        """One of all clients fetches; those who waited for it find that it is there."""
        folders.make(os.path.dirname(folder))
        with lock.LockFile(folder + ".lock"):
            if not (_is_there(place) and self._is_right(place)):
                folders.make(folder)
                _clear_parts(folder)
                self._owe(place)
                self._fetch(line, place)
                self.fetched = place

    def _copy(self, place: str) -> bool:
        """Copy and check in one reading; False when it is absent or not the right one."""
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
            return self._agree(_read(path, _sums(self.sums)))
        except FileNotFoundError:
            return False

    def _agree(self, sums: List[Any]) -> bool:
        return all(one.hexdigest() == self.sums[one.name] for one in sums)

    def _fetch(self, line: Line, path: str) -> None:
        """Under a name of our own, checked, on disk; then renamed into place."""
        temporary = "%s.%s.%d%s" % (path, facts.host_name(), os.getpid(), PART)
        try:
            for _ in range(TRIES):
                self._download(line, temporary)
                if self._is_right(temporary):
                    os.chmod(temporary, 0o755)
                    os.replace(temporary, path)
                    return
        finally:
            if os.path.exists(temporary):
                os.unlink(temporary)
        raise exits.Ending(exits.WORKER, "the worker %s came %d times with a wrong checksum" % (self.name, TRIES))

    def _download(self, line: Line, path: str) -> None:
        log.say("fetching the worker %s for %s" % (self.name, self.platform))
        try:
            reply = line.ask("/worker", [("name", self.name), ("platform", self.platform)], into=path, timeout=60.0)
        except exits.SessionRefused as fault:
            raise exits.Ending(exits.WORKER, "the worker %s cannot be had: %s" % (self.name, fault))
        if reply.status != 200:
            why = (self.name, reply.status, reply.text)
            raise exits.Ending(exits.WORKER, "the worker %s cannot be had: %d %s" % why)

    def forget(self) -> None:
        """DeleteWorker: what we fetched goes, and the folders that were made for it."""
        if self.fetched and os.path.exists(self.fetched):
            os.unlink(self.fetched)
            folders.unmake(os.path.dirname(self.fetched), surely_ours=True)


_KINDS = (("md5", "MD5"), ("sha256", "SHA256"))


def _is_there(place: str) -> bool:
    """By listing from above: no name of it is looked up before it is there."""
    folder = os.path.dirname(place)
    return all(folders.listed(one) for one in (os.path.dirname(folder), folder, place))


def _clear_parts(folder: str) -> None:
    """What one left that died while it fetched; we have its lock. If it lives after all, it does without the cache."""
    for name in os.listdir(folder):
        if name.endswith(PART):
            try:
                os.unlink(os.path.join(folder, name))
            except FileNotFoundError:  # it lives, and has just finished
                continue


def _sums(wanted: Dict[str, str]) -> List[Any]:
    return [one for one in map(_sum, sorted(wanted)) if one is not None]


def _sum(kind: str) -> Optional[Any]:
    try:
        return hashlib.new(kind)
    except ValueError:  # MD5 is switched off on hosts with certain security rules; SHA-256 stands
        return None


def _feed(sums: List[Any], block: bytes) -> None:
    for one in sums:
        one.update(block)


def _read(path: str, sums: List[Any]) -> List[Any]:
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            _feed(sums, block)
    return sums


class InputCache:
    """Input files that many tasks share: each is fetched once and kept for the session, within a limit.

    Two threads use it: the one that asks for tasks, and one that fetches a changed file again.
    """

    def __init__(self, folder: str, limit: int = 1 << 30, needed: Callable[[], Set[str]] = set) -> None:
        """`limit` in bytes. `needed` returns the checksums of files that tasks here still need: they stay."""
        self.folder, self.limit, self._needed = folder, limit, needed
        self.kept: "OrderedDict[str, Original]" = OrderedDict()  # by checksum, the one used last at the end
        self._lock = threading.Lock()

    def have(self, line: Line, sha256: str) -> Original:
        """Return the original with this checksum, fetched again if somebody has changed it. Raises OSError."""
        with self._lock:
            original = self.kept.get(sha256)
            if original is None or not original.is_right():
                try:
                    self.kept[sha256] = original = self._bring(line, sha256)
                except OSError:
                    self.kept.pop(sha256, None)
                    raise
            self.kept.move_to_end(sha256)
            self._make_room()
        return original

    def _bring(self, line: Line, sha256: str) -> Original:
        if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
            raise OSError("%r is not a SHA-256" % sha256)
        path = os.path.join(self.folder, sha256)
        new = path + PART  # tasks may be linked to what is there: nothing is written into that
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        try:
            self._fetch(line, sha256, new)
            os.replace(new, path)
        except OSError:
            _remove(new)  # half of it would fill a full disk for good
            raise
        return seal(sha256, path)

    def _fetch(self, line: Line, sha256: str, path: str) -> None:
        for _ in range(TRIES):
            reply = line.ask("/file", [("sha256", sha256)], into=path, timeout=60.0)
            if reply.status != 200:
                raise OSError("the master does not give out the file %s: %d %s" % (sha256, reply.status, reply.text))
            if _read(path, [hashlib.sha256()])[0].hexdigest() == sha256:
                return
        raise OSError("the file %s came %d times with a wrong checksum" % (sha256, TRIES))

    def _make_room(self) -> None:
        room = self.limit - sum(one.size for one in self.kept.values())
        if room >= 0:
            return
        needed = self._needed()
        for one in list(self.kept.values())[:-1]:
            if room < 0 and one.key not in needed:
                room += one.size
                del self.kept[one.key]
                _remove(one.path)


def _remove(path: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)
