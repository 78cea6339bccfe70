"""Real runs that tell people: what arrives, and once, also when the master is killed."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from certificates import tls_of_its_own
from cli.kit import Bench, Done
from waiting import wait_out, wait_until

from .kit import CERTIFICATE, SECRET, Letters, Server, files_with, mail_served, served, write_book

GATED = "echo $1 >> $LOG\nwhile [ $1 -gt 2 -a ! -e $GATE ]; do sleep 0.02; done\n[ $1 -ne 2 ] || exit 3\necho $1\n"


def sweep(bench: Bench, notify: str, sets: int = 4, more: str = "attempts: 1\n") -> None:
    """Set 2 fails, those after it wait for the gate."""
    bench.worker(GATED)
    text = f"command: ./work {{{{ x }}}}\nparameters: {{grid: {{x: {{range: [1, {sets}]}}}}}}\n"
    bench.write("spe.yaml", f"{text}hosts: [localhost slots=2]\nping: 1\nnotify: {notify}\n{more}")


def book(bench: Bench, text: str) -> None:
    write_book(bench.root / "config", text)


def hook(server: Server) -> str:
    return f"{server.url}/in/{SECRET}"


def notes(bench: Bench, *kinds: str) -> list[str]:
    """The stored notes of these kinds."""
    rows = [json.loads(line)["data"] for line in bench.ok("events", "--past").out.splitlines()]
    return [row["text"] for row in rows if row["kind"] in kinds]


def assert_no_secret(bench: Bench, *done: Done) -> None:
    """It is in the user's own file alone."""
    assert files_with(SECRET, bench.folder, bench.tmp, bench.home, bench.cache) == []
    assert not [one for one in done if SECRET in one.out + one.err]
    assert not [line for line in bench.processes().values() if SECRET in line]


def test_the_first_failure_and_the_end_are_told_and_no_secret_is_left(bench: Bench, server: Server) -> None:
    book(bench, f"me: {hook(server)}\n")
    sweep(bench, "me")
    running = bench.start("run", "-vv")
    wait_until(lambda: server.events() == ["first_failure"], "the first failure is told while the run goes on")
    assert not [line for line in bench.processes().values() if SECRET in line]
    page = json.loads((bench.runs() / "master.json").read_text())["page"]
    for path in ("/", "/failures", "/state"):
        assert SECRET not in read(page.replace("/?", f"{path}?"))
    bench.open_gate()
    done = running.end()
    assert done.code == 1, done
    assert server.events() == ["first_failure", "done"]
    end = server.posted[1].json
    assert end["subject"] == "spe: sweep: ended, 3 of 4 sets are done, 1 failed"
    assert end["sets"] == {"total": 4, "done": 3, "failed": 1, "cancelled": 0, "running": 0, "waiting": 0}
    assert end["folder"] == str(bench.runs()) and end["reasons"] == [{"sets": 1, "reason": "exit code 3"}]
    assert end["next"] == f"cd {bench.folder} && spe retry --name sweep"
    assert notes(bench, "told") == ["me was told: first_failure", "me was told: done"]
    assert_no_secret(bench, done)


def test_a_sweep_without_failures_is_told_as_done(bench: Bench, server: Server) -> None:
    book(bench, f"me: {hook(server)}\n")
    sweep(bench, "[me, stalled=me]", sets=1)
    bench.ok("run")
    assert [one.json["subject"] for one in server.posted] == ["spe: sweep: the set is done"]
    assert "spe results --name sweep" in server.posted[0].json["text"]


def test_mail_a_command_and_apprise_are_told(bench: Bench, tmp_path: Path) -> None:
    pytest.importorskip("apprise")
    context, _ = tls_of_its_own(tmp_path, CERTIFICATE)
    letters = Letters()
    with mail_served(letters, context, SECRET) as port, served(tmp_path, tls=False) as plain:
        mail = f"mailtos://ada:{SECRET}@localhost:{port}?to=ada@example.org"
        book(bench, f"mail: {mail}\nchat: json://127.0.0.1:{plain.port}/{SECRET}\n")
        sweep(bench, "[mail, done=chat, 'cmd: cat >> $LOG.told']", sets=1)
        done = bench.ok("run", SSL_CERT_FILE=str(tmp_path / CERTIFICATE))
    assert [letter["Subject"] for letter in letters.came] == ["spe: sweep: the set is done"]
    assert "sets done" not in letters.came[0].get_content(), "the subject says it"
    assert [one.json["title"] for one in plain.posted] == ["spe: sweep: the set is done"]
    assert Path(f"{bench.log}.told").read_text().startswith("spe: sweep: the set is done\n")
    assert_no_secret(bench, done)


