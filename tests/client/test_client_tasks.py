"""What the client does with a task: its directory, its program, its results."""

from __future__ import annotations

from client_kit import Started
from pretend_farm import Farm, task

SH = ("/bin/sh", "-c")


def test_a_task_runs_and_its_result_arrives(farm: Farm, client: Started) -> None:
    farm.add(task(1, "echo", "hello"))
    code, said = client.run()
    assert code == 0, said
    assert farm.completed[1].parts["stdout"] == b"hello\n"
