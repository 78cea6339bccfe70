"""Processes that leave group, session, directory and environment of their program write into no other set's files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import is_alive
from waiting import wait_until

from .kit import Started
from .pretended_master import Master, task

# A daemon as in the books. It keeps its program's output under `number`, and the directory open; told so, it writes.
DAEMON = """
import os, sys, time
number, where = int(sys.argv[1]), sys.argv[2]
os.dup2(1, number)
os.set_inheritable(number, True)
os.dup2(os.open('.', os.O_RDONLY), 8)
os.set_inheritable(8, True)
if os.fork() == 0:
    os.setsid()
    os.chdir('/')
    if os.fork() == 0:
        if number > 2:
            nothing = os.open(os.devnull, os.O_RDWR)
            for one in range(3): os.dup2(nothing, one)
        os.execve(sys.executable, ['daemon', '-c', LATER, str(number), where], {})
    os._exit(0)
while not os.path.exists(where + '/pid'): time.sleep(0.01)
print('of the first')
"""
LATER = """
import os, sys, time
number, where = int(sys.argv[1]), sys.argv[2]
os.environ.clear()
open(where + '/new', 'w').write(str(os.getpid()))
os.rename(where + '/new', where + '/pid')
while not os.path.exists(where + '/write'): time.sleep(0.01)
os.write(number, b'LATE')
os.close(os.open('late', os.O_CREAT, dir_fd=8))
open(where + '/written', 'w').close()
while True: time.sleep(1)
"""
# Has the daemon write, if that lives, and shows what is in its own directory then.
VICTIM = """
import os, sys, time
where = sys.argv[1]
pid = int(open(where + '/pid').read())
open(where + '/write', 'w').close()
while os.path.exists('/proc/%d' % pid) and not os.path.exists(where + '/written'): time.sleep(0.01)
print('own', os.listdir('.'))
"""


@pytest.fixture
def master(master: Master) -> Iterator[Master]:
    """One that takes batches: then places go from ticket to ticket."""
    master.config.update(Batch="Yes", Ping="0.5")
    master.over = False
    yield master


def until(file: Path) -> str:
    return f"until [ -e {file} ]; do sleep 0.02; done"


@pytest.mark.parametrize("number", [1, 7])
def test_a_daemon_writes_into_the_files_of_no_other_set_and_ends_once_it_can_belong_to_none_that_runs(
    master: Master, client: Started, tmp_path: Path, number: int
) -> None:
    """Four hands with two slots each: the hand of ticket 8 runs one of the others, too."""
    daemon = DAEMON.replace("LATER", repr(LATER))
    master.add(*(task(n, "sh", "-c", until(tmp_path / "end1")) for n in range(1, 8)))
    master.add(task(8, "python3", "-c", daemon, str(number), str(tmp_path)))
    client.start("--slots", "8")
    master.wait_for(lambda: 8 in master.completed)
    pid = int((tmp_path / "pid").read_text())
    victims = range(9, 13)
    master.add(*(task(n, "python3", "-c", VICTIM, str(tmp_path)) for n in victims))
    master.wait_for(lambda: set(master.completed) >= set(victims))
    assert {master.completed[n].parts["stdout"] for n in victims} == {b"own []\n"}
    assert master.completed[8].parts["stdout"] == b"of the first\n"
    assert number == 7 or not is_alive(pid), "whose output it has is whose it is"
    master.add(task(13, "sh", "-c", until(tmp_path / "end2")))
    wait_until((client.base() / "13").is_dir, "the next task has its directory")
    (tmp_path / "end1").touch()
    wait_until(lambda: not is_alive(pid), "the process has ended")
    assert 13 not in master.completed
    (tmp_path / "end2").touch()
    master.finish()
    assert client.end()[0] == 0
    assert set(master.completed) == set(range(1, 14))
