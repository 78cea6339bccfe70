"""The records by themselves: what they tell of themselves, and what holds where nothing is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.model import (
    HERE,
    Client,
    ClientState,
    Death,
    Failure,
    Host,
    Input,
    Kind,
    Note,
    Output,
    ParameterSet,
    ResultSpec,
    Setup,
    Task,
    TaskState,
    Ticket,
    TicketState,
    Usage,
    Worker,
    WorkerFile,
)

TIMES = st.floats(0, 100)


def test_states_and_kinds_have_the_words_that_files_and_commands_show() -> None:
    assert list(Kind) == ["text", "int", "float", "json", "file", "files", "folder"]
    assert list(TaskState) == ["waiting", "running", "done", "failed", "cancelled"]
    assert list(TicketState) == ["issued", "checking", "accepted", "rejected", "failed", "lost", "expired"]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["linux-x86_64", "linux", "any"], "linux-x86_64"),
        (["linux-arm64", "linux", "any"], "linux"),
        (["linux-arm64", "any"], "any"),
        (["linux-arm64"], None),
    ],
)
def test_the_file_of_a_worker_is_the_nearest_to_the_platform(names: list[str], chosen: str | None) -> None:
    files = {name: WorkerFile(Path(name), "", "", 1) for name in names}
    assert Worker("sim", files).for_platform("linux-x86_64") is files.get(chosen or "")


def test_an_input_has_the_size_of_its_content_or_of_its_file() -> None:
    assert (Input("a").size, Input("a", b"123").size) == (0, 3)
    assert Input("a", file=Path("/nowhere"), length=10**9).size == 10**9
    assert Input("a", file=Path("/nowhere")).size == 0


def test_only_localhost_is_here() -> None:
    assert HERE.is_here is True and HERE.name == "localhost"
    assert Host("lab01").is_here is False


@given(TIMES, TIMES, TIMES, TIMES)
def test_one_power_cut_kills_different_hosts_within_ten_seconds(a: float, b: float, c: float, d: float) -> None:
    one, other = Death("a", min(a, b), max(a, b)), Death("b", min(c, d), max(c, d))
    apart = max(0.0, one.earliest - other.latest, other.earliest - one.latest)
    assert one.is_of_one_cut(other) is other.is_of_one_cut(one) is (apart <= 10.0)
    assert one.is_of_one_cut(Death("a", other.earliest, other.latest)) is False


@pytest.mark.parametrize(("later", "together"), [(20.0, True), (20.1, False)])
def test_ten_seconds_between_the_last_moment_of_one_and_the_first_of_another_are_one_cut(
    later: float, together: bool
) -> None:
    assert Death("a", 5.0, 10.0).is_of_one_cut(Death("b", later, later + 5.0)) is together


def test_a_clients_state_tells_whether_it_is_cut_off_has_asked_knows_the_end_and_is_gone() -> None:
    told = {
        state.value: (state.is_cut_off, state.has_asked, state.knows_the_end, state.is_gone) for state in ClientState
    }
    assert told == {
        "setting up": (False, False, False, False),
        "setting up, cut off": (True, False, False, False),
        "at work": (False, True, False, False),
        "at work, cut off": (True, True, False, False),
        "sent home": (False, True, True, False),
        "sent home, cut off": (True, True, True, False),
        "gone": (False, True, True, True),
        "gone before it asked": (False, False, True, True),
    }


def test_a_note_is_a_sentence_with_its_subject() -> None:
    note = Note("a is benched", "benched", "a")
    assert (note, note.kind, note.host) == ("a is benched", "benched", "a")
    assert (Note("x").kind, Note("x").host) == ("note", "")


def test_the_content_of_an_output_is_its_bytes_else_the_value_and_a_newline() -> None:
    assert Output("x", "ü").content == "ü\n".encode()
    assert Output("x", "1", b"x=1 ").content == b"x=1 "


def test_what_is_not_said_of_a_record_is_nothing() -> None:
    assert ResultSpec("x") == ResultSpec("x", "stdout", Kind.TEXT, None, None, None, None)
    assert ParameterSet({}).line == 0
    assert Input("a") == Input("a", b"", "", None, 0)
    assert Host("a") == Host("a", None, None, None, None, None, None, trust_workdir=False, origin="")
    assert Failure("exit:1", "exit code 1") == Failure("exit:1", "exit code 1", None, "", None)
    assert Output("x", "1") == Output("x", "1", None, None, 0, None)
    assert Usage() == Usage(0.0, 0.0, 0.0, 0, None, None)
    assert Task(1, {}) == Task(1, {}, TaskState.WAITING, 0, 0, {}, [], [], set(), None, b"", True, None, False)
    assert Ticket(1, 2, "3", "a", 4.0) == Ticket(
        1, 2, "3", "a", 4.0, TicketState.ISSUED, 0.0, False, False, 0.0, False, None
    )
    assert Client("1", "a", "", 1, 1, 0.0, 0.0).pings is False
    setup = Setup(True, True, 1.0, 1.0, 1, 1, 1, None)
    assert (setup.runs_worker, setup.ask, setup.control, setup.files) == (False, (), "hold", False)
