"""The states that a task, a ticket and a client can be in.

model.py hands them on, so that all nouns are imported from one place; lifecycle.py has the moves.
"""

from __future__ import annotations

from .record import Word


class TaskState(Word):
    """States of a task. Only lifecycle.py moves it."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"  # by hand; it waits for `spe retry`


class TicketState(Word):
    """States of an attempt at a task. Only lifecycle.py moves it."""

    ISSUED = "issued"  # a client has it
    CHECKING = "checking"  # its result has arrived and is being validated
    ACCEPTED = "accepted"
    REJECTED = "rejected"  # the validation refused the result
    FAILED = "failed"  # the program failed, or ran out of time
    LOST = "lost"  # its host went silent; a late result is still accepted
    EXPIRED = "expired"  # another attempt won


class ClientState(Word):
    """States of a client, from its registration to its end.

    `…_CUT_OFF`: a connection that the client held open broke, and it has not been heard since.
    """

    SETTING_UP = "setting up"  # registered, has not asked for a task yet
    SETTING_UP_CUT_OFF = "setting up, cut off"
    AT_WORK = "at work"  # has asked for tasks, so its set-up went well
    AT_WORK_CUT_OFF = "at work, cut off"
    SENT_HOME = "sent home"  # was told that the sweep is over
    SENT_HOME_CUT_OFF = "sent home, cut off"
    GONE = "gone"  # said goodbye, or is known to have ended
    GONE_UNASKED = "gone before it asked"  # its set-up failed, or never ended

    @property
    def is_cut_off(self) -> bool:
        """True when the client may be dead: its next request clears this."""
        return self in _CUT_OFF

    @property
    def has_asked(self) -> bool:
        """True when the client has ever asked for tasks."""
        return self in _HAVE_ASKED

    @property
    def knows_the_end(self) -> bool:
        """True when the client need not be told that the sweep is over."""
        return self in _KNOW_THE_END

    @property
    def is_gone(self) -> bool:
        """True when the client has left."""
        return self in _GONE


_CUT_OFF = frozenset(
    {ClientState.SETTING_UP_CUT_OFF, ClientState.AT_WORK_CUT_OFF, ClientState.SENT_HOME_CUT_OFF}
)
_GONE = frozenset({ClientState.GONE, ClientState.GONE_UNASKED})
_KNOW_THE_END = _GONE | {ClientState.SENT_HOME, ClientState.SENT_HOME_CUT_OFF}
_HAVE_ASKED = frozenset(ClientState) - {
    ClientState.SETTING_UP,
    ClientState.SETTING_UP_CUT_OFF,
    ClientState.GONE_UNASKED,
}
