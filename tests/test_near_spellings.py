"""Suggestions: a near spelling is found, and a word that merely shares letters is not."""

from __future__ import annotations

import pytest
from spe.text import nearest, slips

OPTIONS = ("--attempts", "--fresh", "--keep", "--keep-order", "--timeout", "--stop-after", "--tag", "--env")
COMMANDS = ("results", "status", "stop", "run", "retry", "resume", "ps")


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("--timout", OPTIONS, "--timeout"),
        ("--atempts", OPTIONS, "--attempts"),
        ("--stop_after", OPTIONS, "--stop-after"),
        ("--keeporder", OPTIONS, "--keep-order"),
        ("--eny", OPTIONS, "--env"),
        ("stauts", COMMANDS, "status"),
        ("yy", ("x", "y"), "y"),
        ("rnu", COMMANDS, "run"),
        ("result", COMMANDS, "results"),
        ("RESULTS", COMMANDS, "results"),
        ("param", ("parameters", "prepare"), "parameters"),
    ],
)
def test_a_near_spelling_is_found(word: str, known: tuple[str, ...], meant: str) -> None:
    assert nearest(word, known) == meant


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("--retries", OPTIONS),
        ("slots", COMMANDS),
        ("-x", ("-p", "-j")),
        ("", COMMANDS),
        ("re", COMMANDS),
        ("ls", COMMANDS),
        ("xyz", ()),
    ],
)
def test_a_word_that_shares_letters_is_not_near(word: str, known: tuple[str, ...]) -> None:
    assert nearest(word, known) == ""


def test_two_letters_that_changed_places_are_one_slip() -> None:
    assert slips("stauts", "status") == 1
    assert slips("", "abc") == 3
    assert slips("abc", "abc") == 0
