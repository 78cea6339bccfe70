"""A worker of its own for tests that mostly wait: for a lease to run out, for a timeout, for a minute to be over.

Files say so with `pytest.mark.patient`. With more than two workers of pytest-xdist, as tests/run starts them, the last
one does these and nothing else, beside the others, which so have little more to compete with than each other. Those
that are left in the end are done by whoever is free.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from xdist.scheduler import LoadFileScheduling

MARK = "pytest.mark.patient"


class Patiently(LoadFileScheduling):
    """By file, and by patience."""

    @cached_property
    def _beside(self) -> str:
        """The name of the worker that does what is patient; "": there is none."""
        return f"gw{self.numnodes - 1}" if self.numnodes > 2 else ""

    @cached_property
    def _patient(self) -> set[str]:
        files = {scope: self.config.rootpath / scope for scope in self.workqueue}
        return {scope for scope, file in files.items() if MARK in file.read_text(encoding="utf-8")}

    def _assign_work_unit(self, node: Any) -> None:
        """What fits this worker is the next; where nothing does, anything."""
        waits = node.gateway.id == self._beside
        fitting = [scope for scope in self.workqueue if (scope in self._patient) is waits]
        self.workqueue.move_to_end((fitting or list(self.workqueue))[0], last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:
        """The one beside the others ends when nothing patient is left."""
        if node.gateway.id == self._beside and self._patient.isdisjoint(self.workqueue) and not node.shutting_down:
            node.shutdown()
        else:
            super()._reschedule(node)
