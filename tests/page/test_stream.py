"""The stream of a running sweep, as a program hears it."""

from __future__ import annotations

from pathlib import Path

from .kit import Held
from .stream_kit import Copy


def test_a_copy_follows_the_sweep_to_its_end(held: Held) -> None:
    copy = Copy(held.facts["page"])
    copy.until(lambda d: d["sweep"]["running"] == 3)
    assert copy.events[0] == "state"
    assert copy.document["hosts"]["localhost"]["state"] == "up"
    assert sorted(t["task"] for t in copy.document["tickets"].values()) == [1, 2, 3]
    held.let(1)
    copy.until(lambda d: d["sweep"]["done"] == 1)
    assert copy.document["hosts"]["localhost"]["done"] == 1
    held.let(3)
    copy.until(lambda d: d["sweep"]["failed"] == 1)
    failure = copy.document["failures"]["3"]
    assert failure["final"] and "no <b>licence</b>" in failure["reason"]
    held.let(2)
    copy.until(lambda d: d["sweep"]["state"] == "over")
    while copy.hear():
        pass
    assert copy.document["tickets"] == {}
    assert "change" in copy.events
    assert {"host_up", "failed"} <= {note["kind"] for note in copy.notes.values()}
    copy.close()


def test_each_key_that_the_stream_sends_is_documented(held: Held) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "page.md").read_text(encoding="utf-8")
    described = page.partition("## The stream")[2].partition("## Acting, for programs")[0]
    copy = Copy(held.facts["page"])
    copy.until(lambda d: d["sweep"]["running"] == 3)
    held.let(3)
    copy.until(lambda d: d["failures"] and copy.notes)
    document = copy.document
    rows = [document["sweep"]]
    rows += [row for part in ("hosts", "tickets", "failures") for row in document[part].values()]
    sent = {*document, *(key for row in [*rows, *copy.notes.values()] for key in row)}
    assert sorted(key for key in sent if f"`{key}`" not in described) == []
    copy.close()


def test_who_comes_back_gets_all_of_the_state_and_only_the_notes_that_it_lacks(held: Held) -> None:
    first = Copy(held.facts["page"])
    first.until(lambda d: d["sweep"]["running"] == 3)
    while not first.notes:
        first.hear()
    last = max(first.notes)
    first.close()
    held.let(3)
    second = Copy(held.facts["page"], last)
    second.until(lambda d: d["sweep"]["failed"] == 1)
    assert second.events[0] == "state"
    while not second.notes:
        second.hear()
    assert min(second.notes) > last
    second.close()


def test_without_its_token_the_stream_says_nothing(held: Held) -> None:
    page = held.facts["page"]
    for wrong in (page.replace("token=", "token=x"), page.partition("?")[0]):
        try:
            Copy(wrong)
        except AssertionError as refused:
            assert refused.args == (403,)
        else:
            raise AssertionError("it was let in")
