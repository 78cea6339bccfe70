"""A client from its command line to its end: folder, registration, setup, worker, the loop, cleaning up."""

import json
import os
import sys
from typing import Any, Callable, Dict, List, Optional

from . import arguments, exits, guard, log
from .arguments import Options
from .cleanup import clean_up, is_yes, own_file
from .detach import Ready, detached
from .host import anchor, holding
from .host import setup as login
from .host.cache import Worker
from .host.originals import Original
from .host.own_folder import AlreadyRuns, Base
from .host.writers import NOBODY, Others
from .loop.hands import Hands
from .loop.loop import Loop
from .loop.orders import Orders
from .loop.prefetch import Pace
from .loop.renewal import Renewal
from .loop.sending import Senders
from .loop.threads import Asker, Pinger
from .loop.tickets import Tickets
from .machine import facts, process_tree
from .task.settings import Settings
from .task.spawn import keep_files_to_ourselves
from .wire.connection import NotTheMaster, describe
from .wire.goodbye import say_bye
from .wire.lease import Moment, Trust
from .wire.master import FIRST_CONNECT, Line, Master, Query

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "JULIA_NUM_THREADS",
)


def main(argv: Optional[List[str]] = None) -> int:
    """The exit code, after one line on stderr that says why."""
    try:
        options = arguments.parse(argv)
        session = arguments.read_session()
    except exits.Ending as ending:
        log.say(ending.text)
        return ending.code
    base = Base(options.workdir, session, options.host, options.trusted)
    client = Client(options, session, base)
    sys.argv[0] = os.path.abspath(sys.argv[0])  # before any change of directory
    if os.environ.get("XDG_CACHE_HOME"):
        os.environ["XDG_CACHE_HOME"] = os.path.abspath(os.environ["XDG_CACHE_HOME"])
    if options.detach:
        return detached(client.guarded, options.hold)
    return client.guarded(lambda code, text: None)


