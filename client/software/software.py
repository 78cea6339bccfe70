"""The software of a sweep on this host: environment, image and prepared folder, before any task."""

import json
import os
import shutil
import signal
import threading
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from .. import exits
from ..wire.master import Master, MasterConnection
from . import python
from .build import Build

MOST_TOLD = 2000  # bytes of the reason why a build has failed
HEARD = 15  # seconds that a ping is held while something is made


class Container(NamedTuple):
    """The program that runs commands in an image."""

    program: str
    image: str
    binds: List[str]  # folders of builds, which are to be seen inside


class Software(NamedTuple):
    """The parts of it that tasks use."""

    environment: Dict[str, str]
    container: Optional[Container] = None


def bring(
    master: Master,
    connection: MasterConnection,
    environment: Dict[str, str],
    make: Callable[[Dict[str, Any], str], Build],
    own: str,
    owe: Callable[[str], None],
) -> Software:
    """Make all builds of this host. Return the environment with them.

    `make` returns the Build of what the master says; `own` is our folder. Raises Ending.
    """
    with _Heartbeat(master):
        chosen = python.chosen(environment)
        made = environment
        container = None
        binds: List[str] = []
        script = connection.ask("/software", []).body
        for said in _asked(connection, python.describe(chosen, script, environment)):
            build = make(said, chosen)
            try:
                program = _program(build.programs, made)
                place = build.have(connection, made, own, owe)
            except exits.Ending as ending:
                if ending.code == exits.SOFTWARE:
                    _tell_failure(connection, build, ending.text)
                raise
            made = _with(made, build, place)
            if program:
                container = Container(program, os.path.join(place, build.image), binds)
            else:
                binds.append(place)
    return Software(made, container)


def _tell_failure(connection: MasterConnection, build: Build, text: str) -> None:
    """Tell the master why this host cannot work: a short sweep may be over before this client is.

    Where the build was tried here, stay for a moment: hosts of this home find that, and do not try
    it.
    """
    # Cut by its bytes: each is up to three characters of an address, which servers limit to 8 kB.
    said = text.encode("utf-8", "replace")[:MOST_TOLD].decode("utf-8", "ignore")
    if not build.has_failed:
        connection.ask("/software", [("said", said)])
        return
    reply = connection.ask("/software", [("failed", build.kind), ("said", said)])
    time.sleep(float(reply.headers.get("Linger") or 0))


def _asked(connection: MasterConnection, description: str) -> List[Dict[str, Any]]:
    """Return what the master says that this host is to make."""
    while True:
        reply = connection.ask("/software", [("python", description)])
        if reply.status == 200:
            found = json.loads(reply.body.decode("utf-8"))
            return list(found)
        if reply.status != 503:
            raise exits.Ending(exits.SOFTWARE, reply.text)


def _program(names: List[str], environment: Dict[str, str]) -> str:
    """Return the program that runs commands in images; "" where none is needed."""
    path = environment.get("PATH", os.defpath)
    found = [one for one in (shutil.which(name, path=path) for name in names) if one]
    if names and not found:
        raise exits.Ending(exits.SOFTWARE, "there is no %s on this host" % " or ".join(names))
    return found[0] if found else ""


def _with(environment: Dict[str, str], build: Build, place: str) -> Dict[str, str]:
    made = dict(environment)
    if build.path:
        folder = os.path.join(place, build.path)
        made["PATH"] = os.pathsep.join([folder, environment.get("PATH", os.defpath)])
    for name, path in build.variables.items():
        made[name] = os.path.join(place, path) if path else place
    if build.kind == "venv":
        made.pop("PYTHONHOME", None)  # as `activate` does: it would lead Python elsewhere
    return made


class _Heartbeat:
    """Tells the master now and then that this client lives, while it makes or waits for a build.

    When the master says that the sweep is over, the work on builds ends as by a signal.
    """

    def __init__(self, master: Master) -> None:
        self._connection = master.connection()
        self._done = threading.Event()
        self._is_over = False
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: Any, ending: Any, _: Any) -> None:
        self._done.set()
        self._connection.close()  # ends a ping that is held
        self._thread.join()
        # A build that has failed is told also then: the host could not have worked.
        if self._is_over and isinstance(ending, exits.Ending) and ending.code != exits.SOFTWARE:
            raise exits.Ending(exits.OK, "the sweep is over")

    def _go_on(self) -> None:
        while not self._done.is_set():
            try:
                reply = self._connection.once("/ping", [("wait", HEARD)])
            except Exception:  # the thread that works says more, should it matter
                self._done.wait(1.0)
                continue
            if reply.headers.get("Over") and not self._done.is_set():
                self._is_over = True
                os.kill(os.getpid(), signal.SIGTERM)  # start.py: it ends whatever is going on
                return
            # An answer that comes at once, as from a master that holds no pings.
            self._done.wait(1.0)
