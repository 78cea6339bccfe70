"""What is advised about a login that does not run what it is told."""

from __future__ import annotations

import pytest
from spe.launch.login_faults import login_ran_nothing

OWN_SHELL = "its administrator can give it one that runs commands"


def test_a_menu_may_be_the_shell_of_the_account_and_not_a_line_of_its_start_file() -> None:
    error = login_ran_nothing("h01", ["1) mail", "2) files", "Choose:"], None)
    assert "it waits for input (a question, a menu, another shell); it printed: 1) mail | 2) files" in error.what
    assert "~/.bashrc" in error.todo and OWN_SHELL in error.todo
    # With -F where the process was given one.
    assert "this must say hello: ssh " in error.todo and error.todo.endswith("h01 echo hello")


@pytest.mark.parametrize(
    ("printed", "code"),
    [(["/home/a/.bashrc: line 3: read"], None), (["Welcome"], 0), (["This account is disabled"], 1)],
)
def test_other_logins_have_no_word_of_a_menu_as_shell(printed: list[str], code: int | None) -> None:
    assert OWN_SHELL not in login_ran_nothing("h01", printed, code).todo
