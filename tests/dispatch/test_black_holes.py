"""Black holes, copies of long tasks, and giving a sweep up: the dispatch's judgement of hosts and of time."""

from __future__ import annotations

from pathlib import Path

import pytest
from spe.dispatch.black_holes import PROBE_FIRST, SUSPECT_AFTER, Trust
from spe.dispatch.dispatch import Dispatch
from spe.dispatch.scheduler import COPY_FACTOR, COPY_LEAST, COPY_UNKNOWN, stragglers
from spe.errors import Fault, LaunchError
from spe.model import Failure, TaskState, Ticket, Times, Usage
from spe.state.blockers import BlockersFile
from spe.state.why import sentences, written

from .kit import NO_USAGE, OUT, make_dispatch, outcomes, reasons, take


def host(dispatch: Dispatch, name: str, pings: bool = True) -> str:
    return dispatch.register(0, name, "linux-x86_64", 4, pings).id


def fail(dispatch: Dispatch, ticket: Ticket, now: float = 0.0) -> None:
    dispatch.attempts.fail(now, ticket.id, Failure("exit:127", "libfoo.so is missing"), NO_USAGE)


def finish(dispatch: Dispatch, ticket: Ticket, now: float = 0.0, wall: float = 1.0) -> bool:
    return dispatch.attempts.arrive(now, ticket.id, ticket.client) is not None and dispatch.attempts.accept(
        ticket.id, OUT, Usage(wall)
    )


def black_hole(attempts: int = 3) -> tuple[Dispatch, str, str]:
    """A dispatch whose host `bad` has failed enough tasks to be suspected, all of which succeed on `good`."""
    dispatch = make_dispatch(40, attempts=attempts)
    good, bad = host(dispatch, "good"), host(dispatch, "bad")
    finish(dispatch, take(dispatch, good)[0])
    for _ in range(SUSPECT_AFTER):
        fail(dispatch, take(dispatch, bad)[0])
    return dispatch, good, bad


# -- black holes


def test_a_host_that_fails_several_tasks_in_a_row_gets_no_more_until_others_have_tried_them() -> None:
    dispatch, _, bad = black_hole()
    assert dispatch.guard.record("bad").trust is Trust.SUSPECTED
    assert take(dispatch, bad) == []


def test_a_host_whose_failures_succeed_elsewhere_is_benched_and_the_user_is_told_why() -> None:
    dispatch, good, bad = black_hole()
    while dispatch.board.waiting:
        finish(dispatch, take(dispatch, good)[0])
    assert dispatch.guard.record("bad").trust is Trust.BENCHED
    (note,) = dispatch.board.take_notes()
    assert note.startswith("bad is benched")
    assert "libfoo.so is missing" in note
    assert take(dispatch, bad) == []
    assert not reasons(dispatch)


def test_failures_on_a_benched_host_are_not_charged_even_where_there_is_one_attempt() -> None:
    dispatch, good, _ = black_hole(attempts=1)
    assert len(reasons(dispatch)) == SUSPECT_AFTER - 1, "the first ones were believed"
    while dispatch.board.waiting:
        finish(dispatch, take(dispatch, good)[0])
    assert {c.state for c in outcomes(dispatch).values()} == {TaskState.DONE}
    assert dispatch.board.in_state[TaskState.FAILED] == 0
    assert dispatch.board.in_state[TaskState.DONE] == 40


def test_a_bad_region_of_the_parameters_benches_nobody_and_fails_with_its_own_reason() -> None:
    dispatch = make_dispatch(30, attempts=2)
    clients = [host(dispatch, name) for name in "abc"]
    for _ in range(200):
        for client in clients:
            for ticket in take(dispatch, client):
                fail(dispatch, ticket)
    assert dispatch.board.over
    assert len(reasons(dispatch)) == 30
    assert not dispatch.board.take_notes()


def test_a_single_host_is_never_held_back() -> None:
    dispatch = make_dispatch(10, attempts=1)
    only = host(dispatch, "only")
    for _ in range(10):
        fail(dispatch, take(dispatch, only)[0])
    assert dispatch.board.over


