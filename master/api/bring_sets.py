"""Sets for a sweep that runs, brought to its master by another process on its machine.

The requests are described in page/adding.py.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..record import record
from ..session.calling import find
from ..session.detached import holder_of_lock
from ..session.living import living
from ..sweep.checks.likeness import facts
from ..sweep.sweep import Sweep

CHUNK = 1000  # sets in one request
PAUSE = 0.2  # seconds between two looks


class Ended(Exception):
    """Raised when the run takes no sets any more, or is gone."""


@record
class AddedSets:
    """The number of sets that were added, were there already, or were finished by another program."""

    added: int
    there: int
    others: int


def add_sets(folder: Path, sweep: Sweep, hosts: str | None) -> AddedSets:
    """Bring all sets of a sweep to the run that goes on in its folder.

    `hosts`: the option --hosts. Raises Ended, and UsageError where more than the parameters differs.
    """
    known = facts(sweep, hosts)
    names = list(sweep.parameters.names)
    added = there = others = 0
    for sets, is_last in _chunks(sweep):
        end = _end(sweep) if is_last else None
        said = _ask(folder, {"facts": known, "names": names, "sets": sets, "end": end})
        added += said["added"]
        there += said["there"]
        others += said["others"]
    return AddedSets(added, there, others)


def _chunks(sweep: Sweep) -> Iterator[tuple[list[list[str]], bool]]:
    """Yield the values of sets, many at once, and whether they are the last ones."""
    rows = (list(one.values.values()) for one in sweep.parameters)
    chunk = list(islice(rows, CHUNK))
    while chunk:
        following = list(islice(rows, CHUNK))
        yield chunk, not following
        chunk = following


def _end(sweep: Sweep) -> dict[str, Any]:
    census = sweep.parameters.check()
    return {
        "line": sweep.line.as_json() if sweep.line else "null",
        "plan_digest": sweep.plan_digest(),
        "parameters": sweep.parameters.digest().hex(),
        "numeric": list(census.numeric),
    }


def _ask(folder: Path, body: Mapping[str, Any]) -> dict[str, Any]:
    """Bring one request, as soon as the run has read its own sets; return the answer."""
    while True:
        status, said = _post(folder, body)
        if status == 503:
            time.sleep(PAUSE)
            continue
        if status == 410:
            raise Ended
        if status == 409:
            raise _differs(folder, said["differs"])
        if status != 200:
            raise UsageError(str(said.get("error", status)), where=str(folder))
        return said


def _post(folder: Path, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Send one request; return the status and the JSON of the answer. Raises Ended."""
    if living(folder) is None:
        raise Ended
    try:
        place = find(folder)
        connection = place.connect()
        connection.request("POST", f"/sets?token={place.acting_token()}", json.dumps(body))
        answer = connection.getresponse()
        said = json.loads(answer.read())
        connection.close()
    except (OSError, ValueError, KeyError, UsageError, http.client.HTTPException) as error:
        # The end of a run, or of its process, closes the connection: a moment later it is gone.
        if _is_gone(folder):
            raise Ended from error
        what = f"the master does not answer: {error}"
        raise UsageError(what, where=str(folder), todo="See master.log there.") from error
    return answer.status, said


def _is_gone(folder: Path, patience: float = 10.0) -> bool:
    """Tell whether no run goes on any more, or will a moment from now."""
    end = time.monotonic() + patience
    while living(folder) is not None:
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE)
    return True


def _differs(folder: Path, words: list[str]) -> UsageError:
    """Return the error for a command that would change more than the parameters."""
    differ = "differs" if len(words) == 1 else "differ"
    return UsageError(
        f"{' and '.join([', '.join(words[:-1]), words[-1]] if words[1:] else words)} {differ} "
        "from the sweep that runs, and only the parameters may",
        where=str(folder),
        todo="Give the rest as it was, or wait until the run has ended.",
    )


def wait_for_end(folder: Path) -> None:
    """Return when no run has this folder any more, not even one that is only just ending."""
    while living(folder) is not None or holder_of_lock(folder):
        time.sleep(PAUSE)
