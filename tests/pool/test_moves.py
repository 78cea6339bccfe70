"""From targets to grants: what is idle is given at once, what others hold only where it is needed, and seldom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st
from spe.pool.deal.asks import Host, Job, Limits, Needs, User
from spe.pool.deal.moves import PATIENCE, PAUSE, UNUSED, Moves, Standing
from spe.pool.deal.rule import deal
from spe.pool.deal.weights import decayed, expected_use, fairness

H = [Host("h", 4)]
UP = ["h", "g"]


def job(number: int, granted: int = 0, held: int | None = None, out: int | None = None, **more: object) -> Standing:
    """A job on host h; without more, it holds and has out what it was granted."""
    many = {"held": granted if held is None else held, "out": granted if out is None else out, "granted": granted}
    slots = {name: {"h": count} if count else {} for name, count in many.items()}
    return Standing(number, **{"up": UP, **slots, **more})  # type: ignore[arg-type]


def moved(
    jobs: list[Standing], targets: Mapping[int, int], now: float = 0.0, moves: Moves | None = None
) -> dict[int, int]:
    """Return the new grants on host h."""
    wanted = {number: {"h": count} for number, count in targets.items()}
    found = (moves or Moves()).next(now, jobs, H, wanted, Limits())
    return {number: slots.get("h", 0) for number, slots in found.items()}


def test_idle_slots_are_granted_at_once() -> None:
    assert moved([job(1, 1)], {1: 4}) == {1: 4}


def test_what_others_hold_is_granted_only_when_it_has_come_back() -> None:
    assert moved([job(1, 4), job(2)], {1: 2, 2: 2}) == {1: 2}, "the newcomer waits until the slots are free"
    assert moved([job(1, 2, held=4), job(2)], {1: 2, 2: 2}) == {}, "the grant is lower, and not applied yet"
    assert moved([job(1, 2, held=3), job(2)], {1: 2, 2: 2}) == {2: 1}
    assert moved([job(1, 2), job(2, 1)], {1: 2, 2: 2}) == {2: 2}


def test_a_job_may_have_again_what_it_has_not_given_up_yet() -> None:
    assert moved([job(1, 2, held=4)], {1: 4}) == {1: 4}


def test_the_first_slot_of_a_job_is_taken_from_others_at_once() -> None:
    assert moved([job(1, 4), job(2)], {1: 3, 2: 1}) == {1: 3}


def test_a_difference_of_one_slot_is_followed_after_a_minute() -> None:
    moves, jobs, targets = Moves(), [job(1, 3), job(2, 1)], {1: 2, 2: 2}
    for now in (0.0, PATIENCE / 2, PATIENCE - 1):
        assert moved(jobs, targets, now, moves) == {}
    assert moved(jobs, targets, PATIENCE, moves) == {1: 2}


def test_a_job_two_slots_beyond_its_target_gives_them_at_once_to_two_that_lack_one_each() -> None:
    targets = {1: {"h": 2}, 2: {"h": 2}, 3: {"h": 2}}
    moves, jobs, hosts = Moves(), [job(1, 4), job(2, 1), job(3, 1)], [Host("h", 6)]
    assert moves.next(0.0, jobs, hosts, targets, Limits()) == {1: {"h": 2}}
    coming = [job(1, 2, held=3), job(2, 1), job(3, 1)]
    back = {**targets, 1: {"h": 3}}
    assert moves.next(PAUSE, coming, hosts, back, Limits()) == {2: {"h": 2}}, "and it takes none of them back"


def test_a_job_that_lacks_slots_in_all_gives_none_to_one_that_lacks_a_single_one() -> None:
    """It is urgent, too, but for slots that it is to get: where it has one too many, that can wait."""
    hosts = [Host("h", 2), Host("g", 3), Host("k", 1)]
    granted = {1: {"h": 2}, 2: {"k": 1}, 3: {"g": 3}}
    jobs = [Standing(n, granted=slots, held=slots, out=slots, up=["h", "g", "k"]) for n, slots in granted.items()]
    found = Moves().next(0.0, jobs, hosts, {1: {"h": 1, "g": 3}, 2: {"h": 1}}, Limits())
    assert found == {3: {"g": 0}}, "1 waits for those of 3, and 2 for one on h in place of that on k"


def test_a_difference_that_comes_and_goes_moves_nothing() -> None:
    moves, jobs = Moves(), [job(1, 3), job(2, 1)]
    for turn in range(10):
        targets = {1: 2, 2: 2} if turn % 2 else {1: 3, 2: 1}
        assert moved(jobs, targets, turn * 40.0, moves) == {}


def test_a_grant_is_not_lowered_again_within_seconds() -> None:
    moves = Moves()
    assert moved([job(1, 4), job(2)], {1: 2, 2: 2}, 0.0, moves) == {1: 2}
    assert moved([job(1, 2, held=2), job(2, 2)], {2: 4}, PAUSE - 1, moves) == {}
    assert moved([job(1, 2, held=2), job(2, 2)], {2: 4}, PAUSE, moves) == {1: 0}


def test_nobody_gives_up_slots_that_nobody_needs() -> None:
    assert moved([job(1, 4)], {1: 2}) == {}


def test_a_grant_of_no_use_is_cut_to_what_is_out() -> None:
    moves = Moves()
    assert moved([job(1, 4, out=1)], {}, 0.0, moves) == {}
    assert moved([job(1, 4, out=1)], {}, UNUSED, moves) == {1: 1}


def test_a_host_where_no_client_is_up_gets_one_slot_first() -> None:
    assert moved([job(1, up=[])], {1: 4}) == {1: 1}
    assert moved([job(1, 1, up=[])], {1: 4}) == {}
    assert moved([job(1, 1)], {1: 4}) == {1: 4}


def test_few_clients_are_started_at_a_time_on_one_host() -> None:
    jobs = [job(number, up=[]) for number in range(1, 5)]
    assert moved(jobs, dict.fromkeys(range(1, 5), 1)) == {1: 1, 2: 1}
    jobs[0] = job(1, 1)
    assert moved([jobs[0], job(2, 1, up=[]), *jobs[2:]], dict.fromkeys(range(1, 5), 1)) == {3: 1}


def test_a_job_makes_room_on_the_only_host_of_another_though_its_own_number_stays() -> None:
    hosts = [Host("h", 4), Host("g", 4)]
    jobs = [Standing(1, granted={"h": 4}, held={"h": 4}, out={"h": 4}, up=UP), Standing(2, up=["h"])]
    targets = {1: {"g": 4}, 2: {"h": 4}}
    assert Moves().next(0.0, jobs, hosts, targets, Limits()) == {1: {"h": 0, "g": 4}}


def test_a_host_whose_slots_were_lowered_grows_for_nobody_and_gets_back_what_is_too_much() -> None:
    assert moved([job(1, 6, held=6), job(2)], {1: 4}) == {1: 4}
    assert moved([job(1, 4, held=6), job(2)], {1: 3, 2: 1}) == {1: 3}
    assert moved([job(1, 2, held=6), job(2)], {1: 5}) == {1: 4}, "of what it gave up it gets back what is there"


def test_a_job_on_a_host_that_is_drained_gets_no_further_tasks_there() -> None:
    """Nobody else needs slots there, and all that were granted are out."""
    drained = [Host("h", 0), Host("g", 4)]
    standing = Standing(1, granted={"h": 4}, held={"h": 4}, out={"h": 4}, up=UP)
    assert Moves().next(0.0, [standing], drained, {1: {"g": 4}}, Limits()) == {1: {"h": 0, "g": 4}}


def test_users_who_change_places_each_second_take_nothing_back_from_a_newcomer() -> None:
    """Their use is nearly equal, so each second it is the other one who should give up a slot."""
    moves, granted = Moves(), {1: 2, 2: 2, 3: 0}
    before = [granted, granted]
    for second in range(4):
        targets = {1: 1 + second % 2, 2: 2 - second % 2, 3: 1}
        # What was given up is free once the master's report has confirmed it.
        held = {number: max(granted[number], *(one[number] for one in before)) for number in granted}
        jobs = [job(number, granted[number], held=held[number]) for number in granted]
        before = [before[1], granted]
        granted = granted | moved(jobs, targets, float(second), moves)
    assert granted[3] == 1 and sorted(granted.values()) == [1, 1, 2]


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_grants_never_exceed_what_is_there_whatever_comes_in_which_order(data: st.DataObject) -> None:
    """Masters apply grants late, and their tasks end when they like."""
    hosts = [Host("h", data.draw(st.integers(1, 6)), memory=data.draw(st.sampled_from([8, 40]))), Host("g", 3, gpus=2)]
    needs = [data.draw(st.sampled_from([Needs(), Needs(2), Needs(memory=3), Needs(gpus=0.5)])) for _ in range(3)]
    limits, moves, now = Limits(), Moves(), 0.0
    granted: list[dict[str, int]] = [{} for _ in needs]
    out: list[dict[str, int]] = [{} for _ in needs]
    for _ in range(data.draw(st.integers(1, 12))):
        now += data.draw(st.sampled_from([1.0, 6.0, 70.0]))
        held = [
            {host: max(granted[n].get(host, 0), out[n].get(host, 0)) for host in ("h", "g")} for n in range(len(needs))
        ]
        standing = [Standing(n, needs[n], granted[n], held[n], out[n], UP) for n in range(len(needs))]
        jobs = [
            Job(n, f"u{n}", order=n, needs=needs[n], wants=data.draw(st.integers(0, 9)), runs=list(granted[n]))
            for n in range(len(needs))
        ]
        targets = deal([User(f"u{n}") for n in range(len(needs))], jobs, hosts, limits)
        for number, slots in moves.next(now, standing, hosts, targets, limits).items():
            granted[number] = slots
        for n in range(len(needs)):
            for host in ("h", "g"):
                running, allowed = out[n].get(host, 0), granted[n].get(host, 0)
                # What it begins is within the newest grant; what ended makes room.
                out[n][host] = max(running - data.draw(st.integers(0, 2)), min(allowed, running + 2))
        for host in hosts:
            total = Counter[str]()
            for n, need in enumerate(needs):
                tasks = max(granted[n].get(host.name, 0), out[n].get(host.name, 0))
                total["cores"] += tasks * need.cores
                total["memory"] += tasks * need.memory
                total["halves"] += int(tasks * need.gpus * 2)
            assert total["cores"] <= host.cores and total["memory"] <= host.memory
            assert total["halves"] <= host.gpus * 2


def simulate(minutes: int, late: float, seconds: float = 10.0) -> tuple[int, list[int]]:
    """Play users of equal right on forty slots with endless tasks; the third comes `late` minutes later.

    Return the number of changed grants, and the slots at the end.
    """
    hosts, names, moves = [Host("h", 40)], ["ada", "ben", "cyd"], Moves()
    used = dict.fromkeys(names, 0.0)
    expected = expected_use(40, dict.fromkeys(names, 1.0))
    granted = dict.fromkeys(names, 0)
    ends: dict[str, list[float]] = {name: [] for name in names}
    changes = 0
    for now in range(minutes * 60):
        here = [name for name in names if name != "cyd" or now >= late * 60]
        for name in here:
            ends[name] = [end for end in ends[name] if end > now]
            ends[name] += [now + seconds] * (granted[name] - len(ends[name]))
        jobs = [
            Job(n, name, order=n, wants=999, runs=["h"] if granted[name] else []) for n, name in enumerate(here)
        ]
        people = [User(name, fair=fairness(used[name], expected[name])) for name in here]
        standing = [job(n, granted[name], max(granted[name], len(ends[name]))) for n, name in enumerate(here)]
        new = moves.next(float(now), standing, hosts, deal(people, jobs, hosts), Limits())
        for number, slots in new.items():
            granted[here[number]] = slots["h"]
            changes += 1
        for name in names:
            used[name] = decayed(used[name], 1.0) + granted[name]
    return changes, list(granted.values())


def test_the_odd_slot_of_equal_users_does_not_wander() -> None:
    changes, slots = simulate(minutes=30, late=0)
    assert sorted(slots) == [13, 13, 14] and changes < 60, (changes, slots)


def test_a_user_who_comes_later_gets_his_share_within_a_task() -> None:
    _, slots = simulate(minutes=11, late=10, seconds=10.0)
    assert min(slots) >= 12 and sum(slots) == 40
