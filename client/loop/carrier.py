"""Carrying out one order: what a person wants to see of a running task, or to have done with it.

What comes of an order goes to the master by `/answer`, piece by piece.
"""

import errno
import json
import os
import signal
import stat
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Set

from .. import log
from ..machine import processes
from ..machine.piped_program import PIECE, PipedProgram
from ..task.attempt import Attempt
from ..wire.master import Query
from ..wire.multipart import PlainBody
from .allowed import ANY, is_ps, narrowed, refusal
from .hands import Hands
from .talker import Shared, Talker

MOST_AT_ONCE = 16  # orders: each holds a thread, a connection and perhaps a program
LOOK = 0.1  # seconds between looks at a file that may grow
STILL = 5.0  # seconds without output after which the master is asked whether anybody still listens
FINISHED = "the task has finished"
NOT_BEGUN = "the task has not begun, it waits for a slot on this host"
BEGIN_TIME = 5.0  # seconds for a task that a hand holds ready to begin
# Follow no link, and do not wait for somebody to write into a pipe: the task may have made either.
NO_LINK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
NO_FILE = "what the task prints is no file any more: the task has put something else in its place"
SIGNALS = {"stop": signal.SIGSTOP, "continue": signal.SIGCONT}


class CannotCarryOut(Exception):
    """The reason, in one sentence, why an order is not carried out, or not to its end."""


class NobodyListens(Exception):
    """Raised when the person who gave the order does not wait for the answer any more."""


class Carrier(Talker):
    """A thread that carries out one order. It ends when the answer is complete."""

    def __init__(
        self,
        shared: Shared,
        order: Dict[str, Any],
        hands: Hands,
        allowed: List[str],
        carriers: "Set[Carrier]",
    ) -> None:
        """Take one order. `carriers`: all that are at work; this one leaves them at its end."""
        super().__init__(shared)
        self.order, self.hands, self.allowed, self._carriers = order, hands, allowed, carriers
        self.ticket = 0  # for none
        self._deeds: Dict[str, Callable[[], int]] = {
            "run": self._run,
            "follow": self._follow,
            "processes": self._processes,
            "stop": self._signal,
            "continue": self._signal,
        }

    def talk(self) -> None:
        """Carry out the order and say what came of it.

        A fault of one order does not end the client.
        """
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
            self.connection.close()

    def refuse(self, why: str) -> None:
        """Say why the order is not carried out, in the thread that received it."""
        try:
            self._end([("reason", why)])
        finally:
            self._carriers.discard(self)
            self.connection.close()

    def _carry_out(self) -> int:
        if len(self._carriers) > MOST_AT_ONCE:
            raise CannotCarryOut("too many questions to this host at once")
        self.ticket = int(self.order.get("ticket", 0))
        return self._deeds[self.order["do"]]()

    # -- saying what comes

    def _say(self, data: bytes) -> None:
        """Send a piece of output. Raises NobodyListens."""
        query: Query = [("order", self.order["id"])]
        reply = self.connection.ask("/answer", query, PlainBody(data))
        if reply.status != 200:
            raise NobodyListens()

    def _end(self, how: Query) -> None:
        query: Query = [("order", self.order["id"]), ("end", 1)]
        self.connection.ask("/answer", query + how, PlainBody(b""))

    # -- the deeds

    def _attempt(self) -> Attempt:
        attempt = self.tickets.working.get(self.ticket)
        if attempt is None:
            waits = any(one.task.ticket == self.ticket for one in list(self.tickets.ready))
            raise CannotCarryOut(NOT_BEGUN if waits else FINISHED)
        return attempt

    def _watched(self) -> Attempt:
        """Return the attempt once its place is kept: no other task gets the directory meanwhile."""
        attempt, ready = self._attempt(), threading.Event()
        end = time.monotonic() + BEGIN_TIME
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
        """Tell whether the attempt, or the client with all attempts, has ended."""
        if self.tickets.ending is not None:
            return True
        return self.ticket != 0 and self.ticket not in self.tickets.working

    def _processes(self) -> int:
        """Say which processes the tasks have: rows, one JSON object a line."""
        rows = processes.as_rows(processes.of_tasks(self.hands.pids))
        self._say("".join(json.dumps(row) + "\n" for row in rows).encode())
        return 0

    def _signal(self) -> int:
        """Have the loop send a signal to all processes of the task."""
        self._attempt()
        self.inbox.tell("signal", (self.ticket, int(SIGNALS[self.order["do"]])))
        return 0

    def _run(self) -> int:
        """Run a program that the sweep allows, in the directory of the task. Return its exit code."""
        words = [str(word) for word in self.order["words"]]
        folder = self._watched().folder if self.ticket else self.shared.base
        why = refusal(words, self.allowed, folder)
        if why:
            raise CannotCarryOut(why)
        if is_ps(words) and ANY not in self.allowed:
            return self._run_ps(words, folder)
        return self._run_program(words, folder)

    def _run_ps(self, words: List[str], folder: str) -> int:
        """Show the processes of the task, or of all tasks, and no others."""
        found = processes.of_tasks(self.hands.pids)
        found = [one for one in found if self.ticket in (0, one.ticket)]
        if len(words) == 1 or not found:
            self._say(processes.as_text(found).encode("utf-8", "replace"))
            return 0
        return self._run_program(narrowed(words, [one.pid for one in found]), folder)

    def _run_program(self, words: List[str], folder: str) -> int:
        try:
            program = PipedProgram(words, folder)
        except FileNotFoundError:  # the program, or the directory of a task that has just ended
            text = "there is no program '%s' on this host" % words[0]
            raise CannotCarryOut(FINISHED if self._is_over() else text)
        try:
            for piece in self._pieces(program):
                self._say(piece)
            return program.wait()
        finally:
            program.end()

    def _pieces(self, program: PipedProgram) -> Iterator[bytes]:
        """Yield what a program prints, as it prints it; b"" when it has printed nothing for a while.

        Raises CannotCarryOut at a limit of the order, or when the task has ended.
        """
        end = time.monotonic() + float(self.order["limit"])
        left = int(self.order["most"])
        quiet = time.monotonic()
        while True:
            piece = program.read(left)
            if piece is not None:
                if not piece:
                    return
                left -= len(piece)
                quiet = time.monotonic()
                yield piece
            self._check_limits(left, end)
            if time.monotonic() - quiet > STILL:
                quiet = time.monotonic()
                yield b""

    def _check_limits(self, left: int, end: float) -> None:
        """Raise CannotCarryOut when no byte or no time is left, or when the task has ended."""
        if left <= 0:
            text = "it printed more than %d bytes, and was ended"
            raise CannotCarryOut(text % int(self.order["most"]))
        if time.monotonic() > end:
            text = "it took longer than %g s, and was ended"
            raise CannotCarryOut(text % float(self.order["limit"]))
        if self._is_over():
            raise CannotCarryOut(FINISHED)

    def _follow(self) -> int:
        """Send what the task prints until it ends, from some bytes before the present end on."""
        attempt = self._watched()
        path = attempt.stderr if self.order["which"] == "stderr" else attempt.stdout
        with self._opened(path) as file:
            # By the open file: by its name, the task might have put another one there meanwhile.
            file.seek(max(0, os.fstat(file.fileno()).st_size - int(self.order["before"])))
            quiet = time.monotonic()
            while True:
                over = self._is_over()  # asked before reading: what is written until then is read
                piece = file.read(PIECE)
                # An empty piece now and then asks the master whether anybody still reads.
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
