"""A farm and its users as processes of real accounts.

Users type `spe submit`; what has no command yet is done by this file as a script: `people.py farm|join|ask …`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FARM, ADA, BEN = "proxy", "www-data", "backup"  # on each Debian
SRV = "localhost"


class Town:
    """The folders of a farm and its users, and their processes. Lives for one test."""

    def __init__(self) -> None:
        from needs import need_program, need_root

        need_root()
        self.setpriv = need_program("setpriv", "util-linux")
        self.root = Path(tempfile.mkdtemp(prefix="spe-town-"))
        self.root.chmod(0o755)
        self.started: list[subprocess.Popen[bytes]] = []
        self.joined: set[str] = set()
        for who in (FARM, ADA, BEN):
            self.private(f"home-{who}", who)
        self.private("public", FARM).chmod(0o755)

    def private(self, name: str, owner: str) -> Path:
        import shutil

        folder = self.root / name
        folder.mkdir(mode=0o700)
        shutil.chown(folder, owner, owner)
        return folder

    def sweep(self, who: str, name: str, program: str, sets: int) -> Path:
        """A sweep of a user, in a folder of his alone."""
        folder = self.private(name, who)
        grid = f"parameters: {{grid: {{x: {{range: [1, {sets}]}}}}}}"
        (folder / "spe.yaml").write_text(f"command: sh -c '{program}'\nresults: {{who: stdout}}\n{grid}\n")
        return folder

    def account(self, who: str) -> list[str]:
        # Python may lie where other accounts cannot look; their own files stay their own, by their modes.
        account = [f"--reuid={who}", f"--regid={who}", "--clear-groups"]
        caps = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        return [self.setpriv, *account, *caps]

    def words(self, who: str, *words: str) -> list[str]:
        return [*self.account(who), sys.executable, __file__, *words]

    def spe(self, who: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """What a user types in a folder."""
        command = [*self.account(who), sys.executable, "-P", "-m", "spe", *words]
        env = self.environment(who)
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=env, timeout=120)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def environment(self, who: str) -> dict[str, str]:
        tests = Path(__file__).parents[2]
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root / f"home-{who}"),
            "SHELL": "/bin/sh",
            "LOGNAME": who,
            "PYTHONPATH": str(tests),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SPE_NO_LIST": "1",
        }

    def start(self, who: str, *words: str) -> subprocess.Popen[bytes]:
        log = (self.root / f"{words[0]}-{who}.log").open("ab")
        process = subprocess.Popen(self.words(who, *words), stdout=log, stderr=log, env=self.environment(who), cwd="/")
        self.started.append(process)
        return process

    def said(self, who: str, *words: str) -> Any:
        """Return the JSON that a command prints."""
        done = subprocess.run(
            self.words(who, *words), capture_output=True, text=True, env=self.environment(who), cwd="/", timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def farm(self, slots: int = 4) -> subprocess.Popen[bytes]:
        """Start the farm, and wait until users can find it."""
        from waiting import wait_until

        address = self.root / "public" / "farm.json"
        before = address.read_bytes() if address.exists() else b""
        process = self.start(FARM, "farm", str(self.root / "public"), str(slots))
        wait_until(
            lambda: address.exists() and address.read_bytes() != before, "the farm says where it is", story=self.logs
        )
        return process

    def join(self, who: str) -> None:
        if who not in self.joined:
            self.said(who, "join", str(self.root / "public"))
            self.joined.add(who)

    def submit(self, who: str, folder: Path, *words: str) -> int:
        """Submit the sweep of a folder by the command; it starts the delegate."""
        self.join(who)
        done = self.spe(who, folder, "submit", "--json", *words)
        assert done.returncode == 0, done
        return int(json.loads(done.stdout)["id"])

    def processes(self, who: str) -> dict[int, str]:
        """Return process -> command line of what a user of this town runs; other towns have the same accounts."""
        from processes import processes_with

        return processes_with(f"HOME={self.root}/home-{who}")

    def delegate(self, who: str) -> int:
        """Return the process of a user's delegate; 0 for none."""
        return next((pid for pid, line in self.processes(who).items() if " farm delegate " in line), 0)

    def kill_delegate(self, who: str) -> None:
        from waiting import wait_until

        pid = self.delegate(who)
        assert pid, self.logs()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.delegate(who) == 0, "it is gone", story=self.logs)

    def ask(self, who: str, method: str, path: str, body: Any = None) -> Any:
        return self.said(who, "ask", method, path, json.dumps(body))

    def jobs(self, who: str = ADA) -> dict[int, Any]:
        return {one["id"]: one for one in self.ask(who, "GET", "/jobs")["jobs"]}

    def logs(self) -> str:
        logs = [*self.root.glob("*.log"), *self.root.glob("home-*/.local/share/spe/delegate/*.log")]
        return "\n".join(f"--- {path.name}\n{path.read_text()[-2000:]}" for path in logs)

    def remove(self) -> None:
        import shutil

        for one in self.started:
            one.send_signal(signal.SIGTERM)
        for one in self.started:
            try:
                one.wait(20)
            except subprocess.TimeoutExpired:
                one.kill()
        for pid in [pid for who in (FARM, ADA, BEN) for pid in self.processes(who)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        shutil.rmtree(self.root, ignore_errors=True)


@contextmanager
def town() -> Iterator[Town]:
    made = Town()
    try:
        yield made
    finally:
        made.remove()


class Calm:
    """Watchers of a host on which nobody does anything: what tests run beside must not decide."""

    interval = 1.0

    @property
    def seen(self) -> Any:
        import time

        from spe.pool.watch.seen import Seen

        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return {"localhost": (time.monotonic(), Seen(boot, "linux-x86_64", 64, (0.0, 0.0, 0.0)))}

    def unheard(self, name: str) -> str:
        return ""


def _card(public: str = "") -> Any:
    from spe.pool.joining.cards import Card, checked_answer, find_card, save_card
    from spe.pool.joining.knocking import knock, own_name

    card = find_card(SRV)
    if card is None:
        answer = checked_answer(knock(SRV, FARM, public, None), SRV)
        card = Card(
            **answer, srv=SRV, account=FARM, public=public, host=own_name(), accepted=["localhost"], patterns=[]
        )
        save_card(card)
    return card


def main(what: str, *words: str) -> None:
    """Be one of the processes."""
    import logging

    from spe.pool.joining.answering import ask_gate
    from spe.pool.service.process import FarmOptions, run_farm

    logging.basicConfig(level=logging.INFO)
    if what == "farm":
        users = Path(words[0]).parent / "home-proxy" / "users.txt"
        users.write_text(f"{ADA}\n{BEN}\n")
        hosts = users.with_name("hosts.txt")
        hosts.write_text(f"localhost slots={words[1]}\n")
        os.umask(0o022)
        options = FarmOptions(str(hosts), "localhost", users=str(users), address="127.0.0.1", public=words[0])
        asyncio.run(run_farm(options, Calm()))
        return
    card = _card(words[0] if what == "join" else "")
    if what == "join":
        print(json.dumps({"farm": card.farm}))
    else:
        body = json.loads(words[2])
        print(json.dumps(ask_gate(card.urls, card.fingerprint, card.token, words[0], words[1], body)))


if __name__ == "__main__":
    main(*sys.argv[1:])
