"""Carrying out the orders of people: what the master gets to hear of each, and when it ends."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from spe.client import exits
from spe.client.loop import carrier as module
from spe.client.loop.carrier import (
    BEGIN_TIME,
    FINISHED,
    LOOK,
    MOST_AT_ONCE,
    NO_FILE,
    NOT_BEGUN,
    STILL,
    Carrier,
)
from spe.client.machine.processes import Process
from spe.client.task.attempt import Attempt
from spe.client.wire.master import Stopping
from spe.client.wire.reply import Reply

from .loop_kit import Parts, PlayedMaster, reply

ROWS = [
    Process(1, 0, 11, "S", 0.5, 1000, "sh"),
    Process(1, 1, 12, "R", 1.5, 2000, "w"),
    Process(2, 0, 13, "R", 1.5, 2000, "v"),
]
RUN: dict[str, Any] = {"do": "run", "limit": 30, "most": 100_000}


class Person(PlayedMaster):
    """The master, and behind it a person who reads what comes of an order, for as long as the test wants."""

    def __init__(self, carrier: Carrier) -> None:
        super().__init__(carrier.master)
        self.pieces: list[bytes] = []
        self.end: dict[str, Any] = {}
        self.listens = True
        self.hears: Callable[[], object] = lambda: None

    def ask(self, path: str, query: Any, body: Any = None, timeout: float = 30.0, into: str | None = None) -> Reply:
        self.answers.append(reply(200 if self.listens else 410))
        found = super().ask(path, query, body, timeout, into)
        assert path == "/answer" and query[0] == ("order", 5), (path, query)
        if ("end", 1) in query:
            assert not self.end and self.bodies[-1] == b""
            self.end = dict(query[2:])
            assert query[1] == ("end", 1)
        else:
            assert len(query) == 1
            self.pieces.append(self.bodies[-1])
        self.hears()
        return found

    @property
    def heard(self) -> bytes:
        return b"".join(self.pieces)


class Clock:
    """The clock of the carrier: each look at it takes so many seconds."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 100.0, step

    def monotonic(self) -> float:
        self.now += self.step
        return self.now


class Carried:
    """An order that is carried out in the thread of the test."""

    def __init__(self, parts: Parts, order: dict[str, Any], *allowed: str, others: int = 0) -> None:
        self.parts = parts
        self.carriers: set[Any] = set(range(others))
        self.carrier = Carrier(parts.shared, {"id": 5, **order}, parts.hands, list(allowed or ("any",)), self.carriers)
        self.carriers.add(self.carrier)
        self.person = self.carrier.connection = Person(self.carrier)

    def talk(self) -> Person:
        self.carrier.talk()
        assert self.carrier not in self.carriers and self.person.closed == 1
        return self.person


@pytest.fixture
def carry(parts: Parts) -> Callable[..., Carried]:
    """Make an order; `inbox` answers `watch` at once, as a loop whose hand has begun the task."""
    told: list[tuple[str, Any]] = []

    def tell(name: str, argument: Any = None) -> None:
        told.append((name, argument))
        if name == "watch":
            argument[1].set()

    parts.inbox.tell = tell  # type: ignore[method-assign]
    parts.told = told  # type: ignore[attr-defined]

    def make(order: dict[str, Any], *allowed: str, others: int = 0) -> Carried:
        return Carried(parts, order, *allowed, others=others)

    return make


