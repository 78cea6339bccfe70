"""What a client holds open: idle, its request for tasks alone; with tickets, one to be called back by as well."""

from __future__ import annotations

from client_kit import Started
from pretend_farm import Farm, task

SH = ("/bin/sh", "-c")


def begun(farm: Farm) -> list[str]:
    """What it asked for since it had registered."""
    return [one.path for one in farm.requests if one.path != "/config"]


def test_an_idle_client_holds_its_request_for_tasks_and_no_other(farm: Farm, client: Started) -> None:
    farm.config["Ping"], farm.over = "0.2", False
    client.start("--slots", "3")
    farm.script["/task"].append((503, {"Retry-After": "0.5"}, b"perhaps later"))
    farm.wait_for(lambda: len(farm.of("/task")) == 2)  # a rest after the first: a ping of its own had come by now
    assert begun(farm) == ["/task", "/task"]
    assert float(farm.of("/task")[-1].query["wait"][0]) >= 20
    farm.finish()
    assert client.end()[0] == 0
    assert "/held" not in begun(farm)


def test_a_client_with_tickets_holds_a_ping_too_and_hears_by_it_at_once(farm: Farm, client: Started) -> None:
    farm.config["Ping"], farm.over = "30", False
    client.start("--slots", "2")
    farm.wait_for(lambda: farm.of("/task"))
    farm.add(task(1, *SH, "exec sleep 60"))
    farm.wait_for(lambda: farm.of("/held"))
    farm.call_back(1)
    farm.finish()
    assert client.end(20)[0] == 0
    assert not farm.completed and not farm.failed
