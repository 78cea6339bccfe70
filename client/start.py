"""A client from its command line to its end: folder, registration, setup, worker, loop, clean-up."""

import json
import os
import sys
from functools import partial
from typing import Any, Callable, Dict, List, Optional

from . import arguments, exits, guard, log
from .arguments import ClientOptions
from .cleanup import clean_up, is_yes, own_file
from .detach import Ready, detached
from .host import anchor, holding
from .host import setup as login
from .host.own_folder import AlreadyRuns, OwnFolder, label
from .loop.asking import Asker
from .loop.attempts import AttemptPipeline
from .loop.hands import Hands
from .loop.inbox import Inbox
from .loop.loop import Loop
from .loop.orders import ReceivedOrders
from .loop.pinging import LongPoller, Pinger
from .loop.prefetch import Demand, Prefetch
from .loop.renewal import OriginalRenewal
from .loop.sending import Senders
from .loop.talker import Shared, tell_bound
from .loop.tickets import Tickets
from .machine import facts, process_tree
from .machine.load import Load
from .machine.process_limit import unforeseen
from .registration import hand_over, register
from .shared.cache import Worker
from .shared.originals import Original
from .software import software
from .software.build import Build
from .software.software import Container
from .task.settings import Settings
from .task.spawn import keep_files_to_ourselves
from .wire.bound import Bound
from .wire.goodbye import Unsaid, say_bye
from .wire.lease import Lease, SharedTime
from .wire.master import Master, MasterConnection

# Variables by which libraries learn how many threads to start. Without them each of a host's tasks
# starts as many as the host has cores.
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "JULIA_NUM_THREADS",
)


def main(argv: Optional[List[str]] = None) -> int:
    """Run a client and return its exit code, after one line on stderr that says why it ended."""
    try:
        options = arguments.parse(argv)
        session = arguments.read_session()
    except exits.Ending as ending:
        log.say(ending.text)
        return ending.code
    own_folder = OwnFolder(options.workdir, session, options.host, options.trusted)
    client = Client(options, session, own_folder)
    sys.argv[0] = os.path.abspath(sys.argv[0])  # before any change of directory
    if os.environ.get("XDG_CACHE_HOME"):
        os.environ["XDG_CACHE_HOME"] = os.path.abspath(os.environ["XDG_CACHE_HOME"])
    try:
        if options.detach:
            return detached(client.guarded, options.hold)
        return client.guarded(lambda code, text: None)
    except exits.Ending as ending:  # no process can be started
        log.say(ending.text)
        return ending.code


