"""The master of one job: started, told its grant, asked for its report."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import SpeError, UsageError
from ..model import TaskState
from ..pool.joining.knocking import boot_id
from ..session import detached
from ..session.calling import find
from ..session.living import living
from ..store.reader import Reader
from ..text import printable
from . import orders
from .answers import Granted
from .orders import Order

CLIENTS_END = 300.0  # seconds after which clients without a master have ended and cleared up
GONE = 60.0  # seconds after which a folder that is missing does not come back
NOTHING_RAN = (2, 3)  # exit codes of a run with an error that its user must know
STARTS = 3  # of a master that ends before it has answered; then the job is given up
LONGEST_WORDS = 10_000  # bytes at the end of a log
Json = Mapping[str, Any]


class Master:
    """The master of one order. Lives as long as the delegate, across deaths of the master."""

    def __init__(self, order: Order, accepts: Callable[[str], bool]) -> None:
        """accepts: whether the user lets programs be started on a host of this name."""
        self.order = order
        self._folder = Path(order.runs)
        self._accepts = accepts
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self._was_up = order.has_begun
        self._heard = time.monotonic()  # when the master answered last
        self._is_stopped = False
        self._gone_since: float | None = None  # the folder of the job
        self._report: dict[str, Any] | None = None  # the latest
        self._taken: list[int] | None = None  # serial of the latest report that the farm took in
        self.is_new = False  # the farm has just taken its first report: it may start clients once it knows
        self.ended = ""  # how it ended, in one sentence

    def step(self, grant: Granted) -> dict[str, Any] | None:
        """Do what a grant asks for, and return the report to the farm; None while there is none."""
        if grant.state == "cancelled":
            self._stop(grant)
        elif not self._lives():
            self._start_if_granted(grant)
        if self.ended:
            return self._last_report()
        tasks = {host: n for host, n in grant.tasks.items() if self._accepts(host)}
        slots = {host: n for host, n in grant.slots.items() if host in tasks}
        machines = {host: boot for host, boot in grant.machines.items() if host in tasks}
        order = {"do": "allow", "epoch": grant.epoch, "number": grant.number}
        self.is_new = False
        said = self._tell(
            {**order, "tasks": tasks, "slots": slots, "machines": machines, "taken": self._taken}
        )
        if said is None:
            return None
        self._note_begun()
        self._starts, self._heard = 0, time.monotonic()
        refused = [host for host in grant.tasks if not self._accepts(host)]
        why = "its user has not accepted this host: spe farm join --update"
        said["faults"] = {**said.get("faults", {}), **dict.fromkeys(refused, why)}
        self._report = said
        return said

    def note_taken(self) -> None:
        """Note that the farm has taken in the latest report, which its master is to know."""
        serial = list(self._report["serial"]) if self._report else None
        self.is_new = serial is not None and (self._taken is None or self._taken[0] != serial[0])
        self._taken = serial

    def _lives(self) -> bool:
        """Tell whether the run is going on. What ran before this boot of the machine is dead.

        Its number and its beginning may be those of another process now.
        """
        return self.order.boot in ("", boot_id()) and living(self._folder) is not None

    def _note_begun(self) -> None:
        """Remember that the run has answered, also for the next delegate."""
        self._was_up = True
        if not self.order.has_begun:
            self.order = replace(self.order, has_begun=True)
            orders.save(self.order)

    def _words(self) -> list[str]:
        """Return the words that start the run. One that goes on must not run all sets once more."""
        once = ("--fresh", "--missing") if self._was_up else ()
        at = self.order.words.index("--") if "--" in self.order.words else len(self.order.words)
        own = [word for word in self.order.words[:at] if word not in once]
        job = f"{self.order.farm}/{self.order.job}"
        return ["run", "--granted", job, *own, *self.order.words[at:]]

    def _start_if_granted(self, grant: Granted) -> None:
        """Start the master where it is not, or note how it has ended."""
        if self._process is not None and self._process.poll() is None:
            return  # it is only just beginning
        if self._was_up and detached.killed(self._folder) is None:
            self.ended = "its run has ended"
            if self._process is not None and self._process.returncode in NOTHING_RAN:
                self.ended += f": {last_words(self._folder)}"
            return
        if self._starts >= STARTS:
            self.ended = f"its run does not start: {last_words(self._folder)}"
            return
        is_wanted = grant.is_next or any(grant.tasks.values())
        if (self._was_up or is_wanted) and self._has_folder():
            self._start()

    def _has_folder(self) -> bool:
        """Tell whether the folder of the sweep is there. A job is over once it is gone for a while.

        Asked first: to make the run's folder would make the sweep's anew, without its files.
        """
        try:
            if Path(self.order.cwd).is_dir():
                self._gone_since = None
                return True
        except OSError:
            pass  # a file system that does not answer may come back
        now = time.monotonic()
        self._gone_since = now if self._gone_since is None else self._gone_since
        if now - self._gone_since >= GONE:
            self.ended = f"the folder of its sweep is gone: {self.order.cwd}"
        return False

    def _start(self) -> None:
        """Start the run."""
        self._starts += 1
        if self.order.boot not in ("", boot_id()):
            # From now on what lives in the folder is of this boot.
            self.order = replace(self.order, boot=boot_id())
            orders.save(self.order)
        given = self.order.given.encode()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._process = detached.begin(self._words(), self._folder, given, cwd=self.order.cwd)
        except OSError as error:
            self.ended = f"its folder cannot be used: {error}"

    def _stop(self, grant: Granted) -> None:
        """End a job that was cancelled."""
        if self._lives() and not self._is_of_job(grant):
            self.ended = "cancelled"
        elif not self._lives():
            # Clients of a master that was killed work on until they have borne its silence.
            was_killed = detached.killed(self._folder) is not None
            if not was_killed or time.monotonic() - self._heard > CLIENTS_END:
                self.ended = "cancelled"
        elif not self._is_stopped:
            self._is_stopped = self._tell({"do": "stop", "now": True}) is not None

    def _is_of_job(self, grant: Granted) -> bool:
        """Tell whether the run there is that of the job, and no other one of its user."""
        if self._was_up or (self._process is not None and self._process.poll() is None):
            return True
        # It may have been begun by a delegate that died. Only a run of a job takes in grants.
        order = {"do": "allow", "epoch": grant.epoch, "number": grant.number}
        return self._tell({**order, "tasks": {}, "slots": {}}) is not None

    def _last_report(self) -> dict[str, Any]:
        """Return that nothing of the job is out any more."""
        last = self._report or {"serial": [0, 0], "epoch": 0, "number": 0}
        run, serial = last["serial"]
        none: dict[str, Any] = {"allowed": {}, "out": {}, "wants": 0, "up": [], "most": {}}
        counts = _counts(self._folder)
        return {**last, **none, **counts, "serial": [run + 1, serial + 1], "ended": self.ended}

    def _tell(self, order: Json) -> dict[str, Any] | None:
        """Return what the master says to an order; None while there is none that answers."""
        try:
            place = find(self._folder)
            connection = place.connect()
        except (UsageError, OSError):
            return None
        try:
            connection.request("POST", f"/act?token={place.acting_token()}", json.dumps(order))
            answer = connection.getresponse()
            said = json.loads(answer.read())
        except (OSError, ValueError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        found = said.get("said") if isinstance(said, dict) else None
        return found if isinstance(found, dict) else {} if found else None


def last_words(folder: Path) -> str:
    """Return what a run that did not come up has said last, in one line, and where more stands."""
    log = folder / detached.LOG
    try:
        text = log.read_bytes()[-LONGEST_WORDS:].decode("utf-8", "replace")
    except OSError:
        return f"see {log}"
    lines = text.splitlines()
    # An error begins with `spe: `, and its next step stands in the line behind.
    at = max((at for at, line in enumerate(lines) if line.startswith("spe: ")), default=None)
    if at is None:
        return f"see {log}"
    return printable(lines[at].removeprefix("spe: "))[:160]


def _counts(folder: Path) -> dict[str, int]:
    """Return how many sets there are, are done and have failed; {} where that cannot be read."""
    try:
        with Reader(folder) as reader:
            found = reader.counts()
    except SpeError:
        return {}
    failed = found.get(TaskState.FAILED, 0)
    return {"sets": sum(found.values()), "done": found.get(TaskState.DONE, 0), "failed": failed}