def test_a_benched_host_is_probed_with_one_task_and_trusted_again_when_that_succeeds() -> None:
    dispatch, good, bad = black_hole()
    for _ in range(10):
        finish(dispatch, take(dispatch, good)[0])
    for ticket in take(dispatch, good, 4):
        dispatch.losses.lose(ticket)  # something to wait for
    later = PROBE_FIRST + 1
    probe = dispatch.handout.take(later, bad, 4)
    assert len(probe) == 1
    assert dispatch.handout.take(later, bad, 4) == []
    finish(dispatch, probe[0], later)
    assert len(dispatch.handout.take(later, bad, 3)) == 3


def test_a_probe_that_fails_is_not_charged_and_the_next_one_comes_later() -> None:
    dispatch, good, bad = black_hole(attempts=1)
    for _ in range(10):
        finish(dispatch, take(dispatch, good)[0])
    before = len(reasons(dispatch))
    (probe,) = dispatch.handout.take(PROBE_FIRST + 1, bad, 4)
    fail(dispatch, probe, PROBE_FIRST + 1)
    assert len(reasons(dispatch)) == before
    assert dispatch.handout.take(2 * PROBE_FIRST + 2, bad, 4) == []
    assert dispatch.handout.take(4 * PROBE_FIRST + 10, bad, 4)


# -- copies


def with_median(dispatch: Dispatch, client: str, tasks: int, wall: float) -> None:
    for _ in range(tasks):
        finish(dispatch, take(dispatch, client)[0], wall=wall)


def test_at_the_end_the_task_that_runs_longest_is_copied_to_an_idle_host_and_the_first_result_wins() -> None:
    dispatch = make_dispatch(12)
    fast, slow = host(dispatch, "fast"), host(dispatch, "slow")
    with_median(dispatch, fast, 10, wall=10.0)
    (old,) = dispatch.handout.take(0, slow, 1)
    (young,) = dispatch.handout.take(5, slow, 1)
    dispatch.tick(10 * COPY_FACTOR + 1)
    (copy,) = dispatch.handout.take(10 * COPY_FACTOR + 1, fast, 4)
    assert copy.task == old.task != young.task
    (note,) = dispatch.board.take_notes()
    assert "once: true" in note
    assert finish(dispatch, copy, 20)
    assert dispatch.ping(20, slow, [old.id, young.id]) == [old.id]
    assert not finish(dispatch, old, 30), "the other copy is dropped"


def test_of_several_long_tasks_the_oldest_is_copied_first() -> None:
    """Who has run longest will run longest: the rest of the youngest is the shortest."""
    dispatch = make_dispatch(13)
    fast, slow = host(dispatch, "fast"), host(dispatch, "slow")
    with_median(dispatch, fast, 10, wall=10.0)
    running = {began: dispatch.handout.take(began, slow, 1)[0].task for began in (0.0, 2.0, 4.0)}
    now = 10 * COPY_FACTOR + 5
    dispatch.tick(now)
    assert [ticket.task for ticket in dispatch.handout.take(now, fast, 4)] == [
        running[began] for began in (0.0, 2.0, 4.0)
    ]


def test_a_task_is_a_straggler_once_whatever_runs_of_it_and_only_when_it_is_long() -> None:
    def out(task: int, issued: float) -> Ticket:
        return Ticket(0, task, "1", "h", issued)

    tickets = [out(1, 5.0), out(2, 1.0), out(3, 3.0), out(2, 4.0), out(4, 90.1)]
    assert stragglers(tickets, 100.0, 0.0) == [2, 3, 1], "no median is known"
    assert stragglers(tickets, 5.0 + COPY_UNKNOWN, 0.0) == [2, 3, 1] and stragglers(tickets, 34.9, 0.0) == [2, 3]
    assert stragglers(tickets, 100.0, 6.0) == [2, 3, 1, 4]
    assert stragglers([out(1, 0.0)], COPY_LEAST, 0.001) == [1] and stragglers([out(1, 0.1)], COPY_LEAST, 0.001) == []


def test_no_copy_is_made_while_tasks_wait_or_more_may_come_or_the_sweep_drains() -> None:
    for spoil in ("waiting", "more", "draining", "once"):
        dispatch = make_dispatch(2 if spoil == "waiting" else 1, copies=0 if spoil == "once" else 1)
        a, b = host(dispatch, "a"), host(dispatch, "b")
        dispatch.handout.take(0, a, 1)
        dispatch.board.more, dispatch.board.draining = spoil == "more", spoil == "draining"
        dispatch.tick(COPY_UNKNOWN + 1)
        tasks = [t.task for t in dispatch.handout.take(COPY_UNKNOWN + 1, b, 4)]
        assert tasks == ([2] if spoil == "waiting" else []), spoil


