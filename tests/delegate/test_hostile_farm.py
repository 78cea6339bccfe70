"""The farm's account is taken over: nothing runs as its users but what they submitted, on hosts that they accepted."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import paramiko
import pytest
from spe.delegate import orders
from spe.errors import LaunchError
from spe.launch.ssh.config.lookup import SshConfig
from spe.launch.ssh.known_hosts import verify
from spe.model import Host
from spe.runner.wiring import launch_options
from waiting import wait_until

from .ada import EPOCH, HERE, JOB, PLACE, Ada
from .evil_gate import NO_ANSWERS, NO_NUMBERS, OTHER_NAMES, WRONG_NAMES, EvilGate, answer


def wrong_grants() -> Iterator[Any]:
    """Answers to `GET /grants` that are JSON, and not what a delegate may follow."""
    good = {"epoch": EPOCH, "number": 99, "tasks": {HERE: 2}, "slots": {HERE: 2}, "state": "running"}
    for jobs in ([], "x", 5, None, {str(JOB): []}, {str(JOB): None}, {str(JOB): "run"}):
        yield {"jobs": jobs}
    for word in good:
        yield {"jobs": {str(JOB): {**good, word: [["deep"]]}}}
    for word in ("epoch", "number"):
        yield {"jobs": {str(JOB): {key: value for key, value in good.items() if key != word}}}
        for value in NO_NUMBERS:
            yield {"jobs": {str(JOB): {**good, word: value}}}
    for value in NO_NUMBERS:
        yield {"jobs": {str(JOB): {**good, "tasks": {HERE: value}}}}
        yield {"jobs": {str(JOB): {**good, "slots": {HERE: value}}}}
    for name in WRONG_NAMES:
        yield {"jobs": {str(JOB): {**good, "tasks": {HERE: 2, name: 2}}}}
        yield {"jobs": {str(JOB): {**good, "slots": {name: 2}}}}
    yield {"jobs": {str(JOB): {**good, "epoch": EPOCH - 1}}}
    # Jobs that were not submitted here, and orders that are none.
    yield {"jobs": {"8": {**good, "do": "run", "words": ["run", "-p", "x=1"], "cwd": "/"}, "../7": good, "-1": good}}
    yield {"do": "run", "run": "touch evil", "jobs": {}}


def test_whatever_the_farm_answers_the_delegate_lives_and_its_job_goes_on(
    ada: Ada, gate: EvilGate, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("spe").propagate = True
    gate.answers["/report"] = answer({})
    ada.submit()
    delegate = ada.delegate()
    ada.grant(1, {HERE: 2})

    def is_up() -> bool:
        delegate._one_turn()
        return gate.asked[-1][1] == "/report" and gate.asked[-1][2]["jobs"][str(JOB)]["out"] == {HERE: 2}

    wait_until(is_up, "two tasks run", story=lambda: caplog.text)
    assert ada.in_force == (EPOCH, 1)
    reports = len(gate.asked)
    for name, wrong in {**NO_ANSWERS, **{str(one): answer(one) for one in wrong_grants()}}.items():
        gate.answers["/grants"] = wrong
        delegate._one_turn()
        assert gate.asked[-1][1].startswith("/grants?"), f"nothing was told to the master: {name}"
    assert len(gate.asked) > reports + 100
    assert not [one for one in caplog.records if one.exc_info], "each was expected"
    assert all(one.isprintable() for one in caplog.messages)
    # A report that is answered with nonsense, too.
    ada.grant(2, {HERE: 1})
    for wrong in (
        NO_ANSWERS["redirect"],
        NO_ANSWERS["deep"],
        answer({"unknown": {"x": "run"}}),
        answer({"jobs": "\x1b"}),
    ):
        gate.answers["/report"] = wrong
        delegate._one_turn()
        assert ada.in_force == (EPOCH, 2)
    ada.grant(3, {HERE: 2}, do="stop", line="root@evil", python="/tmp/evil", now=True)
    gate.answers["/report"] = answer({})
    delegate._one_turn()
    assert ada.in_force == (EPOCH, 3), "words that are none are not passed on"
    (ada.root / "gate").touch()

    def is_over() -> bool:
        delegate._one_turn()
        return not delegate._masters

    wait_until(is_over, "the job ends", story=lambda: caplog.text)
    assert (ada.runs / "results.csv").read_text().count("\n") == 4
    assert ada.ssh_was_told == []
    assert orders.load(gate.farm, PLACE) == []


def test_clients_are_started_on_accepted_names_alone_and_the_farm_is_told_of_the_others(
    ada: Ada, gate: EvilGate
) -> None:
    gate.answers["/report"] = answer({})
    ada.submit()
    delegate = ada.delegate()
    ada.grant(1, dict.fromkeys(("lab01", "lab-2", *OTHER_NAMES), 1))

    def told() -> dict[str, str]:
        delegate._one_turn()
        found = gate.asked[-1][2]["jobs"][str(JOB)]["faults"] if gate.asked[-1][1] == "/report" else {}
        return found if {"lab01", "lab-2"} <= set(found) else {}

    faults = wait_until(told, "her ssh was asked for both")
    refused = {name for name, why in faults.items() if "has not accepted" in why}
    assert refused == set(OTHER_NAMES)
    # `ssh -G … -- NAME`: what does not begin with a hyphen is a name, and `x` asks for ssh's defaults.
    names = {word for word in ada.ssh_was_told if not word.startswith("-")} - {"x", os.devnull}
    assert names == {"lab01", "lab-2"}, ada.ssh_was_told


def test_an_order_of_another_farm_is_no_order_of_this_one(ada: Ada, gate: EvilGate) -> None:
    ada.submit(farm=f"{gate.farm}-8")
    assert ada.delegate()._masters == {}, "the file's name begins with the ID of this farm"


def test_the_key_of_a_host_that_a_farm_names_must_be_recorded_whatever_the_user_says_of_others(
    ada: Ada, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile {tmp_path}/known\n")
    target = SshConfig(config).target(Host("lab01"))
    key = paramiko.ECDSAKey.generate()
    with pytest.raises(LaunchError) as refused:
        verify(target, key, [], accept_new=True, recorded_only=True)
    assert "--accept-new" not in refused.value.todo and "StrictHostKeyChecking=ask" in refused.value.todo
    assert not (tmp_path / "known").exists()
    verify(target, key, [], accept_new=True)


@pytest.mark.parametrize("granted", [False, True])
def test_a_job_of_a_farm_takes_recorded_keys_alone(tmp_path: Path, granted: bool) -> None:
    options = SimpleNamespace(granted=granted, ssh_config=None, accept_new_host_keys=True, early=None)
    sweep = SimpleNamespace(config=SimpleNamespace(grace=1.0), software=SimpleNamespace(longest=0.0))
    progress = SimpleNamespace(warn=print)
    context = SimpleNamespace(options=options, sweep=sweep, folder=tmp_path, progress=progress)
    assert launch_options(cast(Any, context)).recorded_keys_only is granted
