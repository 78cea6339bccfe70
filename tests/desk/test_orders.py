"""Orders: given by a person, fetched by a client, answered in pieces."""

from __future__ import annotations

import asyncio
import json

import pytest
from spe.desk.orders import AGAIN, FETCH_TIME, MOST_OPEN, MOST_PIECES, NotDone, Order, Orders


class Time:
    now = 0.0

    def clock(self) -> float:
        return self.now


def orders(called: list[str] | None = None, time: Time | None = None) -> Orders:
    return Orders((called if called is not None else []).append, (time or Time()).clock)


async def read(order: Order) -> bytes:
    return b"".join([piece async for piece in order.pieces()])


def test_a_client_is_called_for_its_order_and_fetches_it() -> None:
    called: list[str] = []
    some = orders(called)
    order = some.give("c1", "run", ticket=7, words=["ls"])
    assert called == ["c1"]
    assert (some.due("c1"), some.due("c2")) == (1, 0)
    assert some.fetch("c2") == ""
    assert json.loads(some.fetch("c1")) == {"id": order.number, "do": "run", "ticket": 7, "words": ["ls"]}
    assert some.due("c1") == 0, "it knows of it now"


def test_an_order_whose_fetching_was_lost_is_told_again_until_something_comes_of_it() -> None:
    async def scene() -> None:
        time = Time()
        some = orders(time=time)
        order = some.give("c1", "follow")
        first = some.fetch("c1")
        time.now += AGAIN + 0.1
        assert some.due("c1") == 1
        assert some.fetch("c1") == first
        await order.take(b"")
        time.now += AGAIN + 0.1
        assert some.due("c1") == 0
        assert some.fetch("c1") == ""

    asyncio.run(scene())


def test_pieces_come_in_their_order_and_the_exit_code_at_the_end() -> None:
    async def scene() -> None:
        some = orders()
        order = some.give("c1", "run")
        reading = asyncio.create_task(read(order))
        for piece in (b"a", b"", b"b"):
            await order.take(piece)
        await order.end(3, "")
        assert await reading == b"ab"
        assert order.exit == 3

    asyncio.run(scene())


def test_a_reason_ends_the_reading_behind_what_came() -> None:
    async def scene() -> None:
        order = orders().give("c1", "run")
        await order.take(b"half")
        await order.end(None, "the task has finished")
        got = b""
        with pytest.raises(NotDone, match="the task has finished"):
            async for piece in order.pieces():
                got += piece
        assert got == b"half"

    asyncio.run(scene())


def test_a_client_waits_for_a_slow_reader() -> None:
    async def scene() -> None:
        order = orders().give("c1", "run")
        for _ in range(MOST_PIECES):
            await order.take(b"x")
        late = asyncio.create_task(order.take(b"y"))
        await asyncio.sleep(0)
        assert not late.done()
        reading = asyncio.create_task(read(order))
        await asyncio.wait_for(late, 5)
        await order.end(0, "")
        assert await reading == b"x" * MOST_PIECES + b"y"

    asyncio.run(scene())


def test_a_client_that_does_not_fetch_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spe.desk.orders.FETCH_TIME", 0.05)
    order = orders().give("c1", "run")
    with pytest.raises(NotDone, match="has not answered"):
        asyncio.run(read(order))
    assert FETCH_TIME > 1


def test_only_its_client_may_answer_an_order_and_nobody_one_that_is_withdrawn() -> None:
    some = orders()
    order = some.give("c1", "run")
    assert some.find("c2", order.number) is None
    assert some.find("c1", order.number) is order
    some.withdraw(order)
    assert some.find("c1", order.number) is None


def test_too_many_questions_are_refused() -> None:
    some = orders()
    for _ in range(MOST_OPEN):
        some.give("c1", "run")
    with pytest.raises(NotDone, match="are open already"):
        some.give("c1", "run")
