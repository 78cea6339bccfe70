"""A host that starts no more processes is named as that, with the limit and its value; never as a broken Python."""

from __future__ import annotations

import pytest
from lab import Boot, LabHost
from needs import need_program
from spe.errors import Fault

from .starter import Starter

pytestmark = pytest.mark.lab
LAB_HOSTS = 2


@pytest.mark.parametrize("shell", ["/bin/bash", "/usr/bin/zsh", "/usr/bin/ksh", "/usr/bin/fish", "/bin/dash"])
def test_an_account_that_may_start_no_more_processes_is_named_with_its_limit(
    hosts: list[LabHost], starter: Starter, shell: str
) -> None:
    need_program(shell, shell.rpartition("/")[2])
    hosts[0].boot(Boot(shell=shell))
    text = "ulimit -u 1\n"
    for name in (".bashrc", ".zshenv", ".config/fish/config.fish"):
        hosts[0].shell(f"mkdir -p $(dirname {name}); echo '{text}' >{name}")
    if shell in ("/bin/dash", "/usr/bin/ksh"):  # they read no file for a command
        hosts[0].root("sh", "-c", "for p in $(pgrep -x sshd); do prlimit --nproc=1 --pid $p; done")
    error = starter.fault("h01")
    assert error.fault is Fault.PROCESSES
    assert "ulimit -u" in str(error)
    if shell in ("/bin/bash", "/usr/bin/zsh"):  # their start-up files set it, and our script begins
        assert "(ulimit -u) is 1" in error.what
