"""Much at once and much going wrong: every task's result arrives, whole, and nothing stays."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

from waiting import wait_out

from .kit import Started
from .pretended_master import Master, task


def reset(handler: Any) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def hang_up(handler: Any) -> None:
    handler.close_connection = True


def half(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nTicket=")
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def rubbish(handler: Any) -> None:
    handler.wfile.write(b"\x15\x03\x01 what is this\r\n\r\n")


def test_whatever_goes_wrong_on_the_wire_each_result_arrives(master: Master, client: Started) -> None:
    lots = random.Random(7)
    faults = [reset, hang_up, half, rubbish, (500, {}, b""), (502, {}, b"proxy"), None, None, None, None, None, None]
    for path in ("/task", "/complete", "/ping", "/failed"):
        master.script[path].extend(lots.choices(faults, k=60))
    master.config.update(Grace="60", Ping="0.2")
    numbers = range(1, 121)
    master.add(*(task(n, "sh", "-c", f"echo {n}; exit {int(n % 10 == 0)}") for n in numbers))
    code, said = client.start("--slots", "8").end(120)
    assert code == 0, said
    assert sorted(master.completed) == [n for n in numbers if n % 10]
    assert sorted(master.failed) == [n for n in numbers if n % 10 == 0]
    assert all(one.parts["stdout"] == b"%d\n" % n for n, one in master.completed.items() if one.parts)
    assert not client.workdir.exists()


def test_a_thousand_short_tasks_in_sixteen_slots(master: Master, client: Started) -> None:
    master.config["Ping"] = "1"
    master.add(*(task(n, "echo", str(n)) for n in range(1, 1001)))
    code, said = client.start("--slots", "16").end(120)
    assert code == 0, said
    assert {n: one.parts["stdout"] for n, one in master.completed.items()} == {n: b"%d\n" % n for n in range(1, 1001)}


def test_results_that_cannot_be_brought_away_stop_new_tasks(master: Master, client: Started) -> None:
    go_on = threading.Event()

    def never(handler: Any) -> None:
        go_on.wait(60)
        reset(handler)

    master.script["/complete"].extend([never] * 8)
    master.add(*(task(n, "true") for n in range(1, 101)))
    client.start("--slots", "4")
    master.wait_for(lambda: len(master.of("/complete")) == 8)
    master.wait_for(lambda: len(master.tasks) <= 100 - 36)
    wait_out(1)  # in vain: it asks for no more
    assert len(master.tasks) >= 100 - 36
    go_on.set()
    assert client.end()[0] == 0
    assert len(master.completed) == 100


def test_clients_of_two_sessions_share_a_workdir_and_the_last_one_removes_it(
    master: Master, make_client: Callable[..., Started]
) -> None:
    master.over = False
    one, two = make_client(master.url, "one"), make_client(master.url, "two")
    two.workdir = one.workdir
    one.start("--host", "a")
    master.wait_for(lambda: len(master.of("/task")) == 1)
    two.start("--host", "b")
    master.wait_for(lambda: len(master.of("/task")) == 2)
    assert one.process
    one.process.terminate()
    one.end()
    assert one.workdir.exists()
    master.finish()
    assert two.end()[0] == 0
    assert not two.workdir.exists()
