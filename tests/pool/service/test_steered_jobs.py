"""A running job has two ways to it, its farm and its own master: they do not fight."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from waiting import wait_until

from .people import ADA, BEN, Town, town

pytestmark = pytest.mark.slow
PROGRAM = "sleep 0.3; id -un"


@pytest.fixture
def place() -> Iterator[Town]:
    with town() as made:
        yield made


def test_a_job_that_is_paused_and_stopped_by_its_number_is_shown_so_by_its_farm(place: Town) -> None:
    place.farm()
    folder = place.sweep(ADA, "ada", PROGRAM, 400)
    job = place.submit(ADA, folder)
    home = place.root / f"home-{ADA}"

    def by_job(*words: str, who: str = ADA) -> tuple[int, str]:
        done = place.spe(who, place.root / f"home-{who}", *words, "--job", str(job))
        return done.returncode, done.stdout + done.stderr

    wait_until(lambda: place.jobs()[job]["done"] > 2, "it runs", seconds=60, story=place.logs)
    assert by_job("pause")[0] == 0
    wait_until(lambda: place.jobs()[job]["state"] == "paused", "its farm says so", story=place.logs)
    done = place.spe(ADA, home, "jobs", "resume", str(job))
    assert f"spe resume --job {job}" in done.stderr, done
    place.join(BEN)
    code, said = by_job("status", who=BEN)
    assert code == 2 and f"job {job}: it belongs to {ADA}" in said
    assert by_job("resume")[0] == 0
    wait_until(lambda: place.jobs()[job]["state"] == "running", "it goes on", story=place.logs)

    assert place.spe(ADA, home, "jobs", "pause", str(job)).returncode == 0
    code, said = by_job("resume")
    assert code == 2 and "the sweep is not paused" in said and "spe jobs resume" in said
    assert place.spe(ADA, home, "jobs", "resume", str(job)).returncode == 0

    assert by_job("stop")[0] == 0
    wait_until(lambda: place.jobs()[job]["state"] == "finished", "the job is over", seconds=60, story=place.logs)
    assert 0 < place.jobs()[job]["done"] < 400
    code, said = by_job("results")
    assert code == 0 and ADA in said, "its results are found by its number"
    assert by_job("retry")[0] == 2
