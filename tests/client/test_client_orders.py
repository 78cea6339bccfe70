"""What a client is asked about its running tasks: fetched by the requests that it holds, and brought piece by piece."""

from __future__ import annotations

import json

import pytest
from client_kit import Started, is_alive, wait_until
from pretend_farm import Farm, task

SH = ("/bin/sh", "-c")
RUN = {"words": ["echo", "hello"], "limit": 30, "most": 1000}


@pytest.fixture
def at_work(farm: Farm, client: Started) -> Started:
    """A client with one task, that has begun and written three letters."""
    farm.config.update({"Ping": "30", "Ask": "any"})
    farm.over = False
    farm.add(task(1, *SH, "printf abc; echo there >begun; exec sleep 60"))
    client.start("--slots", "1")
    wait_until(lambda: any(client.workdir.rglob("begun")))
    return client


def end(farm: Farm, client: Started) -> None:
    farm.call_back(1)
    farm.finish()
    assert client.end(20)[0] == 0


def test_what_is_told_twice_is_carried_out_once(farm: Farm, at_work: Started) -> None:
    order = farm.order("run", ticket=1, **{**RUN, "words": ["sh", "-c", "echo x >>seen; cat seen"]})
    farm.wait_for(lambda: farm.told)
    farm.told.clear()  # its answer was lost
    assert farm.end_of(order)["exit"] == ["0"]
    farm.ended.clear()
    farm.told.clear()
    more = farm.order("run", ticket=1, **{**RUN, "words": ["cat", "seen"]})
    assert farm.end_of(more)["exit"] == ["0"]
    assert farm.said[order] == farm.said[more] == b"x\n"
    end(farm, at_work)


def test_of_what_a_command_prints_so_much_is_brought_and_it_is_ended(farm: Farm, at_work: Started) -> None:
    order = farm.order("run", ticket=1, **{**RUN, "words": ["sh", "-c", "echo $$; exec yes"], "most": 100_000})
    assert "printed more than 100000 bytes" in farm.end_of(order)["reason"][0]
    assert len(farm.said[order]) == 100_000
    assert not is_alive(int(farm.said[order].split()[0]))
    end(farm, at_work)


def test_when_nobody_listens_any_more_the_command_ends(farm: Farm, at_work: Started) -> None:
    order = farm.order("run", ticket=1, **{**RUN, "words": ["sh", "-c", "echo $$; while :; do echo; sleep 0.05; done"]})
    farm.wait_for(lambda: farm.said[order])
    farm.unheard.add(order)
    wait_until(lambda: not is_alive(int(farm.said[order].split()[0])))
    assert order not in farm.ended
    end(farm, at_work)


def test_following_begins_so_many_bytes_before_the_end_and_ends_with_the_task(farm: Farm, at_work: Started) -> None:
    order = farm.order("follow", ticket=1, which="stdout", before=2)
    farm.wait_for(lambda: farm.said[order] == b"bc")
    end(farm, at_work)
    assert farm.ended[order]["exit"] == ["0"]


def test_an_order_that_it_does_not_know_is_answered_and_harms_nothing(farm: Farm, at_work: Started) -> None:
    assert "does not understand" in farm.end_of(farm.order("dance", ticket=1))["reason"][0]
    assert farm.end_of(farm.order("run", ticket=9, **RUN))["reason"] == ["the task has finished"]
    assert farm.end_of(farm.order("run", ticket=1, **RUN))["exit"] == ["0"]
    end(farm, at_work)


def test_an_idle_client_hears_of_it_by_its_request_for_tasks(farm: Farm, client: Started) -> None:
    farm.config.update({"Ping": "30", "Ask": "any"})
    farm.over = False
    client.start("--slots", "1")
    farm.wait_for(lambda: farm.of("/task"))
    order = farm.order("run", **RUN)
    assert farm.end_of(order)["exit"] == ["0"] and farm.said[order] == b"hello\n"
    assert not farm.of("/held")
    farm.finish()
    assert client.end()[0] == 0


def test_where_nothing_may_be_held_it_asks_again_and_again(farm: Farm, client: Started) -> None:
    farm.config.update({"Ping": "30", "Ask": "any", "Control": "poll"})
    farm.over = False
    farm.add(task(1, *SH, "exec sleep 60"))
    client.start("--slots", "1")
    farm.wait_for(lambda: len(farm.of("/held")) > 1)
    order = farm.order("processes")
    assert farm.end_of(order)["exit"] == ["0"]
    assert json.loads(farm.said[order].splitlines()[0])["ticket"] == 1
    assert {float(one.query["wait"][0]) for one in (*farm.of("/held"), *farm.of("/task"))} <= {0.0, 0.01}
    end(farm, client)
