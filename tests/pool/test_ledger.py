"""The ledger: the account of each user is the sum of what he held, whatever is killed and whoever sets the clock."""

from __future__ import annotations

import logging
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spe.pool.deal.weights import boost
from spe.pool.ledger import MINUTE, Charge, Ledger, Moment, charged
from spe.pool.rows import LedgerRow, Row, UserRow

DAY = 86_400.0
EPOCH = 1.8e9
OWNERS = {1: "ada", 2: "ada", 3: "ben", 4: "cyd"}
USERS = ("ada", "ben", "cyd")


def charge(owner: str, priority: int = 64, **slots: int) -> Charge:
    return Charge(owner, boost(priority), slots)


class Book:
    """A farm's ledger with what was stored of it, and a clock that can be set."""

    def __init__(self) -> None:
        self.mono, self.wall = 1000.0, EPOCH
        self.rows: dict[int, LedgerRow] = {}
        self.users = {name: UserRow(name) for name in USERS}
        self.ledger = Ledger(self.now, self.users.values(), owners=OWNERS)

    @property
    def now(self) -> Moment:
        return Moment(self.wall, self.mono)

    def wait(self, seconds: float) -> None:
        self.mono += seconds
        self.wall += seconds

    def update(self, charges: dict[int, Charge], **more: object) -> list[Row]:
        self.ledger.update(self.now, charges, **more)  # type: ignore[arg-type]
        return self.store()

    def store(self) -> list[Row]:
        changes = self.ledger.take_changes(self.now, self.users)
        for row in changes:
            if isinstance(row, LedgerRow):
                self.rows[row.id] = row
            elif isinstance(row, UserRow):
                self.users[row.name] = row
        return changes

    def kill(self, down: float = 0.0) -> None:
        """Kill the farm, and start another one after so many seconds. Its monotonic clock begins anew."""
        self.wait(down)
        self.mono = 5.0
        rows = [row for row in self.rows.values() if not row.until]
        last = max(self.rows, default=0)
        self.ledger = Ledger(self.now, self.users.values(), rows, OWNERS, last)

    def used(self, user: str) -> float:
        return self.ledger.used(self.now, user)

    def sum(self, user: str) -> float:
        """The sum of the decayed intervals that were stored; clocks that were never set."""
        theirs = [row for row in self.rows.values() if OWNERS[row.job] == user]
        return sum(
            charged(row.slots * row.price, row.seconds) * math.exp2(-(self.wall - row.since - row.seconds) / DAY)
            for row in theirs
        )


def test_slots_are_charged_by_the_second_at_the_price_of_their_priority() -> None:
    book = Book()
    book.update({1: charge("ada", 80, lab01=3, lab02=1), 3: charge("ben", lab01=2)})
    book.wait(100)
    book.update({})
    assert book.used("ada") == pytest.approx(4 * 2 * 100, rel=1e-3)
    assert book.used("ben") == pytest.approx(2 * 100, rel=1e-3)
    assert [(row.host, row.slots, row.seconds, row.until - row.since) for row in book.rows.values()] == [
        ("lab01", 3, 100, 100),
        ("lab02", 1, 100, 100),
        ("lab01", 2, 100, 100),
    ]


def test_use_counts_half_after_a_day() -> None:
    book = Book()
    book.update({1: charge("ada", lab01=1)})
    book.wait(3600)
    book.update({})
    before = book.used("ada")
    book.wait(DAY)
    assert book.used("ada") == pytest.approx(before / 2)


def test_another_half_life_counts_from_now_on() -> None:
    book = Book()
    book.update({1: charge("ada", lab01=1)})
    book.wait(100)
    book.update({})
    book.wait(86_400)
    book.ledger.halve_after(book.now, 3600)
    assert book.used("ada") == pytest.approx(50, rel=1e-2)
    book.wait(3600)
    assert book.used("ada") == pytest.approx(25, rel=1e-2)


def test_who_always_has_his_share_comes_to_what_is_expected_of_him() -> None:
    book = Book()
    book.update({1: charge("ada", lab01=10)})
    book.wait(60 * DAY)
    assert book.used("ada") == pytest.approx(10 * DAY / math.log(2))


def test_an_interval_ends_when_slots_or_price_change_and_is_one_row_else() -> None:
    book = Book()
    for _ in range(10):
        book.update({1: charge("ada", lab01=3)})
        book.wait(7)
    book.update({1: charge("ada", lab01=2)})
    book.update({1: charge("ada", 80, lab01=2)})
    assert [(row.slots, row.price, bool(row.until)) for row in book.rows.values()] == [
        (3, 1.0, True), (2, 1.0, True), (2, 2.0, False),
    ]  # fmt: skip


