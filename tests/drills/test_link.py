"""The network: cut and healed, cut for good, slow and losing packets; and all hosts gone at once."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from lab import Boot, Lab, LabHost
from needs import need
from waiting import BACK, wait_until

from .kit import LEASE, THERE, Drill

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(400)]
LAB_HOSTS = 2
Maker = Callable[..., Drill]


def test_cut_and_healed_within_the_lease(make_drill: Maker, lab: Lab) -> None:
    drill = make_drill(lab, 2, yaml="ping: 5\ngrace: 60\n")  # a lease that lasts, however slow this machine is
    for count in (5, 15, 25):
        drill.open_gate(count)
        if not drill.process:
            drill.start_run()
        drill.wait_done(count)
        wait_until(lambda: drill.at_work("h01"), "it works")
        drill.hosts[0].cut()
        drill.open_gate(count + 5)  # what it holds ends meanwhile
        time.sleep(1)
        drill.hosts[0].heal()
        drill.assert_undone()
    drill.open_gate()
    drill.end()
    assert not drill.lost
    drill.five_checks("link cut for 1 s, within the lease", 3)


def test_cut_and_healed_beyond_the_lease(make_drill: Maker, lab: Lab) -> None:
    drill = make_drill(lab, 2)
    drill.open_gate(30)
    drill.start_run()
    drill.wait_done(10)
    wait_until(lambda: drill.held_by("h01"), "it works")
    drill.hosts[0].cut()
    wait_until(lambda: drill.lost, "its tickets are lost", LEASE + 20)
    drill.hosts[0].heal()
    wait_until(lambda: drill.held_by("h01"), "it works again", BACK)
    drill.open_gate()
    drill.end()
    drill.five_checks("link cut beyond the lease, then healed")


def test_cut_for_good(make_drill: Maker, lab: Lab) -> None:
    """The other host does all; the one that is cut off clears up by itself when its grace time is over."""
    drill = make_drill(lab, 2, yaml="ping: 0.3\ngrace: 15\n")  # long enough for the host that stays
    drill.open_gate(10)
    drill.start_run()
    drill.wait_done(10)
    held = drill.wait_at_gate("h01")
    drill.hosts[0].cut()
    drill.open_gate()
    drill.end()
    assert held <= drill.done_by("h02")
    assert "h01" in drill.said.read_text(), "the host that was not heard of is named"
    wait_until(lambda: not drill.hosts[0].processes(user_only=True), "it has cleared up")
    drill.five_checks("link cut for good")


@contextmanager
def bad_network(host: LabHost, milliseconds: int, loss: int) -> Iterator[None]:
    """Each frame between this host and the others is late, or lost."""
    words = [sys.executable, str(Path(__file__).with_name("relay.py")), host.space, host.device, host.lab.bridge]
    with subprocess.Popen([*words, str(milliseconds), str(loss)], stdout=subprocess.PIPE) as relay:
        try:
            assert relay.stdout and relay.stdout.readline() == b"up\n"
            yield
        finally:
            relay.kill()
            relay.wait()
            host.heal()


def test_a_tenth_of_all_packets_lost_and_200_ms_delay(make_drill: Maker, lab: Lab) -> None:
    need(Path("/dev/net/tun").exists(), "needs /dev/net/tun")
    drill = make_drill(lab, 2, yaml="ping: 1\ngrace: 20\n")
    drill.open_gate(5)
    drill.start_run()
    drill.wait_done(5)
    with bad_network(drill.hosts[0], 200, 10), bad_network(drill.hosts[1], 200, 10):
        drill.open_gate()
        drill.end()
        wait_until(lambda: not any(h.processes(user_only=True) for h in drill.hosts), "the clients are gone")
    drill.five_checks("10% of all packets lost, 200 ms delay")


@pytest.mark.parametrize("how", ["cut off", "without power"])
def test_all_hosts_gone_and_back(make_drill: Maker, lab: Lab, how: str) -> None:
    drill = make_drill(lab, 2)
    drill.open_gate(30)
    drill.start_run()
    drill.wait_done(10)
    wait_until(lambda: drill.at_work("h01") and drill.at_work("h02"), "both work")
    for host in drill.hosts:
        host.cut() if how == "cut off" else host.power_off()
    wait_until(lambda: not drill.running, "all that was out is back in the queue", LEASE + 20)
    drill.assert_undone()
    if how == "cut off":
        for host in drill.hosts:
            host.heal()
    else:
        for host in drill.hosts:
            host.power_on(Boot(binds=((drill.shared, THERE),)))
    # One host alone would end the run, before the other is back to clear up what it left.
    wait_until(lambda: drill.held_by("h01") and drill.held_by("h02"), "both are back", BACK)
    drill.open_gate()
    drill.end()
    drill.five_checks(f"all hosts {how} beyond the lease, then back")


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Some other program listens there; it hangs up on whoever comes."""
    with closing(socket.create_server(("", port))) as other:
        threading.Thread(target=_hang_up, args=(other,), daemon=True).start()
        yield
        other.shutdown(socket.SHUT_RDWR)


def _hang_up(other: socket.socket) -> None:
    with suppress(OSError):  # it is closed
        while True:
            other.accept()[0].close()


def test_another_port_after_the_death_of_the_master(make_drill: Maker, lab: Lab) -> None:
    """The port was taken meanwhile: the new start over SSH hands the living clients the new address."""
    drill = make_drill(lab, 2, yaml="ping: 0.5\ngrace: 60\nonce: true\n")  # who is back first gets no copies
    drill.open_gate(20)
    drill.start_run()
    drill.wait_done(15)
    for host in drill.hosts:  # each start has ended, too: it would count among the client's processes
        drill.wait_at_gate(host.name)
    before = [drill.client_of(host) for host in drill.hosts]
    port = drill.port
    drill.kill_master()
    with taken(port):
        drill.open_gate(36)
        drill.start_run()
        drill.wait_done(30)
        assert drill.port != port
        # (a start that hands the address over is a client, too, for a moment)
        wait_until(lambda: [drill.client_of(host) for host in drill.hosts] == before, "the same clients go on")
        drill.open_gate()
        drill.end()
    again = {x: times for x, times in drill.times_begun().items() if times != 1}
    assert again == {}, "nothing ran again"
    drill.five_checks("master killed with -9, its port taken by another")