def open_files() -> list[str]:
    """Return the paths of the files that this process has open."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing itself
            found.append(os.readlink(f"/proc/self/fd/{name}"))
    return found


def at_work(parts: Parts, ticket: int = 1) -> Attempt:
    """Have a hand work on this ticket, in a directory that is there."""
    attempt = parts.attempt(ticket)
    parts.tickets.working[ticket] = attempt
    attempt.place.make()
    return attempt


def waiting(parts: Parts, ticket: int) -> None:
    parts.tickets.ready.append(parts.attempt(ticket + 100))
    parts.tickets.ready.append(parts.attempt(ticket))


# -- what no order gets


def test_an_order_that_cannot_be_read_is_answered_and_does_not_end_the_client(
    carry: Callable[..., Carried], capfd: pytest.CaptureFixture[str]
) -> None:
    for order in (
        {"do": "dance"},
        {},
        {"do": "run", "words": 5},
        {"do": "run", "words": ["true"], "limit": "x"},
        {"do": "stop", "ticket": "all"},
        {"do": "stop", "ticket": None},
    ):
        person = carry(order).talk()
        assert person.end == {"reason": "this client does not understand the order"}, order
    assert "spe-client: order {'id': 5, 'do': 'dance'} cannot be read: KeyError('dance')" in capfd.readouterr().err


def test_a_host_that_answers_sixteen_orders_takes_no_more(carry: Callable[..., Carried]) -> None:
    order = {**RUN, "words": ["true"]}
    assert carry(order, others=MOST_AT_ONCE - 1).talk().end == {"exit": 0}
    assert carry(order, others=MOST_AT_ONCE).talk().end == {"reason": "too many questions to this host at once"}
    assert MOST_AT_ONCE == 16


def test_a_fault_of_the_system_is_the_reason_in_its_words(
    carry: Callable[..., Carried], monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [OSError(errno.EMFILE, os.strerror(errno.EMFILE)), OSError("of no number")]

    def fail(*_: object) -> None:
        raise faults.pop(0)

    monkeypatch.setattr(module.processes, "of_tasks", fail)
    assert carry({"do": "processes"}).talk().end == {"reason": "Too many open files"}
    assert carry({"do": "processes"}).talk().end == {"reason": "of no number"}


def test_a_client_that_ends_says_nothing_more_of_an_order(carry: Callable[..., Carried]) -> None:
    carried = carry({"do": "processes"})

    def stop(*_: object, **__: object) -> Reply:
        raise Stopping()

    carried.person.ask = stop  # type: ignore[method-assign]
    with pytest.raises(Stopping):
        carried.carrier.talk()
    assert not carried.carriers and carried.person.closed == 1


def test_an_order_of_which_nobody_hears_any_more_ends_without_a_word(carry: Callable[..., Carried]) -> None:
    carried = carry({"do": "processes"})
    carried.person.listens = False
    person = carried.talk()
    assert len(person.asked) == 1 and not person.end


# -- processes and signals


def test_the_processes_of_all_tasks_are_told_one_a_line(
    carry: Callable[..., Carried], parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []
    monkeypatch.setattr(module.processes, "of_tasks", lambda hands: asked.append(hands) or ROWS)
    person = carry({"do": "processes"}).talk()
    assert asked == [parts.hands.pids]
    assert person.heard.endswith(b"}\n")
    assert [json.loads(line)["pid"] for line in person.heard.splitlines()] == [11, 12, 13]
    assert person.end == {"exit": 0}


@pytest.mark.parametrize(("do", "number"), [("stop", signal.SIGSTOP), ("continue", signal.SIGCONT)])
def test_a_task_is_stopped_and_goes_on_by_the_loop(
    carry: Callable[..., Carried], parts: Parts, do: str, number: int
) -> None:
    at_work(parts)
    assert carry({"do": do, "ticket": "1"}).talk().end == {"exit": 0}
    assert parts.told == [("signal", (1, int(number)))]  # type: ignore[attr-defined]


@pytest.mark.parametrize("do", ["stop", "run", "follow"])
def test_of_a_task_that_waits_for_a_slot_or_has_finished_there_is_nothing_to_see(
    carry: Callable[..., Carried], parts: Parts, do: str
) -> None:
    at_work(parts)
    waiting(parts, 2)
    order = {**RUN, "words": ["true"], "which": "stdout", "before": 0, "do": do}
    assert carry({**order, "ticket": 2}).talk().end == {"reason": NOT_BEGUN}
    assert carry({**order, "ticket": 3}).talk().end == {"reason": FINISHED}
    assert not parts.told  # type: ignore[attr-defined]


# -- running a program


def test_a_program_runs_in_the_directory_of_the_task_once_its_place_is_kept(
    carry: Callable[..., Carried], parts: Parts
) -> None:
    attempt = at_work(parts)
    person = carry({**RUN, "ticket": 1, "words": ["sh", "-c", "pwd; exit 3"]}).talk()
    assert person.heard.decode() == f"{attempt.folder}\n" and person.end == {"exit": 3}
    ((name, (ticket, _)),) = parts.told  # type: ignore[attr-defined]
    assert (name, ticket) == ("watch", 1)


def test_a_program_for_no_task_runs_in_the_folder_of_the_client(carry: Callable[..., Carried], parts: Parts) -> None:
    person = carry({**RUN, "words": ["sh", "-c", "pwd; kill -9 $$"]}).talk()
    assert person.heard.decode() == f"{parts.base}\n" and person.end == {"exit": 137}


def test_words_that_are_numbers_are_words(carry: Callable[..., Carried]) -> None:
    assert carry({**RUN, "words": ["echo", 5]}).talk().heard == b"5\n"


def test_a_program_that_is_not_allowed_is_refused(carry: Callable[..., Carried], parts: Parts) -> None:
    at_work(parts)
    person = carry({**RUN, "ticket": 1, "words": ["cat", "/etc/passwd"]}, "cat").talk()
    assert person.end == {"reason": "'/etc/passwd' leads out of the task's directory"} and not person.pieces
    assert carry({**RUN, "words": ["rm", "x"]}, "ls").talk().end["reason"].startswith("'rm' is not allowed here")


def test_a_program_that_is_not_there_is_told_by_name(carry: Callable[..., Carried]) -> None:
    person = carry({**RUN, "words": ["no-such-program"]}).talk()
    assert person.end == {"reason": "there is no program 'no-such-program' on this host"}


def test_a_directory_that_is_gone_with_its_task_is_no_missing_program(
    carry: Callable[..., Carried], parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work(parts)

    def end_first(*_: object) -> None:
        parts.tickets.working.clear()
        raise FileNotFoundError

    monkeypatch.setattr(module, "PipedProgram", end_first)
    assert carry({**RUN, "ticket": 1, "words": ["ls"]}).talk().end == {"reason": FINISHED}


@pytest.mark.parametrize("allowed", ["ps", "any"])
def test_ps_shows_the_processes_of_the_task_and_with_any_it_is_a_program_like_others(
    carry: Callable[..., Carried], parts: Parts, monkeypatch: pytest.MonkeyPatch, allowed: str
) -> None:
    at_work(parts)
    monkeypatch.setattr(module.processes, "of_tasks", lambda hands: ROWS if hands == parts.hands.pids else [])
    person = carry({**RUN, "ticket": 1, "words": ["ps"]}, allowed).talk()
    shown = [line.split()[0] for line in person.heard.decode().splitlines()[1:]]
    assert person.end == {"exit": 0}
    assert (shown == ["11", "12"]) is (allowed == "ps")


def test_ps_for_no_task_shows_the_processes_of_all_tasks(
    carry: Callable[..., Carried], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.processes, "of_tasks", lambda _: ROWS)
    person = carry({**RUN, "words": ["ps"]}, "ps").talk()
    assert [line.split()[0] for line in person.heard.decode().splitlines()[1:]] == ["11", "12", "13"]


def test_a_command_that_is_no_text_is_shown_as_far_as_it_can_be(
    carry: Callable[..., Carried], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.processes, "of_tasks", lambda _: [Process(1, 0, 11, "S", 0.5, 1000, "w\udcff")])
    person = carry({**RUN, "words": ["ps"]}, "ps").talk()
    assert person.heard.endswith(b"w?\n") and person.end == {"exit": 0}


def test_ps_with_options_is_run_for_the_processes_of_the_task_alone(
    carry: Callable[..., Carried], parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work(parts)
    monkeypatch.setattr(module.processes, "of_tasks", lambda _: ROWS)
    ran: list[list[str]] = []
    monkeypatch.setattr(Carrier, "_run_program", lambda self, words, folder: ran.append([*words, folder]) or 4)
    assert carry({**RUN, "ticket": 1, "words": ["ps", "-f"]}, "ps").talk().end == {"exit": 4}
    assert ran == [["ps", "-f", "-p", "11,12", parts.base + "/1/work"]]


def test_ps_with_options_shows_an_empty_table_when_nothing_runs(
    carry: Callable[..., Carried], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.processes, "of_tasks", lambda _: [])
    person = carry({**RUN, "words": ["ps", "-f"]}, "ps").talk()
    assert person.heard.split() == [b"PID", b"S", b"CPU", b"MEMORY", b"COMMAND"] and person.end == {"exit": 0}


# -- limits


@pytest.mark.parametrize(("most", "ends"), [(6, False), (5, True)])
def test_no_more_is_told_than_the_order_allows(carry: Callable[..., Carried], most: int, ends: bool) -> None:
    person = carry({**RUN, "words": ["sh", "-c", "printf 12345; exec sleep 600"], "most": most, "limit": 600}).carrier
    line: Any = person.connection
    line.hears = lambda: person.tickets.end(exits.Ending(0, "over"))
    person.talk()
    assert line.heard == b"12345"
    assert line.end == {"reason": "it printed more than 5 bytes, and was ended" if ends else FINISHED}


def test_output_beyond_the_limit_is_cut(carry: Callable[..., Carried]) -> None:
    person = carry({**RUN, "words": ["sh", "-c", "printf 1234567"], "most": 3}).talk()
    assert person.heard == b"123" and person.end == {"reason": "it printed more than 3 bytes, and was ended"}


def test_a_program_that_takes_longer_than_its_limit_is_ended(carry: Callable[..., Carried]) -> None:
    person = carry({**RUN, "words": ["sh", "-c", "echo $$; exec sleep 600"], "limit": 0.3}).talk()
    assert person.end == {"reason": "it took longer than 0.3 s, and was ended"}
    assert not Path("/proc", person.heard.decode().strip()).exists()


def test_the_limit_of_time_begins_with_the_program(
    carry: Callable[..., Carried], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(1.0)
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module.PipedProgram, "read", lambda *_: None)
    person = carry({**RUN, "words": ["sleep", "600"], "limit": 4}).talk()
    assert person.end == {"reason": "it took longer than 4 s, and was ended"}
    assert clock.now == 107.0, "the look before the program, two beside it, and the one at the limit"


def test_a_quiet_program_asks_every_five_seconds_whether_anybody_listens(
    carry: Callable[..., Carried], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(0.5)
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module.PipedProgram, "read", lambda *_: None)
    carried = carry({**RUN, "words": ["sleep", "600"], "limit": 600})
    times: list[float] = []

    def hears() -> None:
        times.append(clock.now)
        carried.person.listens = len(times) < 3

    carried.person.hears = hears
    person = carried.talk()
    assert person.pieces == [b""] * 4 and not person.end, "the last one heard that nobody does"
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert gaps == [6.5] * 3, "the first look behind five seconds, and those until the piece is sent"
    assert STILL == 5.0


def test_output_is_a_sign_of_life(carry: Callable[..., Carried], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "time", Clock(1.0))
    pieces = [b"x", None, b"x", None, b"x", None, b""]
    monkeypatch.setattr(module.PipedProgram, "read", lambda *_: pieces.pop(0))
    assert carry({**RUN, "words": ["true"], "limit": 600}).talk().pieces == [b"x"] * 3


def test_a_program_ends_with_its_task_and_with_the_client(carry: Callable[..., Carried], parts: Parts) -> None:
    for end in (parts.tickets.working.clear, lambda: parts.tickets.end(exits.Ending(0, "over"))):
        if 1 not in parts.tickets.working:
            parts.tickets.working[1] = parts.attempt(1)
            os.makedirs(parts.attempt(1).folder, exist_ok=True)
        carried = carry({**RUN, "ticket": 1, "words": ["sh", "-c", "echo $$; exec sleep 600"]})
        carried.person.hears = end
        person = carried.talk()
        assert person.end == {"reason": FINISHED}
        assert not Path("/proc", person.heard.decode().strip()).exists()


def test_a_program_for_no_task_does_not_end_with_a_task(carry: Callable[..., Carried], parts: Parts) -> None:
    assert not parts.tickets.working
    assert carry({**RUN, "words": ["sh", "-c", "echo a; sleep 0.3; echo b"]}).talk().heard == b"a\nb\n"


# -- waiting for the place


def test_a_person_does_not_wait_longer_than_five_seconds_for_a_task_that_lies_ready(
    carry: Callable[..., Carried], parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work(parts)
    carried = carry({**RUN, "ticket": 1, "words": ["true"]})
    parts.inbox.tell = lambda *_: None  # type: ignore[method-assign]
    clock = Clock(1.0)
    monkeypatch.setattr(module, "time", clock)
    assert carried.talk().end == {"reason": NOT_BEGUN}
    assert clock.now == 107.0, "a look at the beginning, five within the time, and one behind it"
    assert BEGIN_TIME == 5.0


@pytest.mark.parametrize("is_kept", [False, True])
def test_a_task_that_ends_while_a_person_waits_for_its_place_has_finished(
    carry: Callable[..., Carried], parts: Parts, is_kept: bool
) -> None:
    at_work(parts)
    carried = carry({**RUN, "ticket": 1, "words": ["true"]})

    def tell(_: str, argument: Any) -> None:
        parts.tickets.working.clear()
        if is_kept:
            argument[1].set()

    parts.inbox.tell = tell  # type: ignore[method-assign]
    assert carried.talk().end == {"reason": FINISHED}


# -- following


@pytest.mark.parametrize("which", ["stdout", "stderr"])
def test_following_begins_so_many_bytes_before_the_end_and_reads_all_until_the_task_ends(
    carry: Callable[..., Carried], parts: Parts, which: str
) -> None:
    attempt = at_work(parts)
    Path(attempt.stdout).write_bytes(b"of stdout")
    Path(attempt.stderr).write_bytes(b"of stderr")
    carried = carry({"do": "follow", "ticket": 1, "which": which, "before": 3})

    def wait(seconds: float | None = None) -> bool:
        """The task prints something more, and ends."""
        assert seconds == LOOK
        with open(attempt.stdout, "ab") as out, open(attempt.stderr, "ab") as err:
            out.write(b" and more")
            err.write(b" and more")
        parts.tickets.working.clear()
        return False

    parts.stopping.wait = wait  # type: ignore[method-assign]
    person = carried.talk()
    assert person.pieces == [which.encode()[-3:], b" and more"]
    assert person.end == {"exit": 0}


def test_following_begins_at_the_beginning_of_a_short_file(carry: Callable[..., Carried], parts: Parts) -> None:
    attempt = at_work(parts)
    Path(attempt.stdout).write_bytes(b"all")
    carried = carry({"do": "follow", "ticket": 1, "which": "stdout", "before": 1000})
    carried.person.hears = parts.tickets.working.clear
    assert carried.talk().pieces == [b"all"]


def test_a_person_who_follows_is_asked_every_five_seconds_whether_anybody_listens(
    carry: Callable[..., Carried], parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = at_work(parts)
    Path(attempt.stdout).write_bytes(b"abc")
    clock = Clock(0.5)
    monkeypatch.setattr(module, "time", clock)
    carried = carry({"do": "follow", "ticket": 1, "which": "stdout", "before": 2})
    times: list[float] = []

    def hears() -> None:
        times.append(clock.now)
        carried.person.listens = len(times) < 3

    carried.person.hears = hears
    person = carried.talk()
    assert person.pieces[:3] == [b"bc", b"", b""] and not person.end
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert gaps == [6.0] * 3, "the first look behind five seconds, and that until the piece is sent"


def test_a_person_who_follows_waits_for_the_file_of_a_program_that_has_not_begun(
    carry: Callable[..., Carried], parts: Parts
) -> None:
    attempt = at_work(parts)
    carried = carry({"do": "follow", "ticket": 1, "which": "stdout", "before": 9})
    waits: list[float | None] = []

    def wait(seconds: float | None = None) -> bool:
        waits.append(seconds)
        if len(waits) == 2:
            Path(attempt.stdout).write_bytes(b"begun")
        return False

    parts.stopping.wait = wait  # type: ignore[method-assign]
    carried.person.hears = parts.tickets.working.clear
    assert carried.talk().heard == b"begun"
    assert waits == [LOOK, LOOK] == [0.1, 0.1]


def test_a_task_that_ends_before_it_prints_anything_has_finished(carry: Callable[..., Carried], parts: Parts) -> None:
    at_work(parts)
    carried = carry({"do": "follow", "ticket": 1, "which": "stdout", "before": 9})
    parts.stopping.wait = lambda _: parts.tickets.working.clear()  # type: ignore[method-assign, assignment]
    assert carried.talk().end == {"reason": FINISHED}


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_what_the_task_has_put_in_place_of_its_output_is_not_opened(
    carry: Callable[..., Carried], parts: Parts, what: str
) -> None:
    attempt = at_work(parts)
    if what == "link":
        os.symlink("/etc/passwd", attempt.stdout)
    elif what == "pipe":
        os.mkfifo(attempt.stdout)
    else:
        os.mkdir(attempt.stdout)
    person = carry({"do": "follow", "ticket": 1, "which": "stdout", "before": 9}).talk()
    assert person.end == {"reason": NO_FILE} and not person.pieces
    assert attempt.stdout not in open_files(), "nothing stays open"


def test_an_output_that_cannot_be_opened_for_another_reason_is_told_so(
    carry: Callable[..., Carried], parts: Parts
) -> None:
    attempt = at_work(parts)
    attempt.stdout += "/below-a-file"
    Path(attempt.place.stdout).write_bytes(b"")
    person = carry({"do": "follow", "ticket": 1, "which": "stdout", "before": 9}).talk()
    assert person.end == {"reason": "Not a directory"}
