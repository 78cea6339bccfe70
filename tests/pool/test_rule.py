"""The dealing rule: the worked table of docs/farm-design.md, and what must hold whatever jobs and hosts there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spe.pool.deal.asks import Host, Job, Limits, Needs, User
from spe.pool.deal.rule import Targets, deal
from spe.pool.deal.weights import age, boost, decayed, expected_use, fairness

ALL = 999  # tasks of a job that wants every slot
FORTY = [Host("h1", 40)]


def job(number: int, owner: str, priority: int = 64, wants: int = ALL, **more: object) -> Job:
    return Job(number, owner, boost(priority), priority=priority, order=number, wants=wants, **more)  # type: ignore[arg-type]


def users(**fair: float) -> list[User]:
    return [User(name, fair=fair.get(name, 1.0)) for name in ("ada", "ben", "cyd")]


def slots(targets: Targets) -> dict[int, int]:
    return {number: sum(hosts.values()) for number, hosts in targets.items()}


def dealt(*jobs: tuple[str, int] | tuple[str, int, int], **fair: float) -> list[int]:
    """Return the slots of these jobs, each (owner, priority[, wants]), on forty slots."""
    asking = [job(number, *one) for number, one in enumerate(jobs)]
    found = slots(deal(users(**fair), asking, FORTY))
    return [found.get(number, 0) for number in range(len(jobs))]


ADA, BEN, CYD = ("ada", 64), ("ben", 64), ("cyd", 64)


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([ADA, BEN, CYD], [14, 13, 13]),
        ([ADA, ("ben", 80), CYD], [10, 20, 10]),
        ([ADA, ("ben", 96), CYD], [6, 28, 6]),
        ([ADA, BEN, ("ben", 96), CYD], [7, 5, 21, 7]),
        ([ADA, BEN, ("ben", 96, 1), CYD], [13, 14, 1, 12]),
        ([ADA, BEN, ("cyd", 0)], [20, 19, 1]),
        ([ADA], [40]),
    ],
    ids=["equal users", "ben at 80", "ben at 96", "ben at 64 and 96", "ben's 96 wants one slot", "cyd at 0", "one"],
)
def test_the_worked_table(jobs: list[tuple[str, int]], expected: list[int]) -> None:
    assert dealt(*jobs) == expected


def test_ten_jobs_of_a_user_get_no_more_than_one() -> None:
    ada, *ben, cyd = dealt(ADA, *[BEN] * 10, CYD)
    assert (ada, sum(ben), cyd) == (14, 13, 13)


def test_recent_use_counts_against_a_user() -> None:
    assert dealt(ADA, BEN, CYD, ada=fairness(2.0, 1.0), ben=fairness(0.5, 1.0)) == [7, 13, 20]


def test_one_slot_comes_to_the_lowest_priority_after_ten_hours() -> None:
    """ada's use grows while she has the only slot, and cyd's age while he has none."""
    used, hours = 0.0, 0.0
    expected = expected_use(1, {"ada": 1.0, "cyd": 1.0})["ada"]
    while True:
        people = [User("ada", fair=fairness(used, expected)), User("cyd", age=age(hours * 3600))]
        if deal(people, [job(1, "ada"), job(2, "cyd", 0)], [Host("h1", 1)]) == {2: {"h1": 1}}:
            break
        used, hours = decayed(used, 360) + 360, hours + 0.1
    assert 9 < hours < 11, hours


def test_age_orders_the_jobs_of_a_user_and_gives_the_user_nothing_more() -> None:
    old, young, other = job(1, "ada", age=32.0), job(2, "ada"), job(3, "ben")
    found = slots(deal(users(), [old, young, other], FORTY))
    assert found == {1: 20, 3: 20}, "she gets no more than he; the young one's turn would be the 33rd"


@pytest.mark.parametrize("waited", [0.0, 24.0, 96.0])
def test_a_sweep_that_is_split_into_many_jobs_gets_no_slot_more(waited: float) -> None:
    many = [job(number, "ben", wants=1, age=age(waited * 3600)) for number in range(2, 252)]
    found = slots(deal(users(), [job(1, "ada"), *many], FORTY, Limits(jobs_per_host=99)))
    assert found[1] == 20 and len(found) == 21


def test_jobs_without_a_choice_find_room() -> None:
    """The host that fewest jobs can use is dealt first, so ada does not take what ben alone could use."""
    hosts = [Host("big", 4), Host("gpu", 2, gpus=2)]
    asking = [job(1, "ada", wants=4), job(2, "ben", needs=Needs(gpus=1), wants=2)]
    assert deal(users(), asking, hosts) == {1: {"big": 4}, 2: {"gpu": 2}}


def test_a_job_keeps_its_hosts_then_those_where_its_client_waits_then_takes_the_emptiest() -> None:
    hosts = [Host("a", 4), Host("b", 4), Host("c", 8), Host("d", 2)]
    assert deal(users(), [job(1, "ada", wants=2, runs=["b"])], hosts) == {1: {"b": 2}}
    assert deal(users(), [job(1, "ada", wants=5, runs=["b"], idle=["d"])], hosts) == {1: {"b": 4, "d": 1}}
    assert deal(users(), [job(1, "ada", wants=1)], hosts) == {1: {"c": 1}}


def test_no_more_than_a_few_jobs_share_a_host() -> None:
    asking = [job(number, "ada", wants=1) for number in range(12)]
    found = deal(users(), asking, [Host("a", 40), Host("b", 40)], Limits(jobs_per_host=4))
    assert Counter(host for hosts in found.values() for host in hosts) == {"a": 4, "b": 4}


def test_hosts_of_others_excluded_hosts_and_hosts_with_a_fault_are_not_dealt() -> None:
    hosts = [Host("hers", 4, only=["ada"]), Host("all", 4), Host("out", 4), Host("bad", 4)]
    asking = [job(1, "ada", exclude=["out"], most={"bad": 0}), job(2, "ben", hosts=["all", "hers", "bad"])]
    assert deal(users(), asking, hosts) == {1: {"hers": 4, "all": 2}, 2: {"all": 2, "bad": 4}} or deal(
        users(), asking, hosts
    ) == {1: {"hers": 4}, 2: {"all": 4, "bad": 4}}


def test_a_job_is_dealt_no_more_on_a_host_than_it_can_use_there() -> None:
    assert deal(users(), [job(1, "ada", most={"h1": 3})], FORTY) == {1: {"h1": 3}}


def test_memory_gpus_and_licences_bound_what_is_dealt() -> None:
    host = Host("h1", 40, memory=64, gpus=3)
    limits = Limits(licences={"abaqus": 5})
    for needs, most in (
        (Needs(memory=10), 6),
        (Needs(gpus=0.5), 6),
        (Needs(cores=7), 5),
        (Needs(licences={"abaqus": 2}), 2),
        (Needs(licences={"nobody's": 1}), 0),
    ):
        found = slots(deal(users(), [job(1, "ada", needs=needs)], [host], limits))
        assert found.get(1, 0) == most, needs


def test_a_job_of_two_cores_counts_twice() -> None:
    found = slots(deal(users(), [job(1, "ada", needs=Needs(cores=2)), job(2, "ben")], FORTY))
    assert found == {1: 10, 2: 20}


def test_long_tasks_leave_room_for_short_ones() -> None:
    asking = [job(1, "ada", is_long=True), job(2, "ben", wants=10)]
    assert slots(deal(users(), asking[:1], FORTY, Limits(long_cores=36))) == {1: 36}
    assert slots(deal(users(), asking, FORTY, Limits(long_cores=36))) == {1: 30, 2: 10}


def test_unknown_and_disabled_users_get_nothing() -> None:
    assert deal([User("ada")], [job(1, "mallory"), job(2, "ada", wants=1)], FORTY) == {2: {"h1": 1}}


def test_copies_are_dealt_from_what_no_waiting_task_can_use() -> None:
    asking = [job(1, "ada", wants=10, copies=10), job(2, "ben", wants=25)]
    assert slots(deal(users(), asking, FORTY)) == {1: 15, 2: 25}
    assert slots(deal(users(), [asking[0], replace(asking[1], wants=99)], FORTY)) == {1: 10, 2: 30}


def test_lent_hosts_are_outside_the_shares() -> None:
    hosts = [Host("desk", 10, only=["ada"], is_lent=True), Host("lab", 20)]
    assert deal(users(), [job(1, "ada"), job(2, "ben")], hosts) == {1: {"desk": 10, "lab": 10}, 2: {"lab": 10}}


def test_a_higher_priority_goes_first_and_among_equals_the_older_job() -> None:
    one = [Host("h1", 1)]
    assert deal(users(), [job(2, "ada"), job(1, "ben")], one) == {1: {"h1": 1}}
    assert deal(users(), [job(1, "ada"), job(2, "ada", 65)], one) == {2: {"h1": 1}}


def test_the_weights_of_priorities_use_and_age() -> None:
    assert [boost(p) for p in (0, 64, 80, 96)] == [1 / 16, 1, 2, 4]
    assert age(0) == age(-5) == 1 and age(3600) == 2 and age(1e9) == 32
    assert decayed(8, 86_400) == 4 and decayed(8, -100) == 8, "a clock that is set back gives nothing"
    assert fairness(0, 5) == 1 and fairness(5, 5) == 0.5 and fairness(1, 0) == 1


# -- whatever there is

NAMES = ["ada", "ben", "cyd"]
hosts_st = st.lists(
    st.builds(
        Host,
        st.sampled_from([f"h{n}" for n in range(6)]),
        st.integers(0, 9),
        st.sampled_from([float("inf"), 8.0]),
        st.sampled_from([0.0, 2.0]),
        st.sampled_from([None, None, ["ada"], ["ben", "cyd"]]),
    ),
    max_size=6,
    unique_by=lambda host: host.name,
)
needs_st = st.builds(
    Needs,
    st.integers(1, 3),
    st.sampled_from([0, 3]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([{}, {}, {"abaqus": 1}]),
)


@st.composite
def asking_st(draw: st.DrawFn) -> list[Job]:
    found = []
    for number in range(draw(st.integers(0, 7))):
        priority = draw(st.integers(0, 127))
        hosts = draw(st.none() | st.lists(st.sampled_from(["h0", "h1", "h2"]), max_size=3))
        runs = draw(st.lists(st.sampled_from(["h0", "h3", "h5"]), max_size=2))
        most = draw(st.dictionaries(st.sampled_from(["h0", "h4"]), st.integers(0, 3), max_size=2))
        found.append(
            job(
                number,
                draw(st.sampled_from(NAMES)),
                priority,
                draw(st.integers(0, 30)),
                needs=draw(needs_st),
                hosts=hosts,
                runs=runs,
                most=most,
                copies=draw(st.integers(0, 3)),
                is_long=draw(st.booleans()),
            )
        )
    return found


def fits(one: Job, host: Host, targets: Targets, asking: Sequence[Job], limits: Limits) -> bool:
    """Tell, by plain counting, whether the job could have one more task there."""
    used = Counter[str]()
    mine = targets.get(one.id, {}).get(host.name, 0)
    jobs_here = long = taken = 0
    for other in asking:
        here = targets.get(other.id, {}).get(host.name, 0)
        jobs_here += bool(here)
        used["cores"] += here * other.needs.cores
        used["memory"] += here * other.needs.memory
        used["halves"] += int(here * other.needs.gpus * 2)
        everywhere = sum(targets.get(other.id, {}).values())
        taken += everywhere * other.needs.licences.get("abaqus", 0)
        long += everywhere * other.needs.cores * other.is_long
    needs = one.needs
    return (
        (one.hosts is None or host.name in one.hosts)
        and (host.only is None or one.owner in host.only)
        and mine < one.most.get(host.name, 999)
        and (mine > 0 or jobs_here < limits.jobs_per_host)
        and used["cores"] + needs.cores <= host.cores
        and used["memory"] + needs.memory <= host.memory
        and used["halves"] / 2 + needs.gpus <= host.gpus
        and taken + needs.licences.get("abaqus", 0) <= limits.licences["abaqus"]
        and (not one.is_long or long + needs.cores <= limits.long_cores)
    )


@settings(deadline=None, max_examples=300)
@given(asking_st(), hosts_st, st.integers(0, 4), st.integers(1, 4), st.integers(0, 20))
def test_nothing_is_dealt_twice_and_nothing_that_fits_is_left(
    asking: list[Job], hosts: list[Host], licences: int, per_host: int, long: int
) -> None:
    limits = Limits({"abaqus": licences}, long, per_host)
    people = [User(name) for name in NAMES]
    targets = deal(people, asking, hosts, limits)
    assert deal(people, asking, hosts, limits) == targets, "the same question has the same answer"
    by_name = {host.name: host for host in hosts}
    for one in asking:
        got = targets.get(one.id, {})
        assert sum(got.values()) <= one.wants + one.copies
        for name, tasks in got.items():
            without = {**targets, one.id: {**got, name: tasks - 1}}
            assert fits(one, by_name[name], without, asking, limits), "its last task there fits"
    for one in asking:
        if sum(targets.get(one.id, {}).values()) < one.wants + one.copies:
            assert not any(fits(one, host, targets, asking, limits) for host in hosts)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 127)), min_size=1, max_size=9), st.integers(1, 60))
def test_a_job_more_of_one_user_takes_nothing_from_the_others_but_by_its_priority(
    jobs: list[tuple[str, int]], cores: int
) -> None:
    """A user who adds a job of no higher priority than his others gets no slot more in all."""
    hosts = [Host("h1", cores)]
    many = Limits(jobs_per_host=99)
    asking = [job(number, *one) for number, one in enumerate(jobs)]
    owner = asking[0].owner
    lowest = min(one.priority for one in asking if one.owner == owner)
    before = slots(deal(users(), asking, hosts, many))
    after = slots(deal(users(), [*asking, job(99, owner, lowest)], hosts, many))
    owned = {one.id for one in asking if one.owner == owner} | {99}

    def of_owner(found: dict[int, int]) -> int:
        return sum(count for number, count in found.items() if number in owned)

    assert of_owner(after) <= of_owner(before) + 1, "one slot may change hands by a tie"


def test_cores_that_a_user_takes_beyond_what_is_granted_count_as_held() -> None:
    liar = [User("ada", excess=10), User("ben")]
    found = slots(deal(liar, [job(0, "ada"), job(1, "ben")], FORTY))
    assert found == {0: 15, 1: 25}, "with the ten that ada takes unasked, both have 25"
    alone = slots(deal(liar[:1], [job(0, "ada")], FORTY))
    assert alone == {0: 40}, "nobody who is alone is refused anything"
