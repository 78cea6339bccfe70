"""The slots that a job holds: the most tasks that it may have out on a host, whatever is on its way. Pure.

A grant and a report may pass each other, be lost, or come in another order. So a slot is free for
others only when the job's master has said that it applied a smaller grant, and nothing larger can
still reach it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from ..record import record

Slots = Mapping[str, int]  # host -> tasks; a host that is not named: 0


@record
class Report:
    """A report of a job's master about itself.

    serial: (run, place in it), which grows with each report of a job. epoch, number: of the grant
    that it has applied, 0 for none. allowed: that grant. out: tasks that are begun on each host or
    may still be begun.
    """

    serial: tuple[int, int]
    epoch: int
    number: int
    allowed: Slots
    out: Slots


@record
class Grant:
    """How many tasks a job may have out on each host. number: counts the grants of a job."""

    epoch: int
    number: int
    slots: Slots = field(default_factory=dict)

    @property
    def rank(self) -> tuple[int, int]:
        """Its place among all grants of the job: a master takes none that is lower."""
        return (self.epoch, self.number)


class Holding:
    """The slots that one job holds, as a farm of one epoch knows them."""

    def __init__(self, epoch: int, stored: Sequence[Grant] = ()) -> None:
        """`stored`: what the farm of the epoch before has stored of this job."""
        self._epoch = epoch
        # What the master may have applied or may still apply, the oldest first.
        self._grants = list(stored)
        self._report: Report | None = None
        self._number = 0
        self._freed: dict[str, tuple[int, int]] = {}  # host -> the first grant without it
        self._held: dict[str, int] = {}
        self._count()

    @property
    def is_known(self) -> bool:
        """True once the master has applied a grant of this epoch: no earlier one can reach it."""
        return self._report is not None and self._report.epoch >= self._epoch

    @property
    def granted(self) -> Slots:
        """The newest grant."""
        return self._grants[-1].slots if self._grants else {}

    @property
    def held(self) -> Slots:
        """Tasks that the job may have out, on each host where that is not 0."""
        return self._held

    @property
    def report(self) -> Report | None:
        """The newest report; None before the first one."""
        return self._report

    @property
    def stored(self) -> Sequence[Grant]:
        """The grants that a farm must know when it is started again."""
        if self._report is None:
            return self._grants
        rank = (self._report.epoch, self._report.number)
        held: dict[str, int] = {}
        self._add(held, rank, self._report.allowed)
        self._add(
            held, rank, self._report.out
        )  # programs may outlive the grant that let them begin
        return [Grant(*rank, held), *self._grants]

    def grant(self, slots: Slots) -> Grant:
        """Make a new grant, which counts from now on. The caller stores it before it is sent."""
        self._number += 1
        made = Grant(self._epoch, self._number, {host: n for host, n in slots.items() if n > 0})
        self._grants.append(made)
        self._count()
        return made

    def hear(self, report: Report) -> bool:
        """Take in a report. Return False for one that a newer report has overtaken."""
        if self._report and report.serial <= self._report.serial:
            return False
        self._report = report
        applied = (report.epoch, report.number)
        # A master refuses lower grants than the one that it has applied.
        self._grants = [one for one in self._grants if one.rank >= applied]
        self._freed = {host: rank for host, rank in self._freed.items() if rank > applied}
        self._count()
        return True

    def end(self) -> None:
        """Hold nothing any more: the job is over, and none of its clients is left."""
        self._grants, self._report, self._freed = [], None, {}
        self._count()

    def free(self, host: str) -> Grant:
        """Count nothing there any more: it is known that no client of the job is on that host.

        Return the grant without that host. Until the master has applied it, it starts no client
        there, so whatever it still reports of that host has ended.
        """
        made = self.grant({name: n for name, n in self.granted.items() if name != host})
        self._freed[host] = made.rank
        self._count()
        return made

    def _count(self) -> None:
        held: dict[str, int] = {}
        for grant in self._grants:
            self._add(held, grant.rank, grant.slots)
        if self._report:
            rank = (self._report.epoch, self._report.number)
            self._add(held, rank, self._report.allowed)
            self._add(held, rank, self._report.out)
        self._held = held

    def _add(self, held: dict[str, int], rank: tuple[int, int], slots: Slots) -> None:
        """Raise `held` to these slots, but for hosts that have been freed since."""
        for host, number in slots.items():
            is_freed = host in self._freed and rank < self._freed[host]
            if number > held.get(host, 0) and not is_freed:
                held[host] = number
