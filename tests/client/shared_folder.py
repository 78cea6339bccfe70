"""A folder where two accounts may write: one runs the client, the other (`EVE`) does what she may do there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from needs import need, need_program, need_root

from .kit import Started
from .pretended_master import Master

OURS, EVE, GROUP = 12345, 12346, 12399  # nobody has an entry in /etc/passwd or /etc/group
PYTHON = Path("/usr/bin/python3")  # one that every account may run

# As Eve. Rename what another user has here, and put a folder of hers under its name.
PUT_IN_PLACE = r"""
import os, sys
common, mark = sys.argv[1:]
os.umask(0)
for name in sorted(os.listdir(common)):
    path = os.path.join(common, name)
    if not name.startswith("spe-") or os.stat(path).st_uid == os.getuid():
        continue
    os.rename(path, os.path.join(common, "moved-by-eve-" + name))
    os.makedirs(os.path.join(path, "worker"))
    for place in ("worker/prog", "prog", "worker/setup.env", "setup.env", "id", "address"):
        with open(os.path.join(path, place), "w") as file:
            file.write("#!/bin/sh\necho EVIL; echo $0 >> %s\n" % mark)
        os.chmod(os.path.join(path, place), 0o777)
"""


class OfAccount(Started):
    """A client of another account than the one that runs the tests."""

    python = ""

    def environment(self, **more: str) -> dict[str, str]:
        return super().environment(HOME=str(self.folder), **more)

    def start(self, *arguments: str, **more: Any) -> Started:
        return super().start(*arguments, **{"python": self.python, **more})


class SharedFolder:
    """`common` has mode 0777 unless a test changes it; all is removed afterwards."""

    def __init__(self) -> None:
        need_root()
        need_program("setpriv", "util-linux")
        need(PYTHON.exists(), "needs /usr/bin/python3, which every account may run")
        self.root = Path(tempfile.mkdtemp(prefix="spe-shared-"))
        self.root.chmod(0o755)
        self.common, self.mark = self.root / "common", self.root / "marks" / "evil-ran"
        for folder in (self.common, self.mark.parent):
            folder.mkdir()
            folder.chmod(0o777)
        self._clients: list[OfAccount] = []

    def remove(self) -> None:
        """End what still runs, and leave nothing."""
        for one in self._clients:
            if one.process and one.process.poll() is None:
                one.process.terminate()
                one.end(15)
        shutil.rmtree(self.root)

    def client(self, master: Master, *groups: int) -> OfAccount:
        """A client of the account OURS that works in `common`."""
        from spe.launch.bundle import client_pyz

        folder = self.root / f"client-{len(self._clients)}"
        folder.mkdir()
        os.chown(folder, OURS, OURS)
        (folder / "spe-client.pyz").write_bytes(client_pyz())
        os.chown(folder / "spe-client.pyz", OURS, OURS)
        wrapper = folder / "python"
        wrapper.write_text(f'#!/bin/sh\nexec {as_account(OURS, *groups)} {PYTHON} "$@"\n')
        wrapper.chmod(0o755)
        made = OfAccount(folder, master.url)
        made.workdir = self.common
        made.python = str(wrapper)
        self._clients.append(made)
        return made

    def eve(self, script: str, *words: Any) -> subprocess.CompletedProcess[str]:
        """Eve does this."""
        command = [*as_account(EVE).split(), str(PYTHON), "-c", script, *map(str, words)]
        return subprocess.run(command, check=True, capture_output=True, text=True)

    def put_in_place(self) -> None:
        """Eve takes every client's folder away and puts one of hers there."""
        self.eve(PUT_IN_PLACE, self.common, self.mark)

    def theirs(self) -> list[str]:
        """What is in `common` and not Eve's."""
        return sorted(path.name for path in self.common.iterdir() if path.lstat().st_uid != EVE)


def as_account(account: int, *groups: int) -> str:
    """The command that runs another one as this account."""
    more = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
    return f"setpriv --reuid={account} --regid={account} {more}"
