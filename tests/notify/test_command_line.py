"""`spe notify`, --notify, and what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.kit import Bench

from .kit import SECRET, Server, files_with, write_book

ONE = "command: echo {{ x }}\nparameters: {grid: {x: [1]}}\n"


def book(bench: Bench, text: str, mode: int = 0o600) -> Path:
    return write_book(bench.root / "config", text, mode)


def test_a_test_message_is_sent_to_those_of_the_sweep(bench: Bench, server: Server) -> None:
    book(bench, f"me: {server.url}/{SECRET}\nyou: mailto:you@example.org\n")
    bench.write("spe.yaml", ONE + "notify: [me, 'done=cmd: cat > told.txt']\n")
    done = bench.ok("notify", "--test")
    assert done.out == "me: sent (https)\ncmd: cat > told.txt: sent (command)\n"
    assert [one.json["event"] for one in server.posted] == ["test"]
    assert (bench.folder / "told.txt").read_text().startswith("spe: a test from ")
    assert not (bench.folder / "runs").exists()


def test_a_test_message_to_a_name_needs_no_sweep(bench: Bench, server: Server) -> None:
    book(bench, f"me: {server.url}/{SECRET}\n")
    assert bench.ok("notify", "--test", "me").out == "me: sent (https)\n"
    told = bench.ok("notify", "--test", "me", "--json").json
    assert told == [{"to": "me", "kind": "https", "sent": True, "reason": ""}]


def test_a_test_message_that_does_not_arrive_is_told_with_the_reason(bench: Bench, server: Server) -> None:
    book(bench, f"me: {server.url}/{SECRET}\nyou: 'cmd: echo no >&2; exit 4'\n")
    server.usual = 404
    done = bench.spe("notify", "--test", "me", "you")
    assert done.code == 1 and done.out == "" and SECRET not in done.err
    assert done.err.splitlines() == [
        "spe: me could not be told: the server answered 404: Echo ***",
        "spe: you could not be told: the command ended with exit code 4: no",
    ]


def test_who_is_told_is_shown_without_any_address(bench: Bench) -> None:
    book(bench, f"me: https://example.org/{SECRET}\nyou: mailto:you@example.org\n")
    bench.write("spe.yaml", ONE + "notify: [done=me]\n")
    done = bench.ok("notify")
    assert done.out.split() == ["to", "kind", "told", "of", "me", "https", "done"]
    assert "notify.yaml: me, you" in done.err and SECRET not in done.out + done.err
    told = bench.ok("notify", "--json").json
    assert told["notify"] == [{"to": "me", "kind": "https", "on": ["done"]}] and told["names"] == ["me", "you"]


def test_where_nobody_is_told_it_says_so(bench: Bench) -> None:
    assert bench.ok("notify").out == "nobody is told of a run here\n"
    assert "Name somebody: spe notify --test NAME" in bench.refused("notify", "--test")
    bench.write("spe.yaml", "command: [\n")
    assert "Or name somebody: spe notify --test NAME" in bench.refused("notify", "--test")


@pytest.mark.parametrize("words", [("run",), ("run", "--detach"), ("check",), ("notify",)])
def test_an_unknown_name_is_refused_before_anything_runs(bench: Bench, words: tuple[str, ...]) -> None:
    book(bench, f"team: https://example.org/{SECRET}\n")
    bench.write("spe.yaml", ONE + "notify: tem\n")
    err = bench.refused(*words)
    assert "there is no address named tem" in err and "Did you mean team? There are team." in err
    assert not (bench.folder / "runs").exists()


@pytest.mark.parametrize("words", [("run",), ("run", "--detach"), ("check",)])
def test_a_file_of_addresses_that_others_can_read_is_refused(bench: Bench, words: tuple[str, ...]) -> None:
    path = book(bench, f"me: https://example.org/{SECRET}\n", 0o644)
    bench.write("spe.yaml", ONE + "notify: me\n")
    err = bench.refused(*words)
    assert "(mode 0644)" in err and f"chmod 600 {path}" in err and SECRET not in err
    assert files_with(SECRET, bench.folder) == []


def test_a_secret_on_the_command_line_or_in_the_sweep_is_refused_and_not_repeated(bench: Bench) -> None:
    address = f"https://ada:{SECRET}@example.org"
    bench.write("spe.yaml", ONE)
    err = bench.refused("run", "--notify", address)
    assert err.startswith("spe: --notify https:…: an address that may hold") and SECRET not in err
    assert SECRET not in bench.refused("notify", "--test", address)
    bench.write("spe.yaml", ONE + f"notify: {address}\n")
    assert SECRET not in bench.refused("run", "--detach")
    assert not (bench.folder / "runs").exists()


def test_a_one_liner_tells_and_is_told_of_again(bench: Bench, server: Server) -> None:
    book(bench, f"me: {server.url}/{SECRET}\n")
    bench.ok("run", "--notify", "done=me", "-p", "x=1", "--", "echo", "{{ x }}")
    bench.ok("run", "--fresh")
    assert server.events() == ["done", "done"]


def test_check_and_a_dry_run_tell_nobody(bench: Bench, server: Server) -> None:
    book(bench, f"me: {server.url}/{SECRET}\n")
    bench.write("spe.yaml", ONE + "notify: me\n")
    bench.ok("check")
    bench.ok("run", "--dry")
    assert server.tries == 0
