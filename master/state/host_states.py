"""The state of a host in one word, and where that is worth a sentence, why.

docs/page.md lists the words.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..dispatch.black_holes import HostRecord, Trust
from ..dispatch.dispatch import Dispatch
from ..errors import HostBenched, LaunchError
from ..model import Client

# Seconds after which a client that did not register and has nothing to do counts as gone
SILENCE = 60.0


def state_of_host(
    dispatch: Dispatch, name: str, clients: Sequence[Client], fault: LaunchError | None
) -> tuple[str, str]:
    """Return (state, reason) of a host; the reason is "" where the state says enough.

    `clients`: all that have registered from there. `fault`: why the run could not start the host.
    """
    present = [client for client in clients if not client.state.is_gone]
    aside = dispatch.steering.aside.get(name)
    if aside:  # before all else: people want to see what they have done
        return aside.value, _why_aside(clients, present)
    if not present:
        return _state_of_absent(fault, clients)
    if all(client.state.is_cut_off for client in present):
        why = "the connection to its client is cut; its sets go to others if it stays silent"
        return "suspect", why
    return _state_of_present(dispatch, name)


def _state_of_absent(fault: LaunchError | None, clients: Sequence[Client]) -> tuple[str, str]:
    if isinstance(fault, HostBenched):
        return "benched", fault.what
    if fault:
        return "fault", fault.what
    if clients:
        return "gone", "its client was killed" if clients[-1].was_killed else ""
    return "starting", ""


def _state_of_present(dispatch: Dispatch, name: str) -> tuple[str, str]:
    record = dispatch.guard.records.get(name)
    if record and record.trust is not Trust.TRUSTED:
        return _state_of_doubted(record)
    if name in dispatch.steering.on_trial:
        return "up", "its clients did not stay before: it gets work once this one has"
    if name in dispatch.handout.loaded:
        return "up", "is loaded by others, it gets no work now"
    return "up", ""


def _state_of_doubted(record: HostRecord) -> tuple[str, str]:
    if record.trust is Trust.BENCHED:
        return "benched", f"it fails what succeeds elsewhere: {record.reason}"
    return "up", "its last tasks failed; others try them first"


def _why_aside(clients: Sequence[Client], present: Sequence[Client]) -> str:
    if not clients:
        return "by hand; no client of ours is there"
    if not present:
        return "set aside: it gets nothing new; its client has left"
    return "set aside: it gets nothing new"


def state_of_stranger(now: float, asked: float | None, running: int) -> str:
    """Return the state of a host without a registered client.

    `asked`: when a client there asked for work last.
    """
    if running:
        return "up"
    if asked is None:
        return "starting"
    return "up" if now - asked < SILENCE else "gone"
