"""The inbox of the loop: events in their order, and a bell that ends the wait for them."""

from __future__ import annotations

import os
import threading
import time

from spe.client.hand.wakeup import ENDS
from spe.client.loop.inbox import Inbox

from .loop_kit import PlayedHand


def test_events_come_out_once_in_the_order_in_which_they_went_in() -> None:
    inbox = Inbox()
    inbox.tell("ready", [1])
    inbox.add([("done", 2), ("ended", 3)])
    inbox.tell("stop")
    assert list(inbox.events()) == [("ready", [1]), ("done", 2), ("ended", 3), ("stop", None)]
    assert not list(inbox.events())


def test_an_event_that_comes_while_another_is_handled_is_handled_in_the_same_turn() -> None:
    inbox = Inbox()
    inbox.tell("first")
    seen = []
    for name, _ in inbox.events():
        seen.append(name)
        if name == "first":
            inbox.tell("second")
    assert seen == ["first", "second"]


def test_an_event_ends_the_wait_and_one_that_the_loop_adds_itself_rings_no_bell() -> None:
    inbox = Inbox()
    inbox.add([("done", 1)])
    began = time.monotonic()
    inbox.wait(0.05, [])
    assert time.monotonic() - began > 0.04, "nobody rang"
    inbox.tell("ready")
    inbox.wait(None, [])


def test_a_message_of_a_hand_ends_the_wait() -> None:
    inbox, hand = Inbox(), PlayedHand(1)
    hand.say("here")
    inbox.wait(None, [hand.process.channel])
    assert hand.process.channel.receive() == [("here", None)]
    hand.close()


def test_signals_are_events_and_end_the_wait(handlers: None) -> None:
    inbox = Inbox()
    inbox.hear_signals()
    for number in ENDS:
        os.kill(os.getpid(), number)
        inbox.wait(None, [])
        assert list(inbox.events()) == [("got signal", number)]


def test_another_thread_ends_the_wait() -> None:
    inbox = Inbox()
    threading.Timer(0.01, inbox.tell, ["ready", 1]).start()
    inbox.wait(None, [])
    assert list(inbox.events()) == [("ready", 1)]
