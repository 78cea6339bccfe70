"""The lab as pytest fixtures, for every folder of tests (tests/conftest.py takes them in)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from needs import need, need_program, need_root

from . import Lab, LabHost, roots
from .host import CGROUPS


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """As many hosts as the module's LAB_HOSTS says."""
    need_root()
    for program, package in (("ip", "iproute2"), ("sshd", "openssh-server"), ("ssh", "openssh-client"),
                             ("nft", "nftables"), ("unshare", "util-linux")):  # fmt: skip
        need_program(program, package)
    need((CGROUPS / "cgroup.procs").exists(), "needs cgroup v2 (cgroup.kill, cgroup.freeze)")
    with Lab(getattr(request.module, "LAB_HOSTS", 4)) as made:
        yield made


@pytest.fixture
def hosts(lab: Lab) -> list[LabHost]:
    """The lab's hosts, plain and clean."""
    lab.refresh()
    return lab.hosts


@pytest.fixture(scope="session")
def arm64_root() -> Iterator[Path]:
    """The root tree of an aarch64 host, for Boot(root=…): made once on a machine, run by qemu."""
    need_root()
    need_program("qemu-aarch64-static", "qemu-user-static")
    need_program("debootstrap", "debootstrap")
    with roots.emulation("aarch64"):
        yield roots.tree("arm64")