def test_nothing_is_stored_while_nothing_changes_but_once_a_minute() -> None:
    book = Book()
    book.update({1: charge("ada", lab01=3)})
    stored = []
    for _ in range(180):
        book.wait(1)
        stored.append(len(book.update({1: charge("ada", lab01=3)})))
    assert [index for index, count in enumerate(stored) if count] == [59, 119, 179]
    assert book.rows[1].heard == book.users["ada"].used_at == book.wall
    assert book.rows[1].seconds == 180


def test_lent_hosts_are_outside() -> None:
    book = Book()
    book.update({1: charge("ada", desk=4)}, lent={"desk"})
    book.wait(100)
    book.update({1: charge("ada", desk=4)}, lent={"desk"})
    assert book.used("ada") == 0
    assert not book.rows


# -- what was used beyond grants


def test_who_uses_more_than_he_was_granted_pays_for_what_was_measured() -> None:
    book = Book()
    held = {1: charge("ada", lab01=1), 3: charge("ben", lab01=4)}
    measured = {("ada", "lab01"): 47.9, ("ben", "lab01"): 2.0}
    book.update(held, measured=measured)
    assert book.ledger.excess("ada") == 0, "it is looked at once a minute"
    book.wait(MINUTE)
    book.update(held, measured=measured)
    assert book.ledger.excess("ada") == 46
    assert book.ledger.excess("ben") == 0
    before = {name: book.used(name) for name in USERS}
    book.wait(10)
    assert book.used("ada") - before["ada"] == pytest.approx(470, rel=1e-2)
    assert book.used("ben") - before["ben"] == pytest.approx(40, rel=1e-2)


def test_what_is_used_beyond_grants_costs_as_much_as_the_dearest_job_there() -> None:
    book = Book()
    held = {1: charge("ada", 0, lab01=1), 2: charge("ada", 96, lab01=1)}
    book.wait(MINUTE)
    book.update(held, measured={("ada", "lab01"): 12.0})
    assert [(row.job, row.slots, row.price) for row in book.rows.values()] == [(1, 1, 1 / 16), (2, 1, 4), (2, 10, 4)]


def test_what_is_measured_where_a_user_holds_no_grant_is_not_charged() -> None:
    book = Book()
    held = {1: charge("ada", lab01=1)}
    book.wait(MINUTE)
    book.update(held, measured={("ada", "lab02"): 40.0, ("ada", "lab01"): 3.0})
    assert book.ledger.excess("ada") == 2
    book.wait(1)
    book.update({}, measured={("ada", "lab01"): 3.0})
    assert book.ledger.excess("ada") == 0
    assert all(row.until for row in book.rows.values())


# -- restarts


def test_after_a_restart_the_interval_of_a_job_with_the_same_grant_goes_on() -> None:
    book = Book()
    held = {1: charge("ada", lab01=3)}
    book.update(held)
    book.wait(30)
    book.kill(down=600)
    assert book.ledger.unheard == {1}
    book.wait(20)
    book.update(held)  # its report has not come: the farm deals what it finds
    book.wait(10)
    book.ledger.settle(book.now, 1, {"lab01": 3})
    book.wait(40)
    book.update(held)
    book.wait(MINUTE)
    book.update(held)
    assert [(row.slots, row.seconds) for row in book.rows.values()] == [(3, 760)]
    assert book.used("ada") == pytest.approx(book.sum("ada"))


@pytest.mark.parametrize(("ended", "seconds"), [(0.0, 60), (200.0, 200), (9999.0, 700), (10.0, 60)])
def test_another_interval_ends_at_the_later_of_heard_and_the_end_that_its_master_reports(
    ended: float, seconds: float
) -> None:
    book = Book()
    book.update({1: charge("ada", lab01=3)})
    book.wait(60)
    book.update({1: charge("ada", lab01=3)})
    book.wait(40)
    book.kill(down=600)
    book.ledger.settle(book.now, 1, {"lab01": 2}, ended and EPOCH + ended)
    book.store()
    assert [(row.seconds, row.until - EPOCH) for row in book.rows.values()] == [(seconds, seconds)]
    book.update({1: charge("ada", lab01=2)})
    book.wait(100)
    book.update({})
    assert book.used("ada") == pytest.approx(book.sum("ada"))
    assert [row.slots for row in book.rows.values()] == [3, 2]


def test_a_clock_that_was_set_back_while_no_farm_ran_charges_nothing(caplog: pytest.LogCaptureFixture) -> None:
    book = Book()
    book.update({1: charge("ada", lab01=3)})
    book.wait(60)
    book.update({1: charge("ada", lab01=3)})
    before = book.used("ada")
    book.kill(down=-DAY)
    with caplog.at_level(logging.WARNING, "spe.farm.ledger"):
        book.ledger.settle(book.now, 1, {"lab01": 3})
    assert book.used("ada") == pytest.approx(before)
    assert "set back" in caplog.text


