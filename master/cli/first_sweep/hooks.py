"""Functions of this sweep, called by spe when spe.yaml names them (`validate:`, `collect:`).

task.number, task.parameters["length"]; result["area"] is the text of a result, result.path("trace") the file of
one; result.exit_code, .stderr, .host, .seconds. What is printed here goes to the log.
"""

from pathlib import Path


def check(task, result):
    """Whether the result is right: True, or False, or a text that says why not."""
    if int(result["area"]) >= int(task.parameters["length"]):
        return True
    return "the area is too small"


def gather(task, result):
    """Called for each accepted set, one at a time; `collect: [hooks.py:gather]` turns it on.

    `spe collect` and `spe run --fresh` call it again, so each set has a file of its own here.
    """
    folder = Path(__file__).with_name("areas")
    folder.mkdir(exist_ok=True)
    (folder / f"{task.number}.txt").write_text(result["area"] + "\n")
