"""Carrying out one order: what a person wants to see of a running task, or to have done with it.

What comes of an order goes to the master by `/answer`, piece by piece.
"""

import errno
import json
import os
import select
import signal
import stat
import subprocess
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Set

from .. import log
from ..machine import processes
from ..task.attempt import Attempt
from ..wire.master import Query
from .allowed import ANY, is_ps, narrowed, refusal
from .hands import Hands
from .talker import Shared, Talker

MOST_AT_ONCE = 16
PIECE = 1 << 16  # bytes of output in one answer
LOOK = 0.1  # seconds between looks at a file that may grow
STILL = 5.0  # seconds without news after which the master is asked whether anybody still listens
FINISHED = "the task has finished"
NOT_BEGUN = "the task has not begun, it waits for a slot on this host"
BEGIN_TIME = 5.0  # seconds for a task that a hand holds ready to begin
NO_LINK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # nor wait for somebody to write into a pipe
NO_FILE = "what the task prints is no file any more: the task has put something else in its place"
SIGNALS = {"stop": signal.SIGSTOP, "continue": signal.SIGCONT}


class CannotCarryOut(Exception):
    """Why an order is not carried out (any further), in one sentence."""


class NobodyListens(Exception):
    """Nobody wants to know any more."""


class PlainBody:
    """A body of bytes as they are."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.headers = {"Content-Type": "application/octet-stream", "Content-Length": str(len(data))}

    def content(self) -> bytes:
        """All of it."""
        return self._data


class Carrier(Talker):
    """Carries out one order."""

    def __init__(
        self, shared: Shared, order: Dict[str, Any], hands: Hands, allowed: List[str], carriers: "Set[Carrier]"
    ) -> None:
        """`carriers`: all that are at work; this one leaves them at its end."""
        super().__init__(shared)
        self.order, self.hands, self.allowed, self._carriers = order, hands, allowed, carriers
        self.ticket = int(order.get("ticket", 0))
        self._deeds: Dict[str, Callable[[], int]] = {
            "run": self._run,
            "follow": self._follow,
            "processes": self._processes,
            "stop": self._signal,
            "continue": self._signal,
        }

    def talk(self) -> None:
        """Whatever comes of it is said; a fault of one order is no reason to end the client."""
        try:
            self._end([("exit", self._carry_out())])
        except NobodyListens:
            pass
        except (CannotCarryOut, OSError) as fault:
            self._end([("reason", getattr(fault, "strerror", None) or str(fault))])
        except (KeyError, TypeError, ValueError) as fault:
            log.say("order %r cannot be read: %r" % (self.order, fault))
            self._end([("reason", "this client does not understand the order")])
        finally:
            self._carriers.discard(self)
            self.line.close()

    def _carry_out(self) -> int:
        if len(self._carriers) > MOST_AT_ONCE:
            raise CannotCarryOut("too many questions to this host at once")
        return self._deeds[self.order["do"]]()

    # -- saying what comes

    def _say(self, data: bytes) -> None:
        """A piece of output. Raises NobodyListens."""
        reply = self.line.ask("/answer", [("order", self.order["id"])], PlainBody(data))  # type: ignore[arg-type]
        if reply.status != 200:
            raise NobodyListens()

    def _end(self, how: Query) -> None:
        self.line.ask("/answer", [("order", self.order["id"]), ("end", 1), *how], PlainBody(b""))  # type: ignore[arg-type]

    # -- the deeds

    def _attempt(self) -> Attempt:
        attempt = self.tickets.working.get(self.ticket)
        if attempt is None:
            waits = any(one.task.ticket == self.ticket for one in list(self.tickets.ready))
            raise CannotCarryOut(NOT_BEGUN if waits else FINISHED)
        return attempt

    def _watched(self) -> Attempt:
        """The task, whose place no other task gets while we look at it."""
        attempt, ready, end = self._attempt(), threading.Event(), time.monotonic() + BEGIN_TIME
        self.inbox.tell("watch", (self.ticket, ready))
        while not ready.wait(LOOK):
            if self._is_over():
                raise CannotCarryOut(FINISHED)
            if time.monotonic() > end:
                raise CannotCarryOut(NOT_BEGUN)
        if self._is_over():
            raise CannotCarryOut(FINISHED)
        return attempt

    def _is_over(self) -> bool:
        """Also when the client ends: then nothing runs any more."""
        return self.tickets.ending is not None or (self.ticket != 0 and self.ticket not in self.tickets.working)

    def _processes(self) -> int:
        """As rows, one JSON object a line."""
        rows = processes.as_rows(processes.of_tasks(self.hands.pids))
        self._say("".join(json.dumps(row) + "\n" for row in rows).encode())
        return 0

    def _signal(self) -> int:
        """To all processes of the task."""
        self._attempt()
        self.inbox.tell("signal", (self.ticket, int(SIGNALS[self.order["do"]])))
        return 0

    def _run(self) -> int:
        words = [str(word) for word in self.order["words"]]
        folder = self._watched().folder if self.ticket else self.shared.base
        why = refusal(words, self.allowed, folder)
        if why:
            raise CannotCarryOut(why)
        if is_ps(words) and ANY not in self.allowed:
            found = processes.of_tasks(self.hands.pids)
            found = [one for one in found if self.ticket in (0, one.ticket)]
            if len(words) == 1 or not found:
                self._say(processes.as_text(found).encode("utf-8", "replace"))
                return 0
            words = narrowed(words, [one.pid for one in found])
        return self._run_program(words, folder)

    def _run_program(self, words: List[str], folder: str) -> int:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])  # the program is to have them as usual
        try:
            process = subprocess.Popen(
                words, cwd=folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError:
            raise CannotCarryOut(FINISHED if self._is_over() else "there is no program '%s' on this host" % words[0])
        try:
            for piece in self._pieces(process):
                self._say(piece)
            code = process.wait()
            return code if code >= 0 else 128 - code  # as a shell says it
        finally:
            _end_group(process)

    def _pieces(self, process: "subprocess.Popen[bytes]") -> Iterator[bytes]:
        """What it prints, as it prints it. Raises CannotCarryOut at the limit, or when its task has ended."""
        assert process.stdout
        end, left = time.monotonic() + float(self.order["limit"]), int(self.order["most"])
        quiet = time.monotonic()
        while True:
            if select.select([process.stdout], [], [], LOOK)[0]:
                piece = os.read(process.stdout.fileno(), min(PIECE, left))
                if not piece:
                    return
                left, quiet = left - len(piece), time.monotonic()
                yield piece
            if left <= 0:
                raise CannotCarryOut("it printed more than %d bytes, and was ended" % int(self.order["most"]))
            if time.monotonic() > end:
                raise CannotCarryOut("it took longer than %g s, and was ended" % float(self.order["limit"]))
            if self._is_over():
                raise CannotCarryOut(FINISHED)
            if time.monotonic() - quiet > STILL:
                quiet = time.monotonic()
                yield b""

    def _follow(self) -> int:
        """What the task prints, from so many bytes before its present end on, until it ends."""
        attempt = self._watched()
        path = attempt.stderr if self.order["which"] == "stderr" else attempt.stdout
        with self._opened(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - int(self.order["before"])))
            quiet = time.monotonic()
            while True:
                over = self._is_over()  # asked first: what is written until then is still read
                piece = file.read(PIECE)
                if piece or time.monotonic() - quiet > STILL:
                    quiet = time.monotonic()
                    self._say(piece)
                elif over:
                    return 0
                else:
                    self.master.stopping.wait(LOOK)

    def _opened(self, path: str) -> Any:
        """Return the open file at this path, once the program has begun.

        Raises CannotCarryOut also for what the program may have put in its place: a link, a pipe.
        """
        while True:
            try:
                file = os.open(path, NO_LINK)
            except FileNotFoundError:
                if self._is_over():
                    raise CannotCarryOut(FINISHED)
                self.master.stopping.wait(LOOK)
                continue
            except OSError as fault:
                raise CannotCarryOut(NO_FILE if fault.errno == errno.ELOOP else str(fault.strerror))
            if stat.S_ISREG(os.fstat(file).st_mode):
                return open(file, "rb", buffering=0)
            os.close(file)
            raise CannotCarryOut(NO_FILE)


def _environment() -> Dict[str, str]:
    """Ours, without relative folders in PATH: the program stands in the task's directory, where an `ls` may lie."""
    folders = [one for one in os.get_exec_path() if one.startswith("/")]
    return dict(os.environ, PATH=":".join(folders) or "/bin:/usr/bin")


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """It and all that it started, unless it has ended."""
    assert process.stdout
    process.stdout.close()
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except OSError:  # it has just ended
            pass
        process.wait()
