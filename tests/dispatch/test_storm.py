"""A dispatch in virtual time under hosts that do everything hosts do: what must hold, holds after each step."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from spe.dispatch.dispatch import Dispatch
from spe.dispatch.handout import UNHEARD
from spe.dispatch.lifecycle import LIVE
from spe.dispatch.losses import MAX_LOST
from spe.dispatch.rules import Rules
from spe.dispatch.scheduler import lease
from spe.dispatch.steering import Aside
from spe.model import Failure, Task, TaskState, Ticket, TicketState, Usage

from .kit import NO_USAGE, OUT, Replay

LIMITS = {"timeout": 1, "exit:75": 4}
ENDED = (TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED)
STEPS = 10_000  # at least so many in a run of the test
chance = st.integers(0, 2**16)


class Storm(RuleBasedStateMachine):
    """Clients hold what they were given, and do with it what they like."""

    steps = 0  # of all storms

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.dispatch = Dispatch(Rules(attempts=3, retry=LIMITS.get, ping=10.0))
        self.replay = Replay()
        self.held: dict[str, set[int]] = {}  # client -> tickets that it thinks it has
        self.known: dict[int, int] = {}  # ticket -> task, all that were ever issued
        self.holders: dict[int, tuple[str, str]] = {}  # ticket -> client, host
        self.dead: set[str] = set()
        self.checking: list[int] = []
        self.ended: dict[int, TaskState] = {}
        self.tasks = 0
        self.fed = 0

    @initialize(tasks=st.integers(1, 12))
    def begin(self, tasks: int) -> None:
        self.tasks = tasks
        self.feed(count=tasks // 2)

    # -- what happens

    @rule(count=st.integers(1, 5))
    def feed(self, count: int) -> None:
        """Tasks come in from the store; those that the store knows to wait."""
        numbers = range(self.fed + 1, min(self.tasks, self.fed + count) + 1)
        waiting = [n for n in numbers if self.replay.tasks.get(n, TaskState.WAITING) is TaskState.WAITING]
        self.dispatch.board.add(Task(n, {"n": str(n), "word": "ab"[n % 2]}) for n in waiting)
        self.fed = min(self.tasks, self.fed + count)
        self.dispatch.board.more = self.fed < self.tasks

    @rule(host=st.sampled_from(["a", "b", "c"]), pings=st.booleans())
    def register(self, host: str, pings: bool) -> None:
        client = self.dispatch.register(self.now, host, "linux-x86_64", 2, pings)
        assert client.id not in self.held
        self.held[client.id] = set()

    @precondition(lambda self: self.alive())
    @rule(which=chance, count=st.integers(0, 4), ahead=st.sampled_from([0, 0, 1, 5]))
    def take(self, which: int, count: int, ahead: int) -> None:
        """Some of it to begin later: with `ahead`, and none free, nothing else."""
        client = self.alive()[which % len(self.alive())]
        tickets = self.dispatch.handout.take(self.now, client, count + ahead, ahead=ahead)
        assert len(tickets) <= count + (ahead if self.dispatch.clients[client].pings else 0), (
            "who cannot be called has it"
        )
        withheld = self.dispatch.steering.withholds(self.dispatch.clients[client].host)
        assert not tickets or not withheld, "handed out in a drain or a pause, or to a host that was set aside"
        for ticket in tickets:
            assert ticket.id not in self.known, "a number was given twice"
            assert self.ended.get(ticket.task) is None, "what is finished was handed out"
            self.known[ticket.id], self.holders[ticket.id] = ticket.task, (client, ticket.host)
            self.held[client].add(ticket.id)

    @rule(address=st.sampled_from(["10.0.0.1", "10.0.0.2"]), count=st.integers(1, 2))
    def one_that_did_not_register_takes(self, address: str, count: int) -> None:
        """A program by hand, or of another project: it is known by its address alone."""
        for ticket in self.dispatch.handout.take(self.now, "", count, address=address):
            assert ticket.host == address and self.ended.get(ticket.task) is None
            self.known[ticket.id], self.holders[ticket.id] = ticket.task, ("", address)

    @precondition(lambda self: any(self.held[client] for client in self.alive()))
    @rule(which=chance, count=st.integers(1, 4), stranger=st.booleans())
    def give_back(self, which: int, count: int, stranger: bool) -> None:
        """What was not begun: nothing is charged for it. Nobody gives back what is another's."""
        holding = [client for client in self.alive() if self.held[client]]
        client = holding[which % len(holding)]
        for ticket_id in sorted(self.held[client])[-count:]:
            ticket, task = (
                self.dispatch.board.tickets.get(ticket_id),
                self.dispatch.board.tasks.get(self.known[ticket_id]),
            )
            before = (task.attempts, task.lost) if task else None
            was_live, calls = self.dispatch.board.is_live(ticket_id), self.dispatch.clients.to_call()
            self.dispatch.handout.give_back(ticket_id, "stranger" if stranger else client)
            assert task is None or (task.attempts, task.lost) == before
            if stranger:
                assert self.dispatch.board.is_live(ticket_id) == was_live
                continue
            assert ticket is None or ticket.state is not TicketState.ISSUED
            assert self.dispatch.clients.to_call() == calls, "told of what it gave back itself"
            self.held[client].discard(ticket_id)

    @precondition(lambda self: self.alive())
    @rule(which=chance)
    def ping(self, which: int) -> None:
        client = self.alive()[which % len(self.alive())]
        told = {
            *self.dispatch.ping(self.now, client, sorted(self.held[client])),
            *self.dispatch.clients.take_expired(client),
        }
        for ticket in sorted(self.held[client]):
            if ticket not in told:
                assert self.dispatch.board.is_live(ticket), "a client goes on with a ticket that is not live"
        self.held[client] -= told
        assert self.dispatch.clients.take_expired(client) == []

    @precondition(lambda self: self.known)
    @rule(which=chance)
    def bring(self, which: int) -> None:
        """A result of any ticket there ever was: first, twice, late, of one already written off."""
        ticket_id = sorted(self.known)[which % len(self.known)]
        task = self.dispatch.attempts.arrive(self.now, ticket_id)
        if task is not None:
            assert self.ended.get(task.number) is not TaskState.DONE, "a result of what is done was taken"
            self.checking.append(ticket_id)

    @precondition(lambda self: self.checking)
    @rule(which=chance, verdict=st.sampled_from(["valid", "valid", "invalid", "hook"]))
    def judged(self, which: int, verdict: str) -> None:
        ticket_id = self.checking.pop(which % len(self.checking))
        if verdict == "valid":
            self.dispatch.attempts.accept(ticket_id, OUT, Usage(wall=float(self.known[ticket_id])))
        elif verdict == "hook":
            self.dispatch.attempts.suspend(ticket_id, "the hook raised", OUT, NO_USAGE)
        else:
            self.dispatch.attempts.reject(ticket_id, "not valid", NO_USAGE)
        assert not self.dispatch.board.is_live(ticket_id)

    @precondition(lambda self: self.known)
    @rule(which=chance, kind=st.sampled_from(["exit:1", "exit:75", "timeout", "signal:9"]))
    def fail(self, which: int, kind: str) -> None:
        ticket_id = sorted(self.known)[which % len(self.known)]
        self.dispatch.attempts.fail(self.now, ticket_id, Failure(kind, f"because of {kind}"), NO_USAGE)

    @precondition(lambda self: self.alive())
    @rule(which=chance)
    def die(self, which: int) -> None:
        """Without a word."""
        self.dead.add(self.alive()[which % len(self.alive())])

    @precondition(lambda self: self.dead)
    @rule(which=chance)
    def come_back(self, which: int) -> None:
        """A network that was away: the client still has what it had."""
        self.dead.discard(sorted(self.dead)[which % len(self.dead)])

    @precondition(lambda self: self.alive())
    @rule(which=chance, killed=st.booleans())
    def bye(self, which: int, killed: bool) -> None:
        """`killed`: somebody else says it."""
        client = self.alive()[which % len(self.alive())]
        lost = {number: task.lost for number, task in self.dispatch.board.tasks.items()}
        self.dispatch.bye(self.now, client, killed)
        assert killed or all(task.lost == lost[number] for number, task in self.dispatch.board.tasks.items()), (
            "held against it"
        )
        for ticket_id in self.held.pop(client):
            ticket = self.dispatch.board.tickets.get(ticket_id)
            assert ticket is None or ticket.state is not TicketState.ISSUED

    @rule(stop=st.booleans())
    def drain(self, stop: bool) -> None:
        """Ctrl-C, and once more."""
        if not stop:
            self.dispatch.board.draining = True
            return
        self.dispatch.board.stop()
        assert not any(ticket.state is TicketState.ISSUED for ticket in self.dispatch.board.tickets.values())

    @precondition(lambda self: self.dispatch.board.draining)
    @rule()
    def run_again(self) -> None:
        """As in another run, but that clients still have what they had: so more can go wrong."""
        self.dispatch.board.draining = False

    @rule(goes_on=st.booleans())
    def pause(self, goes_on: bool) -> None:
        if goes_on:
            self.dispatch.steering.resume()
        else:
            self.dispatch.steering.pause()

    @rule(host=st.sampled_from(["a", "b", "c"]), how=st.sampled_from([*Aside, None]))
    def set_aside(self, host: str, how: Aside | None) -> None:
        """Or use it again."""
        if how:
            self.dispatch.steering.set_aside(host, how)
        else:
            self.dispatch.steering.use(host)

    @rule(which=st.sets(st.integers(1, 12), min_size=1, max_size=4))
    def cancel(self, which: set[int]) -> None:
        """Those that the dispatch does not hold are cancelled in the store, if they wait there."""
        here = self.dispatch.steering.cancel(sorted(which))
        assert not any(number in self.dispatch.board.tasks for number in here)
        stored = [
            n for n in which - set(here)
            if n <= self.tasks and n not in self.dispatch.board.tasks and n not in self.ended
            and self.replay.tasks.get(n, TaskState.WAITING) is TaskState.WAITING
        ]  # fmt: skip
        self.dispatch.steering.cancelled_in_store(stored)
        for number in stored:
            self.replay.tasks[number], self.replay.reasons[number] = TaskState.CANCELLED, "cancelled by hand"
            self.ended[number] = TaskState.CANCELLED

    @rule(which=st.sets(st.integers(1, 12), min_size=1, max_size=6))
    def put_back(self, which: set[int]) -> None:
        """The store sets them to waiting, and the dispatch is told; they come in again in their order."""
        self.changes_tell_the_store_what_happened()
        before = {
            n: state for n, state in self.ended.items()
            if n in which and state is not TaskState.DONE and n not in self.dispatch.board.tasks
        }  # fmt: skip
        if not before:
            return
        self.dispatch.steering.put_back(before)
        for number in before:
            del self.ended[number]
            self.replay.tasks[number], self.replay.attempts[number] = TaskState.WAITING, 0
        self.fed = 0
        assert self.dispatch.board.fed == -1 and self.dispatch.board.more

    @rule(seconds=st.sampled_from([1.0, 20.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        for ticket in self.dispatch.tick(self.now):
            assert self.now - ticket.word > lease(10.0)

    @precondition(lambda self: self.known)
    @rule(which=chance)
    def late_word_about_a_task_that_left(self, which: int) -> None:
        """As desk.py does it: a ticket that the dispatch does not hold comes back while its task is undone."""
        ticket_id = sorted(self.known)[which % len(self.known)]
        number = self.known[ticket_id]
        if ticket_id in self.dispatch.board.tickets or self.replay.tasks[number] in (
            TaskState.DONE,
            TaskState.CANCELLED,
        ):
            return
        task = Task(number, {}, self.replay.tasks[number], self.replay.attempts.get(number, 0))
        self.dispatch.board.restore(
            task, Ticket(ticket_id, number, *self.holders[ticket_id], 0.0, self.replay.tickets[ticket_id])
        )
        if self.ended.pop(number, None):
            self.replay.accepted.pop(number, None)

    # -- what holds

    def alive(self) -> list[str]:
        """Clients that can act."""
        return sorted(set(self.held) - self.dead)

    @invariant()
    def a_step_was_taken(self) -> None:
        Storm.steps += 1

    @invariant()
    def changes_tell_the_store_what_happened(self) -> None:
        changes = self.dispatch.board.take_changes()
        self.replay.apply(changes)
        assert not changes or self.replay.out == self.dispatch.board.with_slot, "what is noted as running has a slot"
        for number, state in self.replay.tasks.items():
            if state in ENDED and number not in self.dispatch.board.tasks:
                assert self.ended.get(number, state) in (state, TaskState.FAILED)
                self.ended[number] = state
            elif number in self.dispatch.board.tasks and self.ended.get(number) is TaskState.FAILED:
                del self.ended[number]  # its host is suspected: others shall try it
        for number, task in self.dispatch.board.tasks.items():
            told = self.replay.tasks.get(number, TaskState.WAITING)
            looked_at = any(self.dispatch.board.tickets[t].state is TicketState.CHECKING for t in task.tickets)
            # A late result that is being looked at is news for the store only when the verdict is there.
            assert told is task.state or (looked_at and told in (TaskState.WAITING, TaskState.FAILED))
            assert self.replay.attempts.get(number, 0) == task.attempts
        for ticket in self.dispatch.board.tickets.values():
            told_ticket = self.replay.tickets[ticket.id]
            assert ticket.state in (told_ticket, TicketState.CHECKING)

    @invariant()
    def every_task_is_in_exactly_one_place(self) -> None:
        dispatch = self.dispatch
        assert max(Counter(dispatch.board.waiting).values(), default=1) == 1, "twice in the queue"
        for number in range(1, self.fed + 1):
            places = [number in dispatch.board.tasks, number in self.ended]
            assert sum(places) == 1, f"task {number} is in {sum(places)} places"
        for number, task in dispatch.board.tasks.items():
            live = [t for t in task.tickets if dispatch.board.tickets[t].state in LIVE]
            assert live == task.tickets and not set(task.tickets) & set(task.past)
            assert len(set(task.past)) == len(task.past)
            assert bool(live) == (task.state is TaskState.RUNNING) or task.state is TaskState.FAILED
            if number <= self.fed:
                assert (number in dispatch.board.waiting) == (task.state is TaskState.WAITING)
        assert set(dispatch.board.waiting) <= set(dispatch.board.tasks)

    @invariant()
    def tickets_belong_to_tasks_that_are_here(self) -> None:
        listed = [t for task in self.dispatch.board.tasks.values() for t in (*task.tickets, *task.past)]
        assert sorted(listed) == sorted(self.dispatch.board.tickets)

    @invariant()
    def counts_agree(self) -> None:
        here = Counter(task.state for task in self.dispatch.board.tasks.values())
        for state in (TaskState.WAITING, TaskState.RUNNING):
            assert self.dispatch.board.in_state[state] == here[state], state
        gone = Counter(self.ended.values())
        assert self.dispatch.board.in_state[TaskState.DONE] == gone[TaskState.DONE]
        assert self.dispatch.board.in_state[TaskState.CANCELLED] == gone[TaskState.CANCELLED]
        assert self.dispatch.board.in_state[TaskState.FAILED] == gone[TaskState.FAILED] + here[TaskState.FAILED]

    @invariant()
    def what_is_said_to_run_are_the_tasks_that_have_a_slot(self) -> None:
        dispatch, begun = self.dispatch, list(self.dispatch.handout.begun())
        assert dispatch.board.occupancy.begun == len(begun)
        out = Counter(t.task for t in dispatch.board.tickets.values() if t.state is TicketState.ISSUED)
        copies = sum(count - 1 for count in out.values())
        assert dispatch.board.with_slot == max(0, len(begun) - copies)
        assert dispatch.board.with_slot <= len({ticket.task for ticket in begun})
        for client, count in Counter(ticket.client for ticket in begun).items():
            assert client not in dispatch.clients or count <= 2, "more run there than it has slots"

    @invariant()
    def nobody_is_asked_for_more_than_it_has_not_begun(self) -> None:
        out = Counter(t.client for t in self.dispatch.board.tickets.values() if t.state is TicketState.ISSUED)
        for client, count in self.dispatch.handout.unbegun(3, self.held).items():
            assert 0 < count <= min(3, out[client] - self.dispatch.clients[client].slots), client

    @invariant()
    def no_task_is_accepted_twice(self) -> None:
        assert all(n == 1 for n in self.replay.accepted.values())

    @invariant()
    def nobody_who_is_gone_is_to_be_called(self) -> None:
        assert set(self.dispatch.clients.to_call()) <= set(self.held)

    # -- the end

    def teardown(self) -> None:
        """Whatever was before: with one healthy host everything is done, or failed with a reason."""
        if not self.tasks:
            return
        for ticket_id in self.checking:
            self.dispatch.attempts.reject(ticket_id, "not valid", NO_USAGE)
        self.checking, self.dispatch.board.draining, self.dispatch.steering.paused = [], False, False
        self.dispatch.steering.aside.clear()
        self.feed(count=self.tasks)
        healthy = self.dispatch.register(self.now, "healthy", "linux-x86_64", 1, True).id
        for _ in range(self.tasks * (MAX_LOST + 2) + 2):
            self.now += max(lease(10.0), UNHEARD) + 1
            self.dispatch.tick(self.now)
            for ticket in self.dispatch.handout.take(self.now, healthy, 1):
                self.known[ticket.id] = ticket.task
                assert self.dispatch.attempts.arrive(self.now, ticket.id) and self.dispatch.attempts.accept(
                    ticket.id, OUT, NO_USAGE
                )
            self.check()
        assert self.dispatch.board.over
        for number in range(1, self.tasks + 1):
            state = self.replay.tasks[number]
            assert state is TaskState.DONE or (state in ENDED and self.replay.reasons[number])

    def check(self) -> None:
        """All invariants."""
        self.changes_tell_the_store_what_happened()
        self.every_task_is_in_exactly_one_place()
        self.tickets_belong_to_tasks_that_are_here()
        self.counts_agree()
        self.no_task_is_accepted_twice()


def test_whatever_hosts_do_what_must_hold_holds_after_each_step() -> None:
    Storm.steps = 0
    run_state_machine_as_test(Storm, settings=settings(
        max_examples=300, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
    ))  # fmt: skip
    print(f"{Storm.steps} steps")
    assert Storm.steps >= STEPS
