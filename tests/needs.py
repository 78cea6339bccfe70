"""What a test needs from the machine: missing, it is skipped with a reason; with CI=true that is a failure.

So a laptop runs what it can, and nothing is skipped unseen where everything should run.
"""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def need(here: object, what: str) -> None:
    """Goes on only if it is here; `what` names the thing and how to get it."""
    if not here:
        missing(what)


def need_root() -> None:
    """For network namespaces, mounts and users."""
    need(os.geteuid() == 0, "needs root")


def need_program(name: str, package: str) -> str:
    """The program's path; `package` is Debian's. Those of root count too."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    return found or missing(f"needs {name}: apt-get install {package}")


def missing(what: str) -> NoReturn:
    """Ends the test, as a failure where everything should be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} (CI=true: nothing may be skipped)", pytrace=False)
    pytest.skip(what)
