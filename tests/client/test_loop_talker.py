"""A thread that talks with the master: what ends it ends the client, but for the end itself."""

from __future__ import annotations

import signal
import socket
from typing import Any

import pytest
from spe.client import exits
from spe.client.loop.talker import Talker
from spe.client.wire.connection import parse_address
from spe.client.wire.lease import clock
from spe.client.wire.master import Stopping

from .loop_kit import Parts


class Saying(Talker):
    """A thread that does what the test says."""

    def __init__(self, parts: Parts, deed: Any) -> None:
        super().__init__(parts.shared)
        self.deed = deed

    def talk(self) -> None:
        self.deed()


def ended(thread: Talker) -> None:
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def raising(fault: BaseException) -> Any:
    def deed() -> None:
        raise fault

    return deed


def test_an_ending_in_a_thread_ends_the_client_for_that_reason(parts: Parts) -> None:
    ending = exits.Ending(9, "no worker")
    ended(Saying(parts, raising(ending)))
    assert parts.events() == [("end", ending)]


def test_a_thread_whose_request_is_cut_at_the_end_says_nothing(parts: Parts) -> None:
    ended(Saying(parts, raising(Stopping())))
    ended(Saying(parts, lambda: None))
    assert not parts.events()


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (ValueError("of ours"), exits.FAULT, "ValueError: of ours"),
        (SystemExit(3), exits.FAULT, "SystemExit: 3"),
        (MemoryError(), exits.OTHER, "out of memory"),
    ],
)
def test_an_error_that_nobody_foresaw_ends_the_client(parts: Parts, fault: BaseException, code: int, said: str) -> None:
    ended(Saying(parts, raising(fault)))
    ((name, ending),) = parts.events()
    assert name == "end" and ending.code == code and said in ending.text


def test_threads_leave_all_signals_to_the_loop_and_the_program_does_not_wait_for_them(parts: Parts) -> None:
    found: list[set[int]] = []
    thread = Saying(parts, lambda: found.append(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
    ended(thread)
    assert {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1} <= found[0]
    assert thread.daemon


def test_a_thread_that_has_nothing_to_do_is_a_fault(parts: Parts) -> None:
    ended(Talker(parts.shared))
    assert parts.events()[0][1].code == exits.FAULT


def test_a_thread_that_waits_for_the_lease_goes_on_once_it_is_renewed_and_not_when_the_client_ends(
    parts: Parts,
) -> None:
    thread = Saying(parts, lambda: None)
    thread.wait_for_lease()
    parts.lease.renew(clock() - 1000)
    parts.stopping.set()
    with pytest.raises(Stopping):
        thread.wait_for_lease()
    assert parts.lease.wait_for_request(0), "the next ping is sent at once"
    parts.lease.renew(clock())
    thread.wait_for_lease()


def test_each_try_of_a_request_is_checked_before_and_hanging_up_ends_a_request_that_waits(parts: Parts) -> None:
    """The master takes the connection and says nothing."""
    server = socket.create_server(("127.0.0.1", 0))
    parts.master.address = parse_address(f"http://127.0.0.1:{server.getsockname()[1]}", "")
    thread = Saying(parts, lambda: thread.connection.ask("/task", []))
    checked: list[int] = []
    thread.connection._before = lambda: checked.append(1)
    assert Saying(parts, None).connection._before.__name__ == "before_request"
    thread.start()
    server.settimeout(20)
    connection, _ = server.accept()
    assert connection.recv(1000).startswith(b"GET /task?")
    parts.stopping.set()
    thread.hang_up()
    thread.join(20)
    assert not thread.is_alive() and checked == [1] and not parts.events()
    connection.close()
    server.close()
