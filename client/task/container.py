"""The command of a task, run by apptainer or singularity in an image.

The task's directory is bound at its own path and is the working directory there, so programs find
the same files as without a container.
"""

import os
from typing import Dict, List, Tuple

from ..software.software import Container

# Before the names of variables that are to arrive whatever the image sets itself.
PREFIX = {"apptainer": "APPTAINERENV_", "singularity": "SINGULARITYENV_"}


def inside(
    container: Container, words: List[bytes], folder: str, own: Dict[bytes, bytes]
) -> Tuple[List[bytes], Dict[bytes, bytes]]:
    """Return the command that runs `words` in the container, and further variables for it.

    `own`: the variables of the task, which the program is sure to get.
    """
    program = container.program
    options: List[str] = ["--pwd", folder]
    for bound in [folder] + container.binds:
        options += ["--bind", bound]
    head = [os.fsencode(word) for word in [program, "exec"] + options + [container.image]]
    prefix = os.fsencode(PREFIX.get(os.path.basename(program), PREFIX["apptainer"]))
    return head + words, {prefix + name: value for name, value in own.items()}
