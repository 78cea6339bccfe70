"""What a job holds on each host: the most tasks that it may have out there, whatever is on its way. Pure.

A grant and a report may pass each other, be lost, or come in another order. So a slot is free for
others only when the job's master has said that it applied a smaller grant, and nothing larger can
still reach it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from ..record import record

Slots = Mapping[str, int]  # host -> tasks; a host that is not named: 0


@record
class Report:
    """What a job's master says of itself.

    serial: counts the reports of one master. epoch, number: of the grant that it has applied; 0 for
    none. allowed: that grant. out: tasks that are begun on each host or may still be begun.
    """

    serial: int
    epoch: int
    number: int
    allowed: Slots
    out: Slots


@record
class Grant:
    """How many tasks a job may have out on each host. number: grants of one epoch, counted."""

    epoch: int
    number: int
    slots: Slots = field(default_factory=dict)


class Holding:
    """What one job holds, for the farm of one epoch."""

    def __init__(self, epoch: int, grants: tuple[Grant, ...] = ()) -> None:
        """`grants`: those that an earlier process of this farm has stored and may have sent."""
        self._epoch = epoch
        self._sent = list(grants)  # that the master may still apply, or has applied, the oldest first
        self._report: Report | None = None
        self._held: dict[str, int] = {}
        self._number = max((grant.number for grant in grants), default=0)
        self._count()

    @property
    def is_known(self) -> bool:
        """True once the master has reported to this epoch: no grant of an earlier one can reach it."""
        return self._report is not None and self._report.epoch == self._epoch

    @property
    def granted(self) -> Slots:
        """The newest grant."""
        return self._sent[-1].slots if self._sent else {}

    @property
    def held(self) -> Slots:
        """Tasks that the job may have out, on each host where that is not 0."""
        return self._held

    @property
    def report(self) -> Report | None:
        """The newest report; None before the first one."""
        return self._report

    def grant(self, slots: Slots) -> Grant:
        """Make a new grant, which counts from now on. The caller stores it, and only then sends it."""
        self._number += 1
        made = Grant(self._epoch, self._number, {host: n for host, n in slots.items() if n > 0})
        self._sent.append(made)
        self._count()
        return made

    def hear(self, report: Report, is_new_master: bool = False) -> bool:
        """Take in a report. Return False for one that a newer report has overtaken.

        is_new_master: the job's master was started again, and counts its reports from 1.
        """
        last = self._report
        if last and not is_new_master and report.serial <= last.serial:
            return False
        self._report = report
        applied = (report.epoch, report.number)
        # What was sent before the applied grant never counts again: masters refuse lower numbers.
        self._sent = [one for one in self._sent if (one.epoch, one.number) >= applied]
        self._count()
        return True

    def free(self, host: str) -> None:
        """Forget what is held there: it is known that no client of the job is on that host."""
        self._sent = [
            Grant(one.epoch, one.number, _without(host, one.slots)) for one in self._sent
        ]
        if (last := self._report) is not None:
            self._report = Report(
                last.serial,
                last.epoch,
                last.number,
                _without(host, last.allowed),
                _without(host, last.out),
            )
        self._count()

    def _count(self) -> None:
        held: dict[str, int] = {}
        maps = [grant.slots for grant in self._sent]
        if self._report:
            maps += [self._report.allowed, self._report.out]
        for slots in maps:
            for host, number in slots.items():
                if number > held.get(host, 0):
                    held[host] = number
        self._held = held


def _without(host: str, slots: Slots) -> Slots:
    return {name: number for name, number in slots.items() if name != host}
