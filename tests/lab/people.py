"""Accounts of people on hosts of the lab: each has a uid, a home of mode 0700 and an ssh key of its own.

    host.boot(Boot(people=("ada", "ben"), cores=8))
    give_keys(lab, server, "ada")         # from `server` she gets into each host that has her account

Hosts of a lab share one kernel. A host with `cores` says a number of cores and a load of nothing, whatever goes on on
this machine, and has a boot ID of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .host import LabHost
    from .network import Lab

FIRST_UID = 3001
_PRELOADED = """
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <string.h>
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set) {
    memset(set, 0, size);
    for (int i = 0; i < %d; i++) CPU_SET_S(i, size, set);
    return 0;
}
int getloadavg(double load[], int count) {
    for (int i = 0; i < count; i++) load[i] = 0.0;
    return count;
}
"""


def uid(people: Sequence[str], name: str) -> int:
    """Return the uid of an account: the same on each host that has the same people."""
    return FIRST_UID + list(people).index(name)


def passwd_lines(people: Sequence[str], shell: str) -> str:
    numbers = enumerate(people, FIRST_UID)
    return "".join(f"{name}:x:{number}:{number}::/home/{name}:{shell}\n" for number, name in numbers)


def group_lines(people: Sequence[str]) -> str:
    return "".join(f"{name}:x:{number}:\n" for number, name in enumerate(people, FIRST_UID))


def shadow_lines(people: Sequence[str]) -> str:
    return "".join(f"{name}:*:19000:0:99999:7:::\n" for name in people)


def key_file(lab: Lab, name: str) -> Path:
    """Return the private key of an account, which is made at the first call."""
    key = lab.folder / f"key-{name}"
    if not key.exists():
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)]
        subprocess.run(words, check=True)
    return key


def make_homes(host: LabHost, people: Sequence[str]) -> None:
    """Make the homes that are not there yet, and let each account in by its own key."""
    for name in people:
        home = host.folder / "home" / name
        if not home.exists():
            home.mkdir(mode=0o700)
            os.chown(home, uid(people, name), uid(people, name))
        public = Path(f"{key_file(host.lab, name)}.pub").read_text()
        (host.folder / "etc" / f"authorized_keys-{name}").write_text(public)


def give_keys(lab: Lab, server: LabHost, name: str) -> None:
    """Give an account on `server` the way to all hosts: its key, their host keys, its ssh configuration."""
    people = server.how.people
    folder = server.folder / "home" / name / ".ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(key_file(lab, name), folder / f"key_of_{name}")
    shutil.copy(lab.known_hosts, folder / "known_hosts")
    names = " ".join(host.name for host in lab.hosts)
    (folder / "config").write_text(f"Host {names}\n  IdentityFile ~/.ssh/key_of_{name}\n  IdentitiesOnly yes\n")
    for path in (folder, *folder.iterdir()):
        os.chown(path, uid(people, name), uid(people, name))
        path.chmod(0o700 if path == folder else 0o600)


def preloaded(lab: Lab, cores: int) -> Path:
    """Return a library by which programs see so many cores and no load. Made once a lab; needs gcc."""
    library = lab.folder / f"cores-{cores}.so"
    if not library.exists():
        source = library.with_suffix(".c")
        source.write_text(_PRELOADED % cores)
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source)], check=True)
    return library


def own_kernel(host: LabHost, top: str) -> Iterator[str]:
    """Yield lines of the script of the host's PID 1: a boot ID that is new with each boot."""
    boot = host.folder / "etc" / "boot_id"
    boot.write_text(f"{uuid.uuid4()}\n")
    yield f"mount --bind {boot} {top}/proc/sys/kernel/random/boot_id"
