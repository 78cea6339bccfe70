"""The line that answers Ctrl-C counts what runs."""

from __future__ import annotations

import pytest
from spe.state.progress import Progress

LINES = {
    0: "interrupted: 0 running tasks finish, nothing more is begun\n",
    1: "interrupted: 1 running task finishes, nothing more is begun (once more stops it)\n",
    2: "interrupted: 2 running tasks finish, nothing more is begun (once more stops them)\n",
}


@pytest.mark.parametrize("running", LINES)
def test_an_interrupt_tells_what_still_runs(capsys: pytest.CaptureFixture[str], running: int) -> None:
    Progress(by_terminal=False).interrupted(1, running)
    assert capsys.readouterr().err == LINES[running]
