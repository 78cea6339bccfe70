"""`spe farm join` over the user's own ssh, with the lab's real sshd."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import USER, Boot, Lab, LabHost

from ..gate.kit import FARM, FARM_UID, farm_process
from ..gate.test_doorstep import home, place

__all__ = ["place"]
LAB_HOSTS = 3
pytestmark = pytest.mark.lab
# The farm runs beside the lab's host: it needs that host's list of accounts.
WITH_ACCOUNTS = 'mount --bind "$0" /etc/passwd && exec "$@"'


@pytest.fixture
def farm(lab: Lab, hosts: list[LabHost], place: Path) -> Iterator[Path]:
    # A host of the lab has a /var/tmp of its own: the farm's folder is put there.
    hosts[0].boot(Boot(binds=((place, str(place)),)))
    accounts = place / "passwd"
    accounts.write_text(Path("/etc/passwd").read_text() + f"{USER}:x:2001:2001::/home/{USER}:/bin/sh\n")
    accounts.chmod(0o644)
    options = json.dumps({"users": [USER], "hosts": ["h01", "h02", "h03", "h99"]})
    before = ("unshare", "-m", "sh", "-c", WITH_ACCOUNTS, str(accounts))
    with farm_process(place / "farm", home(place, FARM_UID), options, before=before) as process:
        assert process.stdout and process.stdout.readline().startswith("up ")
        yield place / "farm"


def join(lab: Lab, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    own = place / "own"
    own.mkdir(exist_ok=True)
    code = "from spe.cli import main; main()"
    env = os.environ | {"HOME": str(own), "XDG_CONFIG_HOME": str(own / "config")}
    command = [sys.executable, "-c", code, "farm", *words, "-F", str(lab.ssh_config)]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=200, stdin=subprocess.DEVNULL)


def test_a_user_joins_by_ssh_and_each_host_is_tried(lab: Lab, hosts: list[LabHost], farm: Path, place: Path) -> None:
    hosts[1].boot(Boot(refuse_key=True))
    hosts[2].shut()
    done = join(lab, place, "join", "h01", "--account", FARM, "--public", str(farm), "--yes")
    assert f"joined the farm f00d on h01 as {USER}" in done.stdout, done.stderr
    assert "1 of 4 hosts let you in" in done.stdout
    assert "h02: key refused → ssh-copy-id h02" in done.stderr
    assert "h99: name not found → add it to ~/.ssh/config" in done.stderr
    assert "h03: " in done.stderr
    assert done.returncode == 1
    hosts[2].unblock()
    again = join(lab, place, "join", "h01", "--check")
    assert "h03" not in again.stderr


def test_no_ssh_to_the_farms_host_is_said_with_what_to_do(lab: Lab, farm: Path, place: Path) -> None:
    done = join(lab, place, "join", "h99", "--account", FARM, "--public", str(farm))
    assert done.returncode == 2
    assert "h99: ssh cannot log in on the farm's host" in done.stderr
    assert "Try: ssh h99" in done.stderr


def test_what_a_login_prints_is_not_taken_for_an_answer(
    lab: Lab, hosts: list[LabHost], farm: Path, place: Path
) -> None:
    hosts[0].shell("echo 'echo hello; echo {}' > ~/.bashrc")
    done = join(lab, place, "join", "h01", "--account", FARM, "--public", str(farm), "--yes")
    assert "joined the farm f00d" in done.stdout, done.stderr


def test_a_name_that_looks_like_an_option_is_none(lab: Lab, place: Path) -> None:
    mark = place / "ran"
    done = join(lab, place, "join", "--account", FARM, "--", f"-oProxyCommand=touch {mark}")
    assert done.returncode == 2
    assert not mark.exists()
