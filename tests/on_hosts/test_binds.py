"""What the lab's hosts see of this machine: a folder can be put anywhere, also below their own /tmp."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import Boot, LabHost

LAB_HOSTS = 1
pytestmark = pytest.mark.lab


@pytest.mark.parametrize("there", ["/tmp/clone/of/spe", "/var/tmp/spe", "/srv/spe"])
def test_a_folder_is_seen_on_a_host_wherever_it_is_put(hosts: list[LabHost], tmp_path: Path, there: str) -> None:
    (tmp_path / "given").write_text("seen")
    hosts[0].boot(Boot(binds=((tmp_path, there),)))
    assert hosts[0].root("cat", f"{there}/given").stdout == "seen"
    if there.startswith("/tmp/"):
        assert hosts[0].root("ls", "/tmp").stdout.split() == ["clone"], "its /tmp is its own"