class Client:
    """The client in the process that works, from its command line to its end."""

    def __init__(self, options: ClientOptions, session: str, own_folder: OwnFolder) -> None:
        self.options, self.session, self.own_folder = options, session, own_folder
        facts.be_called(options.host)
        self.began_in = "/"  # the folder in which the client was started; there the setup runs
        self.master = Master(options.address, session, own_folder.reread)
        self.config: Dict[str, str] = {}
        self.worker: Optional[Worker] = None
        self.original: Optional[Original] = None  # original of the worker
        self.container: Optional[Container] = None
        # Not 0 once a signal has told that the host ends; guard and client share it.
        self.host_ends = SharedTime(0.0)
        self.unsaid = Unsaid()

    def guarded(self, ready: Ready) -> int:
        """Work in a process below a guard. Return the exit code."""
        return guard.guarded(
            partial(self.work, ready),
            self.own_folder,
            self.last_words,
            partial(self.unsaid.say, self.master),
            self.host_ends,
        )

    def work(self, ready: Ready) -> int:
        """Claim the folder, work, clean up.

        `ready` is told once: that the client works, or why not.
        """
        try:
            guard.release_signals(_end_by_signal)
            process_tree.adopt_orphans()
            process_tree.hear_when_orphaned()
            self.own_folder.claim()
            self.began_in = anchor.shown(anchor.HERE)
            anchor.stand_in(self.own_folder.folder)
        except AlreadyRuns:
            return _told(ready, hand_over(self.options.address, self.own_folder))
        except exits.Ending as ending:
            return _told(ready, ending)
        return self._work_in_folder(ready)

    def last_words(self) -> Callable[[], None]:
        """Return what the guard says when the client was killed.

        Without it the master would wait for the leases of the tickets that the client had.
        """
        self.master.client = self.own_folder.client_id()
        self.master.address = self.own_folder.reread() or self.master.address
        killed = not self.host_ends.is_set()

        def say() -> None:
            if self.master.client:
                say_bye(self.master, self.own_folder.left, killed)

        return say

    def _work_in_folder(self, ready: Ready) -> int:
        try:
            ending = self._session(ready)
        except exits.Ending as fault:
            ending = fault
        except OSError as trouble:
            ending = exits.Ending(exits.OTHER, anchor.words(trouble))
        except Exception:
            ending = unforeseen()
        code = _told(ready, ending)
        is_killed = ending.code in (exits.KILLED, exits.FAULT)  # a program may be why
        clean_up(self.master, self.own_folder, self.config, self.worker, is_killed, self.unsaid)
        return code

    def _session(self, ready: Ready) -> exits.Ending:
        self._begin_log()
        self.own_folder.clear_leftovers()
        connection = self.master.connection()
        self.config = register(connection, self.options, self.own_folder.others)
        self._take_settings()
        if is_yes(self.config, "DeleteClient") and own_file():
            self.own_folder.owe(sys.argv[0])
        environment = self._software(connection, self._environment())
        self._have_worker(connection)
        connection.close()
        return self._loop(environment, lambda: ready(exits.OK, ""))

    def _begin_log(self) -> None:
        if self.options.log or self.options.detach:
            log.to_file(self.options.log or "log")

    def _take_settings(self) -> None:
        self.master.client = self.config.get("Client", "")
        self.own_folder.note_id(self.master.client)
        self.master.grace = _number(self.config, "Grace", self.master.grace)
        os.nice(int(_number(self.config, "Nice", 0)))

    def _environment(self) -> Dict[str, str]:
        setup = json.loads(self.config["Setup"]) if self.config.get("Setup") else ""
        mark = holding.mark(self.own_folder.folder)
        os.environ[process_tree.MARK] = mark  # processes that a setup leaves have it, too
        variables = login.environment(setup, self.began_in)
        variables[process_tree.MARK] = mark
        if "Cores" in self.config:
            for name in THREADS:
                variables.setdefault(name, self.config["Cores"])
        return variables

    def _software(
        self, connection: MasterConnection, environment: Dict[str, str]
    ) -> Dict[str, str]:
        """Make what the sweep brings along. Return the environment with it."""
        if not is_yes(self.config, "Software"):
            return environment
        public = label(self.session)
        user = "%s-%s-%s" % (public, self.options.host, self.master.client)
        own = anchor.shown(anchor.HERE)

        def make(said: Dict[str, Any], python: str) -> Build:
            return Build(said, public, user.replace("/", "_"), python, self.options.cache)

        made = software.bring(self.master, connection, environment, make, own, self.own_folder.owe)
        self.container = made.container
        return made.environment

    def _have_worker(self, connection: MasterConnection) -> None:
        if self.config.get("Worker"):
            name = facts.platform_name()
            self.worker = Worker(self.config, name, "worker", self._owe_worker, self.options.cache)
            self._refuse_noexec()
            self.original = self.worker.have(connection)

    def _refuse_noexec(self) -> None:
        """End when no worker can be started in the workdir: every task would fail here."""
        if not is_yes(self.config, "RunsWorker"):
            return
        if os.statvfs(anchor.HERE).f_flag & getattr(os, "ST_NOEXEC", 0):
            text = "the workdir %s is mounted noexec: workers cannot be started there"
            raise exits.Ending(exits.WORKDIR, text % self.own_folder.workdir)

    def _owe_worker(self, path: str) -> None:
        if is_yes(self.config, "DeleteWorker"):
            self.own_folder.owe(path)

    def _loop(
        self, environment: Dict[str, str], ready: Callable[[], None] = lambda: None
    ) -> exits.Ending:
        """Fork the hands, make the parts of the loop and its threads, and work until the end.

        `ready` is called once all run: what fails before is said in the foreground.
        """
        cores = max(1, int(_number(self.config, "Cores", 1)))
        slots, every = max(1, self.options.slots // cores), _number(self.config, "Ping", 0)
        lease, settings = Lease(every), self._task_settings(environment)
        keep_files_to_ourselves()
        # Before there is any thread: each hand is a fork of this process.
        hands = Hands(slots, settings, lease)
        shared = self._shared(slots, cores, every, lease)
        orders = ReceivedOrders(shared, hands, self.config.get("Ask", "").split())
        renewal = OriginalRenewal(shared, hands, self.worker, self.original, "files")
        attempts = AttemptPipeline(
            shared, hands, renewal, Senders(shared, settings), self.host_ends
        )
        loop = Loop(shared, hands, attempts, renewal, orders.is_answering, self.host_ends)
        tell_bound(shared, self.config.get("Slots"))
        log.say("registered with %s, %d tasks at a time" % (self.options.address.url, slots))
        asker = Asker(shared, renewal, orders.fetch)
        return loop.run(
            asker, [Pinger(shared, every), LongPoller(shared, every, orders.fetch)], ready
        )

    def _task_settings(self, environment: Dict[str, str]) -> Settings:
        variables = {os.fsencode(name): os.fsencode(value) for name, value in environment.items()}
        return Settings(
            base=anchor.HERE,
            environment=variables,
            worker=self.original,
            together=is_yes(self.config, "Batch"),
            max_result=int(_number(self.config, "MaxResult", 0)),
            lists_files=is_yes(self.config, "Files"),
            keep_failed=int(_number(self.config, "KeepFailed", 0)),
            container=self.container,
        )

    def _shared(self, slots: int, cores: int, every: float, lease: Lease) -> Shared:
        # A client that holds no ping open cannot be called for what waits here, so it fetches
        # nothing ahead.
        may_prefetch = is_yes(self.config, "Batch") and every > 0
        demand = Demand(slots)
        return Shared(
            master=self.master,
            inbox=Inbox(),
            tickets=Tickets(demand, lease),
            demand=demand,
            prefetch=Prefetch(slots if may_prefetch else 0),
            lease=lease,
            load=Load(cores=cores),
            bound=Bound(),
            base=anchor.HERE,
            worker_name=self.worker.name if self.worker else "",
            may_hold=self.config.get("Control", "hold") == "hold",
        )


def _told(ready: Ready, ending: exits.Ending) -> int:
    """Log how the client ends, and tell who waits the first word of it. Return the exit code."""
    log.say(ending.text)
    ready(ending.code, ending.text)
    return ending.code


def _number(config: Dict[str, str], key: str, otherwise: float) -> float:
    text = config.get(key, "")
    try:
        return float(text) if text else otherwise
    except ValueError:
        raise exits.Ending(exits.OTHER, "the master's %s=%s is not a number" % (key, text))


def _end_by_signal(number: int, _: Any) -> None:
    """Handle a signal before the loop runs: it ends whatever is going on."""
    raise exits.Ending(128 + number, "ended by signal %d" % number)