class Client:
    """One client, in the process that works."""

    def __init__(self, options: Options, session: str, base: Base) -> None:
        self.options, self.session, self.base = options, session, base
        self.began_in = "/"  # where the setup runs
        self.master = Master(options.address, session, base.reread)
        self.config: Dict[str, str] = {}
        self.worker: Optional[Worker] = None
        self.original: Optional[Original] = None  # the worker's
        self.host_ends = Moment(0.0)  # not 0 once a signal has told that the host ends; guard and client share it

    def guarded(self, ready: Ready) -> int:
        """Work, in a process below a guard."""
        return guard.guarded(lambda: self.work(ready), self.base, self.last_words, self.host_ends)

    def work(self, ready: Ready) -> int:
        """Claim the folder, work, clean up. `ready` is told once: that we work, or why not."""
        try:
            guard.release_signals(_end_by_signal)
            process_tree.adopt_orphans()
            process_tree.hear_when_orphaned()
            self.base.claim()
            self.began_in = anchor.shown(anchor.HERE)
            anchor.stand_in(self.base.folder)
        except AlreadyRuns:
            self.base.hand_over(self.options.address)
            return _told(ready, exits.Ending(exits.OK, "already running here; told it the master's address"))
        except exits.Ending as ending:
            return _told(ready, ending)
        return self._work_in_folder(ready)

    def last_words(self) -> Callable[[], None]:
        """Said by the guard when the client was killed: what it had need not wait until its lease is over."""
        self.master.client = self.base.client_id()
        self.master.address = self.base.reread() or self.master.address
        killed = not self.host_ends.is_set()
        return lambda: say_bye(self.master, self.base.left, killed) if self.master.client else None

    def _work_in_folder(self, ready: Ready) -> int:
        try:
            ending = self._session(ready)
        except exits.Ending as fault:
            ending = fault
        except OSError as trouble:
            ending = exits.Ending(exits.OTHER, anchor.words(trouble))
        except Exception:
            ending = exits.unforeseen()
        code = _told(ready, ending)
        clean_up(self.master, self.base, self.config, self.worker, isinstance(ending, exits.Killed))
        return code

    def _session(self, ready: Ready) -> exits.Ending:
        self._begin_log()
        self.base.clear_leftovers()
        line = self.master.line()
        self.config = register(line, self.options, self.base.others)
        self._take_settings()
        if is_yes(self.config, "DeleteClient") and own_file():
            self.base.owe(sys.argv[0])
        environment = self._environment()
        self._have_worker(line)
        line.close()
        ready(exits.OK, "")
        return self._loop(environment)

    def _begin_log(self) -> None:
        if self.options.log or self.options.detach:
            log.to_file(self.options.log or "log")

    def _take_settings(self) -> None:
        self.master.client = self.config.get("Client", "")
        self.base.note_id(self.master.client)
        self.master.grace = _number(self.config, "Grace", self.master.grace)
        nice = int(_number(self.config, "Nice", 0))
        if nice:
            os.nice(nice)

    def _environment(self) -> Dict[str, str]:
        setup = json.loads(self.config["Setup"]) if self.config.get("Setup") else ""
        os.environ[process_tree.MARK] = mark = holding.mark(self.base.folder)  # what a setup leaves has it, too
        variables = login.environment(setup, self.began_in)
        variables[process_tree.MARK] = mark
        if "Cores" in self.config:
            for name in THREADS:
                variables.setdefault(name, self.config["Cores"])
        return variables

    def _have_worker(self, line: Line) -> None:
        if self.config.get("Worker"):
            self.worker = Worker(self.config, facts.platform_name(), "worker", self._owe_worker)
            self._refuse_noexec()
            self.original = self.worker.have(line)

    def _refuse_noexec(self) -> None:
        """Every task would fail here."""
        if is_yes(self.config, "RunsWorker") and os.statvfs(anchor.HERE).f_flag & getattr(os, "ST_NOEXEC", 0):
            text = "the workdir %s is mounted noexec: workers cannot be started there"
            raise exits.Ending(exits.WORKDIR, text % self.base.workdir)

    def _owe_worker(self, path: str) -> None:
        if is_yes(self.config, "DeleteWorker"):
            self.base.owe(path)

    def _loop(self, environment: Dict[str, str]) -> exits.Ending:
        cores = max(1, int(_number(self.config, "Cores", 1)))
        slots = max(1, self.options.slots // cores)
        worker, together = self.worker.name if self.worker else "", is_yes(self.config, "Batch")
        every, most = _number(self.config, "Ping", 0), int(_number(self.config, "MaxResult", 0))
        pace = Pace(slots if together and every > 0 else 0)  # who holds no ping cannot be called for what waits here
        variables = {os.fsencode(name): os.fsencode(value) for name, value in environment.items()}
        trust = Trust(every)
        keep_files_to_ourselves()
        settings = Settings(anchor.HERE, variables, self.original, together, most, is_yes(self.config, "Files"))
        hands = Hands(slots, settings, trust)
        tickets = Tickets(self.master, anchor.HERE, worker, slots, pace, trust)
        tickets.load.cores, tickets.holds = cores, self.config.get("Control", "hold") == "hold"
        orders = Orders(tickets, hands, self.config.get("Ask", "").split())
        renewal = Renewal(tickets, hands, self.worker, self.original, "files")
        loop = Loop(tickets, hands, orders, renewal, self.host_ends)
        log.say("registered with %s, room for %d at a time" % (self.options.address.url, slots))
        asker = Asker(tickets, renewal, orders.fetch)
        return loop.run(asker, Senders(tickets, settings), Pinger(tickets, every))


def _told(ready: Ready, ending: exits.Ending) -> int:
    """Say it here, and to who waits for us to be ready (who listens to the first word only)."""
    log.say(ending.text)
    ready(ending.code, ending.text)
    return ending.code


def register(line: Line, options: Options, others: Others = NOBODY) -> Dict[str, str]:
    """GET /config. One try: who started us wants to know at once. `others`: who else may write in the workdir."""
    query: Query = [("platform", facts.platform_name()), ("host", options.host), ("slots", options.slots), ("pings", 1)]
    query.append(("cores", facts.cores()))
    query += [("others", others.who), ("where", others.where)] if others.who else []
    where = options.address.url
    try:
        reply = line.once("/config", query, connect=FIRST_CONNECT)
    except NotTheMaster as fault:
        raise exits.Ending(exits.CERTIFICATE, "%s: %s" % (where, fault))
    except Exception as fault:
        if isinstance(fault, exits.Ending):
            raise
        raise exits.Ending(exits.NOT_REACHED, "the master at %s cannot be reached: %s" % (where, describe(fault)))
    if reply.status != 200:
        why = (where, reply.status, reply.text)
        raise exits.Ending(exits.OTHER, "the master at %s answers %d to /config: %s" % why)
    lines = os.fsdecode(reply.body).split("\n")  # as file names are: a worker may have an umlaut, a host no locale
    pairs = [line.partition("=") for line in lines if "=" in line]
    return {key.strip(): value.strip() for key, _, value in pairs}


def _number(config: Dict[str, str], key: str, otherwise: float) -> float:
    text = config.get(key, "")
    try:
        return float(text) if text else otherwise
    except ValueError:
        raise exits.Ending(exits.OTHER, "the master's %s=%s is not a number" % (key, text))


def _end_by_signal(number: int, _: Any) -> None:
    """Before the loop runs, a signal ends whatever is going on."""
    raise exits.Ending(128 + number, "ended by signal %d" % number)
