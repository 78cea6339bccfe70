"""What a client is asked about its running tasks: fetched by the requests that it holds, and brought piece by piece."""

from __future__ import annotations

import json

import pytest
from processes import is_alive
from waiting import wait_until

from .kit import Started
from .pretended_master import Master, task

SH = ("/bin/sh", "-c")
RUN = {"words": ["echo", "hello"], "limit": 30, "most": 1000}


@pytest.fixture
def at_work(master: Master, client: Started) -> Started:
    """A client with one task, that has begun and written three letters."""
    master.config.update({"Ping": "30", "Ask": "any"})
    master.over = False
    master.add(task(1, *SH, "printf abc; echo there >begun; exec sleep 60"))
    client.start("--slots", "1")
    wait_until(lambda: any(client.workdir.rglob("begun")), "the program has begun")
    return client


def end(master: Master, client: Started) -> None:
    master.call_back(1)
    master.finish()
    assert client.end()[0] == 0


def test_what_is_told_twice_is_carried_out_once(master: Master, at_work: Started) -> None:
    order = master.order("run", ticket=1, **{**RUN, "words": ["sh", "-c", "echo x >>seen; cat seen"]})
    master.wait_for(lambda: master.told)
    master.told.clear()  # its answer was lost
    assert master.end_of(order)["exit"] == ["0"]
    master.ended.clear()
    master.told.clear()
    more = master.order("run", ticket=1, **{**RUN, "words": ["cat", "seen"]})
    assert master.end_of(more)["exit"] == ["0"]
    assert master.said[order] == master.said[more] == b"x\n"
    end(master, at_work)


def test_of_what_a_command_prints_so_much_is_brought_and_it_is_ended(master: Master, at_work: Started) -> None:
    order = master.order("run", ticket=1, **{**RUN, "words": ["sh", "-c", "echo $$; exec yes"], "most": 100_000})
    assert "printed more than 100000 bytes" in master.end_of(order)["reason"][0]
    assert len(master.said[order]) == 100_000
    assert not is_alive(int(master.said[order].split()[0]))
    end(master, at_work)


def test_when_nobody_listens_any_more_the_command_ends(master: Master, at_work: Started) -> None:
    order = master.order(
        "run", ticket=1, **{**RUN, "words": ["sh", "-c", "echo $$; while :; do echo; sleep 0.05; done"]}
    )
    master.wait_for(lambda: master.said[order])
    master.unheard.add(order)
    wait_until(lambda: not is_alive(int(master.said[order].split()[0])), "the program of the order has ended")
    assert order not in master.ended
    end(master, at_work)


def test_following_begins_so_many_bytes_before_the_end_and_ends_with_the_task(master: Master, at_work: Started) -> None:
    order = master.order("follow", ticket=1, which="stdout", before=2)
    master.wait_for(lambda: master.said[order] == b"bc")
    end(master, at_work)
    assert master.ended[order]["exit"] == ["0"]


def test_an_order_that_it_does_not_know_is_answered_and_harms_nothing(master: Master, at_work: Started) -> None:
    assert "does not understand" in master.end_of(master.order("dance", ticket=1))["reason"][0]
    assert master.end_of(master.order("run", ticket=9, **RUN))["reason"] == ["the task has finished"]
    assert master.end_of(master.order("run", ticket=1, **RUN))["exit"] == ["0"]
    end(master, at_work)


def test_an_idle_client_hears_of_it_by_its_request_for_tasks(master: Master, client: Started) -> None:
    master.config.update({"Ping": "30", "Ask": "any"})
    master.over = False
    client.start("--slots", "1")
    master.wait_for(lambda: master.of("/task"))
    order = master.order("run", **RUN)
    assert master.end_of(order)["exit"] == ["0"] and master.said[order] == b"hello\n"
    assert not master.of("/held")
    master.finish()
    assert client.end()[0] == 0


def test_where_nothing_may_be_held_it_asks_again_and_again(master: Master, client: Started) -> None:
    master.config.update({"Ping": "30", "Ask": "any", "Control": "poll"})
    master.over = False
    master.add(task(1, *SH, "exec sleep 60"))
    client.start("--slots", "1")
    master.wait_for(lambda: len(master.of("/held")) > 1)
    order = master.order("processes")
    assert master.end_of(order)["exit"] == ["0"]
    assert json.loads(master.said[order].splitlines()[0])["ticket"] == 1
    assert {float(one.query["wait"][0]) for one in (*master.of("/held"), *master.of("/task"))} <= {0.0, 0.01}
    end(master, client)