def test_a_task_is_copied_only_so_often_and_never_on_a_host_that_has_it() -> None:
    dispatch = make_dispatch(1)
    clients = [host(dispatch, name) for name in "abc"]
    dispatch.handout.take(0, clients[0], 1)
    now = COPY_UNKNOWN + 1
    dispatch.tick(now)
    assert dispatch.handout.take(now, clients[0], 1) == []
    assert len(dispatch.handout.take(now, clients[1], 1)) == 1
    dispatch.tick(2 * now)
    assert dispatch.handout.take(2 * now, clients[2], 1) == []


def test_a_task_held_by_a_client_that_never_pings_comes_back_by_a_copy_also_on_the_same_host() -> None:
    dispatch = make_dispatch(1)
    dispatch.handout.take(0, host(dispatch, "a", pings=False), 1)
    another = host(dispatch, "a")
    dispatch.tick(COPY_UNKNOWN + 1)
    (copy,) = dispatch.handout.take(COPY_UNKNOWN + 1, another, 1)
    assert finish(dispatch, copy)
    assert dispatch.board.over


# -- giving up


@pytest.mark.parametrize("now", [True, False])
def test_a_sweep_is_given_up_when_as_many_sets_have_failed_as_stop_after_says(now: bool) -> None:
    dispatch = make_dispatch(10, attempts=1, stop_after=lambda failed, total: failed >= 3, stop_now=now)
    client = host(dispatch, "only")
    tickets = take(dispatch, client, 4)
    for ticket in tickets[:3]:
        fail(dispatch, ticket)
    assert dispatch.attempts.gave_up and dispatch.board.draining and dispatch.board.over is now
    assert dispatch.clients.take_expired(client) == ([tickets[3].id] if now else [])
    assert "stop_after" in dispatch.board.take_notes()[0]
    assert take(dispatch, client) == []
    if not now:
        assert finish(dispatch, tickets[3]) and dispatch.board.over, "what ran has finished"


def test_a_timeout_of_three_medians_begins_when_enough_attempts_are_known() -> None:
    from spe.model import Times

    dispatch = make_dispatch(6, timeout=Times(3))
    client = host(dispatch, "only")
    with_median(dispatch, client, 4, wall=2.0)
    assert dispatch.handout.timeout() == 0
    with_median(dispatch, client, 1, wall=2.0)
    assert dispatch.handout.timeout() == 6.0


# -- hosts that others use


def test_with_max_load_a_host_gets_only_what_fits_beside_what_others_do() -> None:
    dispatch = make_dispatch(10, max_load=1.0, cores=2)
    client = dispatch.register(0, "desk", "linux-x86_64", 8, True, cores=8).id
    assert len(dispatch.handout.take(0, client, 8, load=3.5)) == 2, "2 x 2 cores of the 4.5 that are free"
    assert dispatch.handout.take(0, client, 8, load=4.5) == []
    assert len(dispatch.handout.take(0, client, 8, load=0.0)) == 2
    (note,) = dispatch.board.take_notes()
    assert note.startswith("desk: loaded by others (4.5 of 8 cores)")


def test_without_max_load_or_from_a_client_that_does_not_tell_the_load_is_no_matter() -> None:
    silent = make_dispatch(4, max_load=1.0)
    assert len(take(silent, host(silent, "a"), 4)) == 4
    dispatch = make_dispatch(4)
    assert len(dispatch.handout.take(0, host(dispatch, "a"), 4, load=99.0)) == 4


def test_an_outage_of_all_hosts_is_held_against_no_task() -> None:
    """The link, or the master's own machine: a task that kills hosts kills one after the other."""
    dispatch = make_dispatch(4, ping=10.0)
    now = 0.0
    for _ in range(4):
        clients = [dispatch.register(now, f"h{n}", "", 1, True).id for n in range(4)]
        assert all(dispatch.handout.take(now, client, 1) for client in clients)
        for second in range(1, 200):
            dispatch.tick(now + second)
        assert dispatch.board.running == 0
        now += 1000.0
    assert [task.lost for task in dispatch.board.tasks.values()] == [0, 0, 0, 0] and len(dispatch.board.tasks) == 4


