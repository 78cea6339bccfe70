"""A build: a folder that is made once a home, whoever comes first, and shared by its hosts.

It lies in the cache under its key. Equal keys mean equal folders, so one that is whole is used as
it is. The lock is held while it is made; who waits for it and finds that the other has failed fails
with the same words, so a broken build is tried once a home.
"""

import json
import os
import stat
import subprocess
import tarfile
import zlib
from typing import Any, Callable, Dict, List, Tuple

from .. import exits, log
from ..host import folders, shared_folder
from ..host.lock import LockFile
from ..host.removal import remove_tree
from ..host.setup import how, run
from ..shared.cache import cache_folder, claim
from ..shared.inputs import fetch
from ..wire.master import MasterConnection

WHOLE = ".spe-whole"  # a file in the folder of a build that is done
MOST_LINES = 5  # last lines of a build that failed
MOST_SAID = 600  # characters of them
TEMPORARY = ".spe-tmp"  # a folder in it for temporary files of the program, while it runs


class Superseded(Exception):
    """Raised when another client has taken us for dead, and the lock and the folder with it."""


class Build:
    """One build of this host. Lives until its folder is there."""

    def __init__(
        self, said: Dict[str, Any], session: str, user: str, python: str, cache: str = ""
    ) -> None:
        """Take what /software says of it.

        `session` and `user`: the public names of session and client. `python` makes environments.
        `cache`: a folder of our own in the place of the user's cache folder.
        """
        self._cache = cache
        self.has_failed = False  # True: it was tried here, and others of this home are to learn it
        self.kind, self.shown, self.key = said["kind"], said["shown"], said["key"]
        self.files: List[Tuple[str, str, int]] = [(one[0], one[1], one[2]) for one in said["files"]]
        self.words = [python if word == "{python}" else word for word in said["words"]]
        self.unpack, self.timeout = said["unpack"], float(said["timeout"])
        self.is_kept = bool(said["keep"])
        self.path, self.variables = said["path"], said["variables"]
        self.programs, self.image = said["programs"], said["image"]
        self._session, self._user = session, user
        for name in [one[0] for one in self.files] + [self.key]:
            if name.startswith("/") or ".." in name.split("/"):
                raise exits.Ending(
                    exits.SOFTWARE, "the build %s has a file %r" % (self.shown, name)
                )

    def have(
        self,
        connection: MasterConnection,
        environment: Dict[str, str],
        own: str,
        owe: Callable[[str], None],
    ) -> str:
        """Make the folder, or wait until another host has made it. Return its path.

        `own`: our own folder, where it is made when the cache cannot be used. `owe` is told what is
        to be left when this client ends.
        """
        place = os.path.join(self._cache or cache_folder(), "built", self.key[:32])
        try:
            if self._cache:
                claim(self._cache)
            return self._have_shared(connection, environment, place, owe)
        except OSError as fault:
            log.say("the cache folder cannot be used (%s); this host makes its own" % fault)
        place = os.path.join(own, "built-" + self.kind)
        try:
            self._make(connection, environment, place, lambda: True)
        except OSError as fault:
            raise exits.Ending(exits.SOFTWARE, "%s: %s" % (self.shown, fault))
        return place

    def _have_shared(
        self,
        connection: MasterConnection,
        environment: Dict[str, str],
        place: str,
        owe: Callable[[str], None],
    ) -> str:
        mark = shared_folder.mark_of(place, shared_folder.KEPT if self.is_kept else self._user)
        if not self.is_kept:
            owe(mark)
        # Before the lock: whoever leaves must see that somebody waits.
        shared_folder.join(mark)
        while True:
            try:
                with LockFile(place + shared_folder.LOCK) as lock:
                    if not folders.listed(os.path.join(place, WHOLE)):
                        self._refuse_again(place + shared_folder.FAILED)
                        self._make_or_note(connection, environment, place, lock)
                return place
            except Superseded:
                log.say("%s is made by another host: this one was silent for too long" % self.shown)

    def _refuse_again(self, noted: str) -> None:
        """End if another client of this session has failed to make it."""
        try:
            with open(noted, encoding="utf-8", errors="surrogateescape") as file:
                session, text = json.load(file)
        except (OSError, ValueError):
            return
        if session == self._session:
            raise exits.Ending(exits.SOFTWARE, text)

    def _make_or_note(
        self, connection: MasterConnection, environment: Dict[str, str], place: str, lock: LockFile
    ) -> None:
        try:
            self._make(connection, environment, place, lock.is_held)
        except exits.Ending as ending:
            if ending.code == exits.SOFTWARE:
                with open(place + shared_folder.FAILED, "w", encoding="utf-8") as file:
                    json.dump([self._session, ending.text], file)
                self.has_failed = True
            raise

    def _make(
        self,
        connection: MasterConnection,
        environment: Dict[str, str],
        place: str,
        is_held: Callable[[], bool],
    ) -> None:
        remove_tree(place)  # what a client left that was killed meanwhile
        os.makedirs(place, mode=0o700)
        number = os.stat(place).st_ino

        def is_ours() -> bool:
            """Tell whether nobody has taken us for dead, and made the folder anew."""
            try:
                return is_held() and os.stat(place).st_ino == number
            except OSError:
                return False

        try:
            self._fill(connection, environment, place)
            if not is_ours():
                raise Superseded()
            with open(os.path.join(place, WHOLE), "w"):
                pass
            _make_read_only(place)
        except BaseException as fault:
            if is_ours():
                remove_tree(place)
            elif not isinstance(fault, Superseded):
                raise Superseded()
            raise

    def _fill(self, connection: MasterConnection, environment: Dict[str, str], place: str) -> None:
        """Bring the files, and run what makes something of them."""
        log.say("making %s" % self.shown)
        for name, sha256, mode in self.files:
            path = os.path.join(place, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            fetch(connection, sha256, path)
            os.chmod(path, mode)
        if self.unpack:
            self._unpack(os.path.join(place, self.unpack), place)
        if self.words:
            self._run(environment, place)
        if self.path and not os.path.isdir(os.path.join(place, self.path)):
            text = "%s has no folder %s: pack what is in the environment, without a folder around it"
            raise self._failed(text % (self.shown, self.path))

    def _unpack(self, archive: str, place: str) -> None:
        """Unpack the user's own archive, which may hold links to programs of the host."""
        try:
            with tarfile.open(archive) as file:
                for one in file:
                    self._check_member(one)
                if hasattr(tarfile, "fully_trusted_filter"):
                    file.extraction_filter = tarfile.fully_trusted_filter
                file.extractall(place)
        except (tarfile.TarError, EOFError, zlib.error) as fault:
            raise self._failed("%s cannot be unpacked: %s" % (self.shown, fault))
        os.unlink(archive)

    def _check_member(self, one: tarfile.TarInfo) -> None:
        # Symbolic links may lead to the host's Python. A hard link would be a file of the user's.
        names = [one.name, one.linkname] if one.islnk() else [one.name]
        for name in names:
            if name.startswith("/") or ".." in name.split("/"):
                text = "%s has the file %s, which would lie outside of its folder"
                raise self._failed(text % (self.shown, name))

    def _run(self, environment: Dict[str, str], place: str) -> None:
        said = os.path.join(place, ".spe-output")
        # Of the build and not of /tmp: it is removed with the build, also where this client is
        # killed while pip has files there.
        temporary = os.path.join(place, TEMPORARY)
        os.mkdir(temporary)
        there = dict(environment, TMPDIR=temporary)
        with open(said, "wb") as output:
            try:
                code = run(self.words, place, output.fileno(), self.timeout, env=there)
            except subprocess.TimeoutExpired:
                text = "%s failed: it took more than %g s%s"
                raise self._failed(text % (self.shown, self.timeout, _last_lines(said)))
        if code:
            raise self._failed("%s failed (%s)%s" % (self.shown, how(code), _last_lines(said)))
        os.unlink(said)
        remove_tree(temporary)

    def _failed(self, text: str) -> exits.Ending:
        return exits.Ending(exits.SOFTWARE, text)


def _make_read_only(place: str) -> None:
    """Take the right to write from all in it: tasks share it, and none may read what another wrote."""
    for folder, _, names in os.walk(place):
        for path in [folder] + [os.path.join(folder, name) for name in names]:
            if not os.path.islink(path):
                mode = stat.S_IMODE(os.lstat(path).st_mode)
                os.chmod(path, mode & ~0o222)


def _last_lines(path: str) -> str:
    with open(path, "rb") as file:
        lines = file.read()[-8192:].decode("utf-8", "replace").strip().split("\n")
    text = " / ".join(line.strip() for line in lines[-MOST_LINES:] if line.strip())
    return ": " + text[-MOST_SAID:] if text else ", and said nothing"
