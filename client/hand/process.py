"""THE HAND'S LOOP: the table of contents of a process that starts, waits for and ends programs.

A client has some hands, each with slots of its own: starting a program holds up its starter until
the program is loaded, and the other hands go on meanwhile. A hand has one thread: each further
thread that touches Python between two system calls costs more than its own work.
"""

import time
from typing import List

from ..machine import process_tree
from ..machine.process_limit import unforeseen
from ..task.place import MOST_KEPT, FreePlaces
from ..task.settings import Settings
from ..task.spawn import have_no_input
from ..wire.lease import Lease
from .channel import Channel
from .hand import Hand

STOP_TIME = 3.0  # seconds for programs to end when the client ends: `spe run` waits for us
HASTE = 2.0  # the same where the host shuts down: KILL comes five seconds after TERM


def work(slots: List[int], channel: Channel, settings: Settings, lease: Lease) -> None:
    """Be a hand with these slots, from the fork to the end of the process."""
    nothing_escapes = process_tree.adopt_orphans()
    have_no_input()
    places = FreePlaces(nothing_escapes and len(slots) <= MOST_KEPT)
    hand = Hand(slots, channel, settings, lease, places)
    try:
        run(hand)
    except BaseException:  # any error: programs must not run on unwatched
        channel.send("fault", unforeseen().args)
        channel.flush_all()
        end(hand)


def run(hand: Hand) -> None:
    """Run programs until the client says stop, the client is gone, or a signal ends the host."""
    hand.hear_signals()
    while not hand.stopping:
        hand.wait()
        hand.reap()
        hand.settle()
        hand.fill()
        hand.read_past()
        hand.report()
        hand.prepare_next()
        hand.enforce_times()
    end(hand)


def end(hand: Hand) -> None:
    """End all programs with what they left behind, and report what came of them."""
    hand.drop_unbegun()
    for attempt in hand.running.values():
        attempt.dropped = True
        attempt.stop()
    _wait_until_gone(hand)
    for attempt in hand.running.values():
        attempt.kill()
    _wait_until_gone(hand)  # a process that waits for a disk takes its time, even to a KILL
    hand.children.kill_all(hand.running)
    hand.report_all()


def _wait_until_gone(hand: Hand) -> None:
    patience = HASTE if hand.is_hasty else STOP_TIME
    give_up = time.monotonic() + patience
    while (hand.running or hand.ending) and time.monotonic() < give_up:
        hand.pause(0.05)
        hand.reap()
        hand.settle()
        hand.read_past()
