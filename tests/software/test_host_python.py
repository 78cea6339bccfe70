"""What a Python says of itself, so that wheels are chosen for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from needs import need
from spe.software.host_python import DESCRIBE, parse

PYENV = Path.home() / ".pyenv" / "versions"


@pytest.mark.parametrize("minor", range(6, 14))
def test_the_glibc_of_every_python_is_that_of_the_machine(minor: int) -> None:
    found = next(iter(sorted(PYENV.glob(f"3.{minor}.*"))), None)
    need(found, f"needs Python 3.{minor} from pyenv")
    said = subprocess.run([f"{found}/bin/python3", "-c", DESCRIBE], stdout=subprocess.PIPE, check=True, text=True)
    python = parse(said.stdout)
    name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    assert (python.libc, python.libc_version) == (name, version)
    assert python.tags[0] == f"manylinux_2_{version.split('.')[1]}_{os.uname().machine}"
