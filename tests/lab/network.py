"""The lab: the network, its number, and what all hosts share."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import IO

from .host import CGROUPS, USER, Boot, LabHost, ip

_BASE = Path("/run/spe-tests")


class Lab:
    """`count` hosts on a bridge of their own. Use it as a context manager."""

    def __init__(self, count: int) -> None:
        self._lock, self.id = _claim()
        self.tag = f"st{self.id}"
        self.bridge, self.net, self.folder = f"{self.tag}-br", f"10.91.{self.id}.", _BASE / str(self.id)
        self.master = f"{self.net}1"
        self.key, self.ssh_config = self.folder / "key", self.folder / "ssh_config"
        self.known_hosts, self.shared_home = self.folder / "known_hosts", self.folder / "shared-home"
        self.hosts = [LabHost(self, number) for number in range(1, count + 1)]

    def __enter__(self) -> Lab:
        self._remove_leftovers()
        self.folder.mkdir(parents=True)
        os.makedirs("/run/netns", exist_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(self.key)]
        subprocess.run(command, check=True)
        six = f"addr add fd91:{self.id:x}::1/64 dev {self.bridge} nodad"
        ip(
            f"link add {self.bridge} type bridge",
            f"addr add {self.master}/24 dev {self.bridge}",
            six,
            f"link set {self.bridge} up",
        )
        self._boot_all()
        self._write_files()
        return self

    def __exit__(self, *_: object) -> None:
        for host in self.hosts:
            host.remove()
        self._remove_leftovers()
        self._lock.close()

    def __getitem__(self, name: str) -> LabHost:
        return next(host for host in self.hosts if host.name == name)

    def refresh(self) -> None:
        """All hosts plain and clean again, as fast as they boot side by side."""
        shutil.rmtree(self.shared_home, ignore_errors=True)
        (self.shared_home / USER).mkdir(parents=True)
        shutil.chown(self.shared_home / USER, 2001, 2001)
        for host in self.hosts:
            host.refresh()
        for host in self.hosts:
            host.wait_until_up()
        self._write_files()

    def boot(self, how: Boot) -> None:
        """All hosts booted in the same way."""
        for host in self.hosts:
            host.power_on(how)
        for host in self.hosts:
            host.wait_until_up()

    def _boot_all(self) -> None:
        self.boot(Boot())

    @property
    def hosts_file(self) -> str:
        return "".join(f"{host.address} {host.name}\n" for host in self.hosts)

    def _write_files(self) -> None:
        """For ssh on this machine: `ssh -F lab.ssh_config h01`."""
        lines = [f"{h.name},{h.address} {(h.folder / 'hostkey.pub').read_text()}" for h in self.hosts]
        self.known_hosts.write_text("".join(lines))
        named = "".join(f"Host {h.name} {h.address}\n  HostName {h.address}\n" for h in self.hosts)
        common = {
            "User": USER,
            "IdentityFile": self.key,
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "UserKnownHostsFile": self.known_hosts,
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": 5,
        }
        self.ssh_config.write_text(f"{named}Host *\n" + "".join(f"  {k} {v}\n" for k, v in common.items()))

    def _remove_leftovers(self) -> None:
        """Of a run that was killed: found by name, as its number is ours now."""
        names = {p.name.split("-")[1] for p in CGROUPS.glob(f"{self.tag}-h*")}
        names |= {p.name.split("-")[1] for p in Path("/run/netns").glob(f"{self.tag}-h*")}
        for name in sorted(names):
            LabHost(self, int(name[1:])).remove()
        if os.path.exists(f"/sys/class/net/{self.bridge}"):
            ip(f"link del {self.bridge}")
        if self.folder.exists():
            shutil.rmtree(self.folder)


def _claim() -> tuple[IO[str], int]:
    """A number that no other test run on this machine has; the lock ends with the process."""
    _BASE.mkdir(parents=True, exist_ok=True)
    for number in range(256):
        lock = (_BASE / f"{number}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock, number
        except BlockingIOError:
            lock.close()
    raise RuntimeError("256 labs are up on this machine")
