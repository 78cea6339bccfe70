"""A farm on a host of the lab, users with accounts and keys of their own, and six hosts that they share.

    town = Town(lab); town.boot(); town.start_farm(); town.join("ada")
    job = town.submit("ada", "work", sets=40)

Everything runs on hosts of the lab: the farm, delegates and masters on the first one, clients on the others.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import Boot, Lab, LabHost, people
from processes import is_alive
from waiting import wait_until

FARM, USERS = "farm", ("ada", "ben", "cyd")
PEOPLE = (FARM, *USERS)
SLOTS, MOST, CORES = 4, 3, 8
# Runs in each task. `exec`, so that a task is one process but for the moment in which `id` runs.
MARK = "echo task-of-drill $(id -u) >/dev/null"


class Town:
    """A server, hosts, and accounts. Lives for one test."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.server, self.hosts = lab.hosts[0], lab.hosts[1:]
        self.installed = [self.server]  # hosts on which spe is installed
        self._jobs: dict[int, Any] = {}
        self._jobs_at = 0.0
        self.notes: list[str] = []

    # -- the hosts

    def boot(self) -> None:
        """Boot all hosts, with empty homes."""
        for host in self.lab.hosts:
            host.refresh()
        for host in self.lab.hosts:
            host.power_on(self.how(host))
        for host in self.lab.hosts:
            host.wait_until_up()
        for who in PEOPLE:
            people.give_keys(self.lab, self.server, who)

    def how(self, host: LabHost) -> Boot:
        """How a host is booted. Where spe is installed it sees the environment of these tests."""
        places = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}
        own = [place for place in places if not place.is_relative_to("/usr")]
        binds = tuple((place, str(place)) for place in own) if host in self.installed else ()
        return Boot(people=PEOPLE, cores=CORES, binds=binds)

    # -- commands of people, on the server

    def words(self, who: str, cwd: str = "", host: LabHost | None = None) -> list[str]:
        """Return the words before a command that an account runs on a host; None for the server."""
        host = host or self.server
        number = str(people.uid(PEOPLE, who))
        path = f"{Path(sys.prefix).resolve()}/bin:/usr/local/bin:/usr/bin:/bin"
        enter = f"echo $$ >{host.cgroup}/cgroup.procs; exec nsenter -t {host.first_pid}"
        enter += ' -m -u -i -n -p -r -w "$@"'
        user = ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups", "env", "-i", f"PATH={path}"]
        user += [f"HOME=/home/{who}", f"USER={who}", f"LOGNAME={who}", "SHELL=/bin/sh", "LANG=C.UTF-8"]
        return ["sh", "-c", enter, "sh", *user, "sh", "-c", 'cd "$0" && exec "$@"', cwd or f"/home/{who}"]

    def run(
        self,
        who: str,
        *command: str,
        cwd: str = "",
        check: bool = True,
        seconds: float = 60,
        host: LabHost | None = None,
    ) -> str:
        """Run a command there; return what it prints."""
        words = [*self.words(who, cwd, host), *command]
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self.story()}"
        return done.stdout + done.stderr

    def home(self, who: str) -> Path:
        """Return the home of an account on the server, as this machine sees it."""
        return self.server.folder / "home" / who

    # -- the farm

    def write_farm(self, slots: int = SLOTS, most: int = MOST) -> None:
        """Write the files of the farm's administrator."""
        names = "\n".join(f"{host.name} slots={slots} most={most}" for host in self.hosts)
        for name, text in (("hosts.txt", names), ("users.txt", "\n".join(USERS))):
            path = self.home(FARM) / name
            path.write_text(text + "\n")
            os.chown(path, people.uid(PEOPLE, FARM), people.uid(PEOPLE, FARM))

    def start_farm(self) -> None:
        """Start the farm, and wait until each of its hosts is vacant."""
        words = ("spe", "farm", "start", "--hosts", "hosts.txt", "--users", "users.txt")
        self.run(FARM, *words)

    def join(self, who: str) -> str:
        """Join the farm and accept all its hosts."""
        return self.run(who, "spe", "farm", "join", self.server.name, "--account", FARM, "--yes")

    @property
    def address(self) -> Path:
        """The file by which users find the farm."""
        return self.server.folder / "var-tmp" / f"spe-farm-{FARM}" / "farm.json"

    # -- kills

    def kill_farm(self) -> None:
        """Kill -9."""
        self._kill(json.loads(self.address.read_text())["pid"])

    def kill_delegate(self, who: str) -> None:
        """Kill the delegate of a user, where there is one."""
        pid = self._find(self.server, who, " farm delegate ")
        if pid:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not is_alive(pid), "the delegate is dead")

    def start_delegate(self, who: str) -> None:
        """Start it again, as the owner's next command does."""
        self.run(who, "spe", "jobs")

    def master(self, who: str, name: str) -> int:
        """Return the process of a job's master, as its host counts; 0 for none."""
        try:
            pid = int(json.loads((self.results(who, name).parent / "master.json").read_text())["pid"])
        except (OSError, ValueError):
            return 0
        return pid if self.server.root("kill", "-0", str(pid), check=False).returncode == 0 else 0

    def kill_master(self, who: str, name: str) -> None:
        """Kill the master of a job."""
        self._kill(self.master(who, name))

    def _kill(self, pid: int) -> None:
        self.server.root("kill", "-KILL", str(pid))

    def note(self, text: str) -> None:
        """Add a line to the story."""
        self.notes.append(f"{time.strftime('%H:%M:%S')} {text}")

    # -- jobs

    def sweep(self, who: str, name: str, sets: int, seconds: float = 1.0, more: str = "") -> str:
        """Make a sweep of an account, in a folder of its own; return the folder there."""
        folder = self.home(who) / name
        folder.mkdir(mode=0o700)
        program = f"{MARK}; id -u; exec sleep {seconds}"
        (folder / "spe.yaml").write_text(
            f"name: {name}\ncommand: sh -c '{program}'\nresults: {{who: stdout}}\n"
            f"parameters: {{grid: {{x: {{range: [1, {sets}]}}}}}}\n{more}"
        )
        for path in (folder, *folder.iterdir()):
            os.chown(path, people.uid(PEOPLE, who), people.uid(PEOPLE, who))
        return f"/home/{who}/{name}"

    def submit(self, who: str, folder: str, *options: str) -> int:
        """Submit the sweep of a folder; return the number of the job."""
        said = self.run(who, "spe", "submit", *options, cwd=folder)
        found = re.search(r"job (\d+)", said)
        assert found, said
        return int(found[1])

    def jobs(self, who: str = USERS[0]) -> dict[int, Any]:
        """Return all jobs, by their numbers, as a user sees them; asked anew after a quarter of a second.

        The gate answers 20 requests a second of one token.
        """
        if time.monotonic() - self._jobs_at > 0.25:
            self._jobs = {one["id"]: one for one in self.ask(who, "/jobs")["jobs"]}
            self._jobs_at = time.monotonic()
        return self._jobs

    def ask(self, who: str, path: str) -> Any:
        """Return what the farm's gate answers to an account."""
        return self._ask(who, "GET", path)

    def post(self, who: str, path: str, body: Any) -> Any:
        """Send the farm's gate something in the name of an account, and return the answer."""
        return self._ask(who, "POST", path, body)

    def _ask(self, who: str, method: str, path: str, body: Any = None) -> Any:
        from spe.pool.joining.answering import ask_gate

        cards = (self.home(who) / ".config" / "spe" / "farms").glob("*.json")
        card = json.loads(next(cards).read_text())
        urls = card["urls"]
        for host in self.lab.hosts:  # whose names this machine does not know
            urls = [url.replace(f"//{host.name}:", f"//{host.address}:") for url in urls]
        return ask_gate(urls, card["fingerprint"], card["token"], method, path, body)

    def results(self, who: str, name: str) -> Path:
        """Return the file of results of a job."""
        return self.home(who) / name / "runs" / name / "results.csv"

    def rows(self, who: str, name: str) -> list[dict[str, str]]:
        """Return the results of a job."""
        with self.results(who, name).open(newline="") as stream:
            return list(csv.DictReader(stream))

    # -- what runs

    def tasks(self, host: LabHost) -> dict[str, int]:
        """Return how many tasks of each account run on a host now, by its process table."""
        found: dict[int, tuple[int, int]] = {}  # process -> parent, uid
        for pid in _processes(host):
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
                if not (line.startswith(b"sleep\0") or b"task-of-drill" in line):
                    continue
                stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                found[pid] = int(stat[1]), os.stat(f"/proc/{pid}").st_uid
            except OSError:
                continue  # it has just ended
        counts: dict[str, int] = {}
        for parent, owner in found.values():
            if parent not in found:  # else a fork of a task's shell
                who = PEOPLE[owner - people.FIRST_UID]
                counts[who] = counts.get(who, 0) + 1
        return counts

    def processes(self, host: LabHost, who: Sequence[str] = PEOPLE) -> dict[int, str]:
        """Return process -> account and command line, of what these accounts run on a host."""
        found = {}
        for pid in _processes(host):
            try:
                owner = os.stat(f"/proc/{pid}").st_uid
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            name = PEOPLE[owner - people.FIRST_UID] if 0 <= owner - people.FIRST_UID < len(PEOPLE) else ""
            if name in who and line:
                found[pid] = f"{name} {line}"
        return found

    def left(self) -> list[str]:
        """Return what users still run on any host."""
        return [f"{host} {line}" for host in self.lab.hosts for line in self.processes(host, USERS).values()]

    def _find(self, host: LabHost, who: str, words: str) -> int:
        return next((pid for pid, line in self.processes(host, (who,)).items() if words in line), 0)

    def story(self) -> str:
        """Return the ends of all logs."""
        logs = [path for who in PEOPLE for path in self.home(who).rglob("*.log")]
        said = [self.run(FARM, "spe", "farm", what, check=False) for what in ("hosts", "status")]
        return "\n".join([*self.notes, *said]) + "\n".join(
            f"--- {path}\n{path.read_text(errors='replace')[-1500:]}" for path in logs
        )

    def close(self) -> None:
        """End everything: the hosts lose their power."""
        for host in self.lab.hosts:
            host.power_off()
            shutil.rmtree(host.folder / "home")


def _processes(host: LabHost) -> list[int]:
    try:
        return [int(pid) for pid in (host.cgroup / "cgroup.procs").read_text().split()]
    except OSError:
        return []
