"""docs/farm.md: its commands, typed by a second user and by the account that runs the farm."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pool.service.people import ADA, FARM, Town, town
from waiting import wait_until

PAGE = Path(__file__).resolve().parents[2] / "docs" / "farm.md"
JOB = "17"  # the number of a job, on the page
#: As in a folder of hers: one set that is soon over, and one job that lasts.
SOON, LONG = "echo k", "sleep 300"


def section(title: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    return re.split(r"\n##+ ", text.split(f" {title}\n", 1)[1])[0]


def blocks(title: str) -> list[list[str]]:
    """The words of each `spe …` in the code blocks of a section."""
    lines = [line.strip() for line in section(title).splitlines() if line.startswith("    ")]
    found = [line.removeprefix(".venv/bin/") for line in lines if re.match(r"(\.venv/bin/)?spe ", line)]
    return [shlex.split(line, comments=True)[1:] for line in found]


def in_table(title: str) -> list[list[str]]:
    """The words of each `spe …` in the first column of a section's table."""
    cells = [line.split(" | ")[0] for line in section(title).splitlines() if line.startswith("| `spe")]
    return [shlex.split(one)[1:] for cell in cells for one in re.findall(r"`([^`]+)`", cell)]


def test_each_message_of_the_page_is_one_of_the_program() -> None:
    sources = " ".join(path.read_text() for path in (PAGE.parents[1] / "master").rglob("*.py"))
    messages = re.findall(r"^\| `([^`]+)` \|", section("When something is wrong"), re.MULTILINE)
    assert len(messages) > 9
    for message in messages:
        # Names and numbers are filled in: what stands between them is the program's.
        parts = re.split(r"'farm'|\bNAME\b|\bHOST: |\bN\b|0\.2", message)
        missing = [part.strip(" ,") for part in parts if part.strip(" ,") not in sources]
        assert missing == [], message


@pytest.fixture
def place() -> Iterator[Town]:
    with town() as made:
        yield made


def typed(place: Town, who: str, folder: Path, words: list[str], *more: str) -> str:
    done = place.spe(who, folder, *words, *more)
    said = done.stdout + done.stderr
    assert done.returncode in (0, 1), (words, said)  # 1: this machine lets nobody in by ssh
    return said


@pytest.mark.slow
def test_the_commands_of_a_user_lead_to_a_finished_job_within_a_minute_and_steer_another_one(place: Town) -> None:
    place.farm()
    farm = ("--account", FARM, "--public", str(place.root / "public"), "--yes")
    folder = place.sweep(ADA, "pi", SOON, 20)
    began = time.monotonic()
    (join, submit) = blocks("Your first job")
    assert join[:2] == ["farm", "join"] and submit == ["submit"]
    assert "joined the farm" in typed(place, ADA, folder, ["farm", "join", "localhost"], *farm)
    assert "job 1: 20 sets" in typed(place, ADA, folder, submit)
    table = folder / "runs" / "pi" / "results.csv"
    wait_until(table.exists, "the job is finished", seconds=60, story=place.logs)
    assert time.monotonic() - began < 60
    lasting = place.submit(ADA, place.sweep(ADA, "lasting", LONG, 3))
    wait_until(lambda: place.jobs()[lasting]["slots"] == 3, "it has its slots", story=place.logs)
    commands = [words for words in in_table("Your jobs") if words[0] != "submit"]
    assert commands[-1] == ["jobs", "cancel", JOB]
    for words in commands:
        typed(place, ADA, folder, [str(lasting) if word == JOB else word for word in words])
    wait_until(lambda: place.jobs()[lasting]["state"] == "cancelled", "the last one ends it", story=place.logs)
    for words in blocks("Your hosts"):
        typed(place, ADA, folder, ["localhost" if word == "srv" else word for word in words])


@pytest.mark.slow
def test_the_commands_and_files_of_the_administrator_are_as_the_page_says(place: Town) -> None:
    home = place.root / f"home-{FARM}"
    files = {title: "\n".join(line[4:] for line in section(title).splitlines() if line.startswith("    "))
             for title in ("The hosts file", "The users file")}  # fmt: skip
    (home / "cluster.txt").write_text(f"localhost slots=4\n{files['The hosts file']}\n")
    (home / "users.txt").write_text(f"{FARM} admin\n{files['The users file']}\n")
    public = ("--public", str(place.root / "public"))
    commands = [words for title in ("Running a farm", "Day by day", "Backup") for words in blocks(title)]
    assert {words[1] for words in commands} == {"start", "stop", "status", "check", "hosts", "users", "log"}
    try:
        for words in commands:
            end = list(words) if words[1] == "log" else [*words, *public]
            said = typed(place, FARM, home, [word for word in end if word != "-f"])
            assert "Usage" not in said
    finally:
        place.spe(FARM, home, "farm", "stop", *public)