# -- once


def test_a_run_whose_master_was_killed_tells_the_rest_and_nothing_twice(bench: Bench, server: Server) -> None:
    book(bench, f"me: {hook(server)}\n")
    sweep(bench, "me")
    first = bench.start("run")
    wait_until(lambda: "first_failure me" in json.loads(marks(bench))["sent"], "the first failure is told, and stored")
    first.signal(signal.SIGKILL)
    first.process.communicate()
    bench.open_gate()
    bench.spe("run")
    assert server.events() == ["first_failure", "done"]
    bench.spe("run")
    assert server.events() == ["first_failure", "done"], "a run with nothing to do"


def test_what_was_due_and_not_sent_when_the_master_was_killed_is_sent_by_the_next_one(
    bench: Bench, server: Server
) -> None:
    book(bench, f"me: {hook(server)}\n")
    sweep(bench, "me")
    server.usual = 500
    first = bench.start("run")
    wait_until(lambda: server.tries, "it was tried")
    first.signal(signal.SIGKILL)
    first.process.communicate()
    assert json.loads(marks(bench))["sent"] == []
    server.usual = 200
    second = bench.start("run")
    wait_until(lambda: server.events() == ["first_failure"], "the failure of before is told")
    bench.open_gate()
    second.end()
    assert server.events() == ["first_failure", "done"]


def test_a_master_that_is_killed_between_its_last_message_and_its_end_tells_only_who_was_not_told(
    bench: Bench, server: Server
) -> None:
    book(bench, f"me: {hook(server)}\n")
    sweep(bench, "[me, \"done=cmd: echo >> $LOG.you; [ -e $GATE ] || sleep 100\"]", sets=1)
    first = bench.start("run")
    wait_until(lambda: "done me" in json.loads(marks(bench))["sent"], "one is told, the other one is not yet")
    wait_until(Path(f"{bench.log}.you").exists, "the command runs")
    first.signal(signal.SIGKILL)
    first.process.communicate()
    end_commands(bench)
    bench.open_gate()
    bench.ok("run")
    assert server.events() == ["done"]
    assert json.loads(marks(bench))["sent"] == ["done cmd: echo >> $LOG.you; [ -e $GATE ] || sleep 100", "done me"]


def test_another_run_tells_again(bench: Bench, server: Server) -> None:
    book(bench, f"me: {hook(server)}\n")
    bench.open_gate()
    sweep(bench, "me", sets=2)
    bench.spe("run")
    assert server.events() == ["first_failure", "done"]
    bench.spe("retry")
    assert server.events() == ["first_failure", "done"] * 2
    sweep(bench, "me", sets=3)
    bench.spe("run")
    assert server.events() == ["first_failure", "done"] * 2 + ["done"], "an earlier failure is none of this run"
    idents = [one.head["Idempotency-Key"] for one in server.posted]
    assert len(set(idents)) == 5, "no server takes one for another"


def test_new_sets_after_a_kill_at_the_very_end_are_told_too(bench: Bench, server: Server) -> None:
    book(bench, f"me: {hook(server)}\n")
    bench.open_gate()
    sweep(bench, "[me, 'done=cmd: touch $LOG.begun; exec sleep 100']", sets=1)
    first = bench.start("run")
    wait_until(lambda: "done me" in json.loads(marks(bench))["sent"], "it is told")
    wait_until(Path(f"{bench.log}.begun").exists, "the command runs")
    first.signal(signal.SIGKILL)
    first.process.communicate()
    end_commands(bench)
    sweep(bench, "me", sets=3)
    bench.spe("run")
    assert server.events() == ["done", "first_failure", "done"]


# -- trouble


def test_a_run_that_gives_up_tells_it(bench: Bench, server: Server) -> None:
    book(bench, f"me: {hook(server)}\n")
    bench.open_gate()
    sweep(bench, "me", sets=40, more="attempts: 1\nstop_after: 1 failed, now\nat_once: 1\n")
    bench.spe("run")
    assert server.events() == ["first_failure", "given_up"]
    told = server.posted[1].json
    assert "sets are left" in told["subject"] and "(stop_after)" in told["because"][0]


def test_a_run_without_any_host_tells_that_it_gave_up(bench: Bench, server: Server) -> None:
    book(bench, f"me: {hook(server)}\n")
    sweep(bench, "me")
    done = bench.spe("run", "--hosts", "no-such-host.invalid")
    assert done.code == 3, done
    assert server.events() == ["given_up"] and server.posted[0].json["because"]


