"""What a client holds open: idle, its request for tasks alone; with tickets, one to be called back by as well."""

from __future__ import annotations

from typing import Any

from .kit import Started
from .pretended_master import Master, task

SH = ("/bin/sh", "-c")


def begun(master: Master) -> list[str]:
    """What it asked for since it had registered."""
    return [one.path for one in master.requests if one.path != "/config"]


def test_an_idle_client_holds_its_request_for_tasks_and_no_other(master: Master, client: Started) -> None:
    master.config["Ping"], master.over = "0.2", False
    master.script["/task"].append((503, {"Retry-After": "0.5"}, b"perhaps later"))
    client.start("--slots", "3")
    master.wait_for(lambda: len(master.of("/task")) == 2)  # a rest after the first: a ping of its own had come by now
    assert begun(master) == ["/task", "/task"]
    assert float(master.of("/task")[-1].query["wait"][0]) >= 20
    master.finish()
    assert client.end()[0] == 0
    assert "/held" not in begun(master)


def test_a_client_with_tickets_holds_a_ping_too_and_hears_by_it_at_once(master: Master, client: Started) -> None:
    master.config["Ping"], master.over = "600", False
    client.start("--slots", "2")
    master.wait_for(lambda: master.of("/task"))
    master.add(task(1, *SH, "exec sleep 600"))
    master.wait_for(lambda: master.of("/held"))
    master.call_back(1)
    master.finish()
    assert client.end()[0] == 0
    assert not master.completed and not master.failed


def break_off(handler: Any) -> None:
    """Send half of an answer with a task, and no more: the connection breaks."""
    body = task(7, "echo", "lost")
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:-20])


def test_a_client_whose_answer_with_tasks_broke_off_asks_again_and_says_that_it_has_none_of_them(
    master: Master, client: Started
) -> None:
    master.script["/task"].append(break_off)
    master.add(task(8, "echo", "8"))
    assert client.run("--slots", "1")[0] == 0
    lost, again, *later = [request.query["got"] for request in master.of("/task")]
    assert lost == again == ["0"] and later and all(got == ["8"] for got in later)
    assert list(master.completed) == [8]