# -- whatever happens

grants = st.fixed_dictionaries({}, optional={host: st.integers(0, 5) for host in ("lab01", "lab02")})
asked = st.tuples(st.sampled_from([0, 64, 96]), grants)
all_charges = st.fixed_dictionaries({}, optional=dict.fromkeys(OWNERS, asked))
usage = st.dictionaries(
    st.tuples(st.sampled_from(USERS), st.sampled_from(["lab01", "lab02"])), st.floats(0, 50), max_size=3
)
steps = st.lists(
    st.tuples(st.floats(0.1, 400), all_charges, usage, st.sampled_from([-DAY, 0.0, 0.0, DAY])), min_size=1, max_size=12
)
Steps = list[tuple[float, dict[int, tuple[int, dict[str, int]]], dict[tuple[str, str], float], float]]


def charges_of(raw: dict[int, tuple[int, dict[str, int]]]) -> dict[int, Charge]:
    return {job: Charge(OWNERS[job], boost(priority), slots) for job, (priority, slots) in raw.items()}


@settings(max_examples=80, deadline=None)
@given(steps)
def test_the_account_is_the_sum_of_the_decayed_intervals(run: Steps) -> None:
    book = Book()
    for seconds, raw, measured, _ in run:
        book.update(charges_of(raw), measured=measured)
        book.wait(seconds)
    book.update({})
    for user in USERS:
        assert book.used(user) == pytest.approx(book.sum(user), rel=1e-9, abs=1e-4)
    assert all(row.until for row in book.rows.values())


@settings(max_examples=60, deadline=None)
@given(steps)
def test_a_clock_that_is_set_by_a_day_charges_nothing_and_takes_nothing_away(run: Steps) -> None:
    plain, jumping = Book(), Book()
    for seconds, raw, measured, jump in run:
        for book in (plain, jumping):
            book.update(charges_of(raw), measured=measured)
            book.wait(seconds)
        jumping.wall += jump
        jumping.update(charges_of(raw), measured=measured)
        plain.update(charges_of(raw), measured=measured)
    for user in USERS:
        assert jumping.used(user) == pytest.approx(plain.used(user))
    seconds_of = [[row.seconds for row in book.rows.values() if row.until] for book in (jumping, plain)]
    assert seconds_of[0] == pytest.approx(seconds_of[1])


def test_a_clock_that_is_set_is_said_and_all_labels_are_stored_at_once(caplog: pytest.LogCaptureFixture) -> None:
    book = Book()
    book.update({1: charge("ada", lab01=3)})
    book.wait(10)
    book.wall += DAY
    with caplog.at_level(logging.WARNING, "spe.farm.ledger"):
        book.update({1: charge("ada", lab01=3)})
    assert "+86400 s" in caplog.text
    book.kill()
    book.ledger.settle(book.now, 1, {"lab01": 3})
    assert book.used("ada") == pytest.approx(30, rel=1e-3)


@settings(max_examples=80, deadline=None)
@given(steps, st.integers(0, 11), st.floats(0, 9), st.booleans())
def test_a_kill_at_any_point_loses_at_most_a_minute(run: Steps, point: int, late: float, same: bool) -> None:
    """The farm ticks each second or so; what it has not stored when it is killed is lost."""
    book, whole = Book(), Book()
    held: dict[int, Charge] = {}
    for seconds, raw, _, _ in run[: point + 1]:
        held = charges_of(raw)
        for one in (book, whole):
            one.update(held)
            for _ in range(int(seconds // 10)):
                one.wait(10)
                one.update(held)
    for one in (book, whole):
        one.wait(late)
    book.kill()
    for job in list(book.ledger.unheard):
        book.ledger.settle(book.now, job, held[job].slots if same else {})
    book.store()
    for user in USERS:
        rate = sum(sum(one.slots.values()) * one.price for one in held.values() if one.owner == user)
        lost = whole.used(user) - book.used(user)
        assert lost <= (0 if same else rate * (MINUTE + 10)) + 1e-4
        assert lost >= -1e-4, "seconds of 2026 have seven digits behind the point"
        assert book.used(user) == pytest.approx(book.sum(user), rel=1e-9, abs=1e-4)


def test_a_user_whom_nobody_knows_has_no_account() -> None:
    book = Book()
    del book.users["ben"]
    rows = book.update({3: charge("ben", lab01=1)})
    assert [type(row) for row in rows] == [LedgerRow]
