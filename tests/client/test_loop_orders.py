"""Orders as they come: each is begun once, however often the master tells of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from spe.client.loop import orders as module
from spe.client.loop.orders import ReceivedOrders

from .loop_kit import Parts, PlayedMaster, reply


class Begun(list[dict[str, Any]]):
    """The orders that are carried out, in place of the threads that do it. They never end."""

    def __call__(self, shared: Any, order: dict[str, Any], hands: Any, allowed: list[str], carriers: set[Any]) -> Any:
        self.given = (shared, hands, allowed)
        self.carriers = carriers

        class Thread:
            def start(_) -> None:
                self.append(order)

        return Thread()


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Begun:
    made = Begun()
    monkeypatch.setattr(module, "Carrier", made)
    return made


def answer(*numbers: int) -> Any:
    return reply(200, "".join(json.dumps({"id": one, "do": "é"}) + "\n" for one in numbers).encode())


def test_an_order_that_comes_several_times_is_begun_once(parts: Parts, begun: Begun) -> None:
    orders = ReceivedOrders(parts.shared, parts.hands, ["ls"])
    assert not orders.is_answering()
    line = PlayedMaster(parts.master, answer(1, 2), answer(1, 2, 3), answer())
    for _ in range(3):
        orders.fetch(line)
    assert line.asked == [("/orders", [])] * 3
    assert [one["id"] for one in begun] == [1, 2, 3] and begun[0]["do"] == "é"
    assert begun.given == (parts.shared, parts.hands, ["ls"])


def test_orders_are_being_answered_until_their_threads_have_left(parts: Parts, begun: Begun) -> None:
    orders = ReceivedOrders(parts.shared, parts.hands, [])
    orders.fetch(PlayedMaster(parts.master, answer(1)))
    assert orders.is_answering() and len(begun.carriers) == 1
    begun.carriers.clear()
    assert not orders.is_answering()


@pytest.mark.parametrize("line", [b"no json", b"[]", b"7", b"{}", b'{"id": []}', b"\xff", b"null"])
def test_an_order_that_nobody_understands_keeps_no_other_from_being_carried_out(
    parts: Parts, begun: Begun, line: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    orders = ReceivedOrders(parts.shared, parts.hands, [])
    orders.fetch(PlayedMaster(parts.master, reply(200, line + b'\n{"id": 2}\n')))
    assert [one["id"] for one in begun] == [2]
    assert capfd.readouterr().err.startswith("spe-client: an order of the master cannot be read: ")


def test_an_order_for_which_there_is_no_thread_is_answered_and_does_not_end_the_client(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(module.Carrier, "start", fail)
    line = PlayedMaster(parts.master)
    monkeypatch.setattr(type(parts.master), "connection", lambda *_: line)
    orders = ReceivedOrders(parts.shared, parts.hands, [])
    line.answers.extend([answer(1), reply(200)])
    orders.fetch(line)
    assert line.asked[1:] == [
        ("/answer", [("order", 1), ("end", 1), ("reason", "this host has no memory for one more question")])
    ]
    assert line.closed == 1 and not orders.is_answering()


def test_a_master_that_gives_out_no_orders_is_left_alone(parts: Parts, begun: Begun) -> None:
    orders = ReceivedOrders(parts.shared, parts.hands, [])
    orders.fetch(PlayedMaster(parts.master, reply(404, b"what?")))
    assert not begun and not orders.is_answering()