def test_who_interrupts_a_run_is_not_told_of_it(bench: Bench, server: Server) -> None:
    book(bench, f"me: {hook(server)}\n")
    sweep(bench, "'done,given_up=me'", sets=9)
    running = bench.start("run")
    wait_until(lambda: len(bench.logged()) > 3, "programs run")
    running.signal(signal.SIGINT)
    bench.open_gate()
    assert running.end().code == 130
    assert server.tries == 0


def test_a_run_in_which_nothing_goes_on_has_stalled(bench: Bench, server: Server) -> None:
    book(bench, f"me: {hook(server)}\n")
    sweep(bench, "[{to: me, after: 2s}, {to: me, on: done}]")
    running = bench.start("run", "--hosts", "none")
    wait_until(lambda: server.events() == ["stalled"], "it is told")
    assert server.posted[0].json["because"] == ["no host is up yet"]
    assert server.posted[0].json["sets"]["waiting"] == 4
    bench.ok("stop")
    assert running.end().code == 130
    assert server.events() == ["stalled"]


def test_a_paused_run_has_not_stalled(bench: Bench, server: Server) -> None:
    book(bench, f"me: {hook(server)}\n")
    sweep(bench, "{to: me, on: stalled, after: 3s}")
    running = bench.start("run", "--hosts", "none")
    wait_until(lambda: bench.start("pause").end().code == 0, "it is paused")
    wait_out(5)
    assert server.events() == []
    assert bench.start("resume").end().code == 0
    wait_until(lambda: server.events() == ["stalled"], "it is told after three seconds without a pause")
    bench.start("stop").end()
    running.end()


# -- faults of those that carry it


def test_a_server_that_is_back_after_a_while_gets_the_message_once(bench: Bench, server: Server) -> None:
    book(bench, f"me: {hook(server)}\n")
    server.answers = [503, 500]
    sweep(bench, "done=me", sets=1)
    bench.ok("run")
    assert server.events() == ["done"] and server.tries == 3


@pytest.mark.patient
def test_servers_that_hang_refuse_and_fail_hold_no_run_up_and_are_told(bench: Bench, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    with served(folders[0], tls=False) as hanging, served(folders[1], tls=False) as failing:
        hanging.answers, failing.usual = [None] * 9, 500
        lines = [f"hangs: {hook(hanging)}", f"fails: {hook(failing)}", f"refuses: http://127.0.0.1:1/{SECRET}"]
        lines += ["silent: 'cmd: sleep 1000'", f"no_mail: mailto:a@b.org?smtp=127.0.0.1:1&user=u&pass={SECRET}"]
        book(bench, "\n".join(lines) + "\n")
        sweep(bench, "[hangs, fails, refuses, silent, no_mail]", sets=1)
        done = bench.ok("run", seconds=120)
    told = [line for line in done.err.splitlines() if line.startswith("warning: notify: ")]
    assert len(told) == 5, done
    for name, reason in (
        ("hangs", "silent for 10 s"), ("fails", "the server answered 500: Echo ***;"), ("silent", "command was ended"),
        ("refuses", "Connection refused"), ("no_mail", "Connection refused"),
    ):  # fmt: skip
        line = next(line for line in told if f"notify: {name} could not be told (done): " in line)
        assert reason in line and "`spe notify --test` tries it" in line
    log = (bench.runs() / "master.log").read_text()
    assert log.count("WARNING spe.notify: notify: ") == 5 and "Traceback" not in log
    assert len(notes(bench, "not_told")) == 5
    assert bench.column("stdout") == ["1"]
    assert_no_secret(bench, done)


@pytest.mark.patient
def test_ctrl_c_ends_the_wait_for_a_message(bench: Bench) -> None:
    sweep(bench, "'cmd: touch $LOG.begun; sleep 1000'", sets=1)
    running = bench.start("run")
    wait_until(Path(f"{bench.log}.begun").exists, "the command runs")
    running.signal(signal.SIGINT)
    done = running.end()
    assert done.code == 0 and "the run ended before it was sent" in done.err, done
    bench.assert_nothing_left(done)


def read(url: str) -> str:
    """A page as a browser gets it; what is not there has a text, too."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return str(answer.read(), "utf-8", "replace")
    except urllib.error.HTTPError as error:
        return str(error.read(), "utf-8", "replace")


def marks(bench: Bench) -> str:
    """What the store remembers of messages."""
    rows = bench.query("SELECT value FROM meta WHERE key = 'notified'")
    return str(rows[0][0]) if rows and rows[0][0] else '{"due": [], "sent": []}'


def end_commands(bench: Bench) -> None:
    """End what a master that was killed had started to tell somebody."""
    for pid, line in bench.processes().items():
        if "sleep 100" in line:
            os.kill(pid, signal.SIGKILL)
