"""A hand and the files that its tasks share: what it checks, what it gives back, and what it uses again."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from spe.client.hand.channel import Channel
from spe.client.hand.hand import Hand
from spe.client.shared.originals import COPY, LARGE, LINK, WORKER, Changed, Original, link, seal
from spe.client.task.attempt import Attempt
from spe.client.task.directory import prepare
from spe.client.task.place import FreePlaces
from spe.client.task.settings import Settings
from spe.client.wire.lease import Lease
from spe.client.wire.task_record import Input, Result, Task

SHA = "a" * 64
LINKED = pytest.mark.parametrize("where", ["worker", "input"])


def shared(folder: Path, key: str, size: int = LARGE) -> Original:
    path = folder / ("prog" if key == WORKER else key)
    path.write_bytes(b"#!/bin/sh\n".ljust(size, b"#"))
    made = seal(key, str(path))
    if made.how not in (COPY, LINK):
        pytest.skip("where the test's files lie, blocks are shared")
    return made


class Bench:
    """A hand that is not run, and what it says."""

    def __init__(self, folder: Path, where: str) -> None:
        self.base = folder / "base"
        self.base.mkdir()
        ours, theirs = socket.socketpair()
        self.client = Channel(ours)
        self.original = shared(folder, WORKER if where == "worker" else SHA)
        worker = self.original if where == "worker" else None
        settings = Settings(str(self.base), {}, worker, True, 0, False)
        self.hand = Hand([1], Channel(theirs), settings, Lease(0), FreePlaces(kept=True))

    def attempt(self, ticket: int = 1) -> Attempt:
        inputs = [] if self.original.key == WORKER else [Input("data", b"", SHA, LARGE)]
        made = Attempt(Task(ticket, str(ticket), 0.0, [b"true"], {}, inputs, []), str(self.base))
        made.originals = {} if self.original.key == WORKER else {SHA: self.original}
        return made

    def spoil(self) -> None:
        os.chmod(self.original.path, 0o644)
        with open(self.original.path, "ab") as file:
            file.write(b"more")

    def said(self) -> list[tuple[str, Any]]:
        return self.client.receive()


@pytest.fixture
def bench(tmp_path: Path, where: str) -> Iterator[Bench]:
    made = Bench(tmp_path, where)
    yield made
    made.client.close()
    made.hand.channel.close()


@LINKED
@pytest.mark.parametrize("name", ["back", "unbegun"])
def test_what_is_linked_and_goes_to_another_hand_is_made_anew_there(bench: Bench, name: str) -> None:
    """The other hand could not know which file the link leads to."""
    attempt = bench.attempt()
    bench.hand.ready.append(attempt)
    bench.hand.prepare_next()
    assert attempt.prepared and attempt.linked
    bench.hand._tell_unbegun(name)
    ((said, [(ticket, came)]),) = bench.said()
    back = bench.attempt()
    back.hear(came)
    assert (said, ticket, back.prepared, back.linked) == (name, 1, False, ())
    assert os.listdir(bench.base) == []


@LINKED
def test_nothing_begins_with_a_changed_original_and_all_that_waits_goes_back(bench: Bench) -> None:
    bench.hand.ready.extend([bench.attempt(1), bench.attempt(2)])
    bench.hand.prepare_next()
    bench.spoil()
    bench.hand.fill()
    changed, (name, told) = bench.said()
    assert changed == ("changed", tuple(bench.original))
    assert (name, [ticket for ticket, _ in told]) == ("unbegun", [1, 2])
    assert not bench.hand.running and os.listdir(bench.base) == []


@LINKED
@pytest.mark.parametrize("suspect", [False, True])
def test_an_original_that_changed_before_the_directory_is_made_is_told(bench: Bench, suspect: bool) -> None:
    bench.spoil()
    attempt = bench.attempt()
    attempt.is_suspect = suspect
    bench.hand.ready.append(attempt)
    bench.hand.fill()
    said = bench.said()
    assert said[0] == ("changed", tuple(bench.original)) and said[-1][0] == "unbegun"
    assert not bench.hand.running and os.listdir(bench.base) == []


@LINKED
def test_a_suspect_that_changes_its_own_original_fails_and_one_that_removes_its_file_does_not(bench: Bench) -> None:
    name = "prog" if bench.original.key == WORKER else "data"
    for ticket, guilty in ((1, True), (2, False)):
        attempt = bench.attempt(ticket)
        attempt.is_suspect = True
        bench.hand.files.prepare(attempt)
        file = Path(attempt.folder, name)
        if guilty:
            file.chmod(0o644)
            with file.open("ab") as opened:
                opened.write(b"more")
        file.unlink()
        assert attempt.judge() == [] and not attempt.lost
        assert attempt.reason.startswith(f"the program changed {name}, ") == guilty
    assert bench.original.is_right()


@LINKED
def test_the_place_of_a_suspect_goes_to_no_other_ticket(bench: Bench) -> None:
    for suspect in (False, True):
        attempt = bench.attempt()
        attempt.is_suspect = suspect
        bench.hand.files.prepare(attempt)
        attempt.place.outputs()
        attempt.packed = [("stdout", b"")]
        attempt.leave(bench.hand.places)
        assert attempt.cleared == (not suspect)


def test_what_is_given_to_a_hand_and_told_by_it_is_all_that_it_is(tmp_path: Path) -> None:
    original = shared(tmp_path, SHA)
    inputs = [Input("data", b"", SHA, LARGE)]
    attempt = Attempt(Task(1, "1", 0.0, [b"true"], {}, inputs, []), str(tmp_path))
    attempt.originals, attempt.is_suspect = {SHA: original}, True
    prepare(attempt, None)
    copy = Attempt.of(attempt.given(), str(tmp_path))
    assert (copy.originals, copy.linked) == ({SHA: original}, attempt.linked) and copy.is_suspect and copy.prepared
    copy.lost = "a reason"
    attempt.hear(copy.told()[1])
    assert attempt.lost == "a reason"
    attempt.place.remove()  # as its hand does when it gives it back
    prepare(attempt, None)
    assert len(attempt.linked) == 1, "none of the directory that was there before"


def test_an_input_that_is_a_result_too_is_a_file_of_its_own(tmp_path: Path) -> None:
    original = shared(tmp_path, SHA)
    inputs = [Input("data", b"", SHA, LARGE)]
    attempt = Attempt(Task(1, "1", 0.0, [b"true"], {}, inputs, [Result("state", "data")]), str(tmp_path))
    attempt.originals = {SHA: original}
    prepare(attempt, None)
    assert not attempt.linked and os.stat(attempt.folder + "/data").st_nlink == 1


def test_a_missing_directory_is_no_changed_original(tmp_path: Path) -> None:
    original = shared(tmp_path, SHA)
    with pytest.raises(FileNotFoundError):
        link(original, str(tmp_path / "nowhere" / "data"))
    os.unlink(original.path)
    with pytest.raises(Changed):
        link(original, str(tmp_path / "data"))