def test_one_host_that_dies_while_others_are_heard_is_held_against_its_task() -> None:
    dispatch = make_dispatch(4, ping=10.0)
    dead, alive = dispatch.register(0.0, "dead", "", 1, True).id, dispatch.register(0.0, "alive", "", 1, True).id
    (ticket,) = dispatch.handout.take(0.0, dead, 1)
    for second in range(1, 100):
        dispatch.ping(float(second), alive, [])
        dispatch.tick(float(second))
    assert dispatch.board.tasks[ticket.task].lost == 1


def test_a_master_that_was_stopped_gives_everybody_that_time() -> None:
    dispatch = make_dispatch(1, ping=10.0)
    client = dispatch.register(0.0, "h", "", 1, True).id
    (ticket,) = dispatch.handout.take(0.0, client, 1)
    for second in range(1, 20):
        dispatch.tick(float(second))
    dispatch.losses.forgive(4980.0)
    assert dispatch.tick(5000.0) == [] and dispatch.board.is_live(ticket.id), "nobody could be heard meanwhile"
    lost = [second for second in range(5001, 5100) if dispatch.tick(float(second))]
    assert lost, "silent since, it is lost after all"


def test_who_was_handed_out_before_the_median_was_known_is_ended_by_the_timeout_all_the_same() -> None:
    dispatch = make_dispatch(12, ping=10.0, timeout=Times(3), attempts=1)
    client = dispatch.register(0.0, "h", "", 2, True).id
    (hanging,) = dispatch.handout.take(0.0, client, 1)
    for n in range(8):
        (ticket,) = dispatch.handout.take(float(n), client, 1)
        dispatch.attempts.arrive(n + 1.0, ticket.id, client)
        dispatch.attempts.accept(ticket.id, OUT, Usage(1.0))
    for second in range(9, 60):
        dispatch.ping(float(second), client, [hanging.id] if dispatch.board.is_live(hanging.id) else [])
        dispatch.tick(float(second))
    assert not dispatch.board.is_live(hanging.id) and hanging.task not in dispatch.board.tasks
    assert reasons(dispatch) == ["timeout after 3 s"]
    assert dispatch.clients.take_expired(client) == [hanging.id], "its client is called at once"


def test_why_nothing_is_handed_out_is_written_down_for_those_who_ask(tmp_path: Path) -> None:
    (tmp_path / "session").mkdir()
    dispatch = make_dispatch(10)
    blockers = BlockersFile(tmp_path)
    blockers.note(dispatch, {"far": LaunchError(Fault.START, "no route to host", where="far")})
    nobody, far = sentences(written(tmp_path))
    assert nobody == "no host is up yet" and far.startswith("far is not up: ")
    bad, good = host(dispatch, "bad"), host(dispatch, "good")
    for _ in range(SUSPECT_AFTER):
        fail(dispatch, take(dispatch, bad)[0])
    blockers.note(dispatch, {})
    assert sentences(written(tmp_path)) == ["bad is under suspicion, its last tasks failed; others try them first"]
    for ticket in take(dispatch, good, 9):
        finish(dispatch, ticket)
    dispatch.handout.loaded = {"good"}
    blockers.note(dispatch, {})
    benched, loaded = sentences(written(tmp_path))
    assert benched == "bad is benched, it fails what succeeds elsewhere: libfoo.so is missing"
    assert loaded == "good is loaded by others"
    dispatch.board.draining = True
    blockers.note(dispatch, {})
    assert sentences(written(tmp_path))[0] == "the run ends: nothing more is handed out"
    assert (tmp_path / "session/blockers.json").stat().st_mode & 0o777 == 0o600
    assert sentences(written(tmp_path / "nowhere")) == []


def test_a_success_of_before_its_failures_that_comes_late_does_not_clear_a_host() -> None:
    dispatch = make_dispatch(20)
    turned, good = host(dispatch, "turned"), host(dispatch, "good")
    before, *bad = take(dispatch, turned, SUSPECT_AFTER + 1)
    for ticket in bad:
        fail(dispatch, ticket)
    assert finish(dispatch, before)
    assert dispatch.guard.record("turned").trust is Trust.SUSPECTED
    assert take(dispatch, good, 1) and take(dispatch, turned, 5) == []
