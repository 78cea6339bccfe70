"""The ledger: who held which slots when, at which price, and what that makes of each user's account. Pure.

An interval is open as long as a job holds the same slots on a host. All open intervals of a user
are brought up to date together with his account, so that what was stored last is always a whole: a
farm that is killed loses at most MINUTE seconds, and charges nothing twice.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from ..record import record
from .deal.weights import HALF_LIFE, decayed
from .rows import LedgerRow, Row, UserRow

MINUTE = 60.0
STEP = 300.0  # seconds by which the wall clock may differ from what has passed

log = logging.getLogger("spe.farm.ledger")


@record
class Moment:
    """A moment by both clocks. wall: labels what happened. mono: does not jump, and is charged."""

    wall: float
    mono: float


@record
class Charge:
    """The charge of a job at this moment. slots: cores granted, by host. gpus: by host."""

    owner: str
    price: float
    slots: Mapping[str, int]
    gpus: Mapping[str, float] = field(default_factory=dict)


Key = tuple[int, str, bool]  # job, host, whether it is for what was used beyond the grant
Measured = Mapping[tuple[str, str], float]  # (user, host) -> CPU cores in use, a mean of 5 minutes


@record
class _Wanted:
    owner: str
    slots: int
    gpus: float
    price: float


@dataclass
class _Interval:
    row: LedgerRow
    owner: str
    since: float  # monotonic, from which the seconds beyond those of the row count

    @property
    def rate(self) -> float:
        return self.row.slots * self.row.price

    def brought_up(self, at: Moment) -> LedgerRow:
        seconds = self.row.seconds + max(0.0, at.mono - self.since)
        return replace(self.row, heard=at.wall, seconds=seconds)


@dataclass
class _Account:
    used: float
    mono: float  # as of which
    rate: float = 0.0  # slots × price of all his open intervals

    def advance(self, mono: float, half_life: float) -> None:
        seconds = max(0.0, mono - self.mono)
        self.used = decayed(self.used, seconds, half_life)
        self.used += charged(self.rate, seconds, half_life)
        self.mono = max(mono, self.mono)


def charged(rate: float, seconds: float, half_life: float = HALF_LIFE) -> float:
    """Return what use at this rate for so many seconds leaves at their end, decaying meanwhile."""
    mean_life = half_life / math.log(2.0)
    return -rate * mean_life * math.expm1(-max(0.0, seconds) / mean_life)


class Ledger:
    """The open intervals and the accounts, from the start of a farm to its end."""

    def __init__(
        self,
        at: Moment,
        users: Iterable[UserRow] = (),
        rows: Iterable[LedgerRow] = (),
        owners: Mapping[int, str] | None = None,
        last: int = 0,
        half_life: float = HALF_LIFE,
    ) -> None:
        """`rows`: intervals that an earlier farm left open. owners: of jobs. last: highest ID given."""
        self._half_life = half_life
        self._last, self._now, self._stored = last, at, at.mono
        self._owners = dict(owners or {})
        self._open: dict[Key, _Interval] = {}
        self._asleep: dict[int, list[LedgerRow]] = {}
        self._accounts: dict[str, _Account] = {}
        self._excess: dict[tuple[str, str], int] = {}
        self._changes: list[LedgerRow] = []
        self._touched: set[str] = set()  # users whose account is to be stored
        for user in users:
            used = decayed(user.used, at.wall - user.used_at, half_life)
            self._accounts[user.name] = _Account(used, at.mono)
        for row in rows:
            self._asleep.setdefault(row.job, []).append(row)

    def halve_after(self, at: Moment, half_life: float) -> None:
        """Have use count half after this time from now on. What was forgotten stays forgotten."""
        if half_life != self._half_life:
            for account in self._accounts.values():
                account.advance(at.mono, self._half_life)
            self._half_life = half_life

    # -- what others ask

    def used(self, at: Moment, user: str) -> float:
        """Return a user's decayed slot-seconds at this moment."""
        if user not in self._accounts:
            return 0.0
        account = replace(self._accounts[user])
        account.advance(at.mono, self._half_life)
        return account.used

    def excess(self, user: str) -> int:
        """Return the cores that a user takes beyond his grants: they count as held by him."""
        return sum(cores for (name, _), cores in self._excess.items() if name == user)

    @property
    def unheard(self) -> Collection[int]:
        """The jobs with intervals of an earlier farm that have not reported since."""
        return self._asleep.keys()

    # -- what happens

    def settle(self, at: Moment, job: int, slots: Mapping[str, int], ended: float = 0.0) -> None:
        """Take in what a job of an earlier farm holds, from its first report. slots: cores, by host.

        Its intervals with the same slots go on: it held them while no farm was there. The others
        end at the later of when they were last heard and the end that its master reports.
        """
        self._take_time(at)
        owner = self._owners.get(job, "")
        for row in sorted(self._asleep.pop(job, ()), key=lambda row: row.id):
            key = (job, row.host, False)
            goes_on = slots.get(row.host, 0) == row.slots and key not in self._open
            until = at.wall if goes_on else min(at.wall, max(row.heard, ended))
            if until < row.heard:
                log.warning(
                    "%s: the clock was set back while no farm ran: nothing is charged", row.host
                )
            seconds = max(0.0, until - row.heard)
            account = self._account(owner, at)
            left = charged(row.slots * row.price, seconds, self._half_life)
            account.used += decayed(left, at.wall - until, self._half_life)
            row = replace(row, seconds=row.seconds + seconds, heard=at.wall)
            self._touched.add(owner)
            if goes_on:
                self._open[key] = _Interval(row, owner, at.mono)
                account.rate += self._open[key].rate
            else:
                self._changes.append(replace(row, until=until, heard=until))

    def update(
        self,
        at: Moment,
        charges: Mapping[int, Charge],
        measured: Measured | None = None,
        lent: Collection[str] = (),
    ) -> None:
        """Take in what all jobs are granted now. lent: hosts that are free of charge."""
        self._take_time(at)
        is_due = at.mono - self._stored >= MINUTE
        granted = self._granted(charges, lent)
        self._measure(granted, measured or {}, is_due)
        wanted = {**granted, **self._beyond(granted)}
        for key in [key for key in self._open if not self._is_same(key, wanted.get(key))]:
            self._close(at, key)
        for key, one in wanted.items():
            if key not in self._open:
                self._begin(at, key, one)
        if is_due:
            self._touched |= {one.owner for one in self._open.values()}
            self._stored = at.mono

    def take_changes(self, at: Moment, users: Mapping[str, UserRow]) -> list[Row]:
        """Return the rows to be stored by one commit: intervals, and the accounts that they make."""
        rows: list[Row] = list(self._changes)
        self._changes = []
        for interval in self._open.values():
            if interval.owner in self._touched:
                interval.row = interval.brought_up(at)
                interval.since = at.mono
                rows.append(interval.row)
        for name in sorted(self._touched & users.keys()):
            used = self._account(name, at).used
            rows.append(replace(users[name], used=used, used_at=at.wall))
        self._touched = set()
        return rows

    # -- parts

    def _take_time(self, at: Moment) -> None:
        step = (at.wall - self._now.wall) - (at.mono - self._now.mono)
        if abs(step) > STEP:
            text = "the clock of this host was set by %+.0f s: nothing is charged for that"
            log.warning(text, step)
            # All labels at once: a farm that is killed now takes them for what has passed meanwhile.
            self._touched |= self._accounts.keys()
        self._now = at

    def _granted(self, charges: Mapping[int, Charge], lent: Collection[str]) -> dict[Key, _Wanted]:
        return {
            (job, host, False): _Wanted(one.owner, slots, one.gpus.get(host, 0.0), one.price)
            for job, one in charges.items()
            # What an earlier farm has granted is settled by the job's first report.
            if job not in self._asleep
            for host, slots in one.slots.items()
            if slots > 0 and host not in lent
        }

    def _measure(self, granted: Mapping[Key, _Wanted], measured: Measured, is_due: bool) -> None:
        """Find who uses more than he was granted. Only once a minute: each change is a row."""
        held: dict[tuple[str, str], int] = {}
        for (_, host, _), one in granted.items():
            held[one.owner, host] = held.get((one.owner, host), 0) + one.slots
        if is_due:
            more = {key: math.floor(measured.get(key, 0.0) - cores) for key, cores in held.items()}
            self._excess = {key: cores for key, cores in more.items() if cores > 0}
        else:
            self._excess = {key: cores for key, cores in self._excess.items() if key in held}

    def _beyond(self, granted: Mapping[Key, _Wanted]) -> dict[Key, _Wanted]:
        """Return intervals for what is used beyond grants.

        They are those of the user's dearest job there: cores must not come cheaper that way.
        """
        found: dict[Key, _Wanted] = {}
        for (owner, host), cores in self._excess.items():
            theirs = [
                (one.price, -key[0])
                for key, one in granted.items()
                if key[1] == host and one.owner == owner
            ]
            price, job = max(theirs)
            found[-job, host, True] = _Wanted(owner, cores, 0.0, price)
        return found

    def _is_same(self, key: Key, wanted: _Wanted | None) -> bool:
        row = self._open[key].row
        return wanted == _Wanted(self._open[key].owner, row.slots, row.gpus, row.price)

    def _account(self, user: str, at: Moment) -> _Account:
        """Return a user's account, brought up to this moment."""
        account = self._accounts.setdefault(user, _Account(0.0, at.mono))
        account.advance(at.mono, self._half_life)
        return account

    def _close(self, at: Moment, key: Key) -> None:
        interval = self._open.pop(key)
        account = self._account(interval.owner, at)
        account.rate -= interval.rate
        if not any(one.owner == interval.owner for one in self._open.values()):
            account.rate = 0.0  # what is left are rounding errors
        self._changes.append(replace(interval.brought_up(at), until=at.wall))
        self._touched.add(interval.owner)

    def _begin(self, at: Moment, key: Key, wanted: _Wanted) -> None:
        self._last += 1
        job, host, _ = key
        row = LedgerRow(
            self._last,
            job,
            host,
            wanted.slots,
            wanted.gpus,
            since=at.wall,
            until=0.0,
            heard=at.wall,
            seconds=0.0,
            price=wanted.price,
        )
        self._open[key] = _Interval(row, wanted.owner, at.mono)
        self._account(wanted.owner, at).rate += self._open[key].rate
        self._touched.add(wanted.owner)
