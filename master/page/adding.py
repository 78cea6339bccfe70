"""`POST /sets` on the page's listener, with the acting token: sets for a sweep that runs.

The body is a JSON object:

    facts    what the command that adds them knows of its sweep, see sweep/checks/likeness.py
    names    the parameters
    sets     a list of lists: the values of each set, in the order of the names
    end      null, or with the last sets what store/decisions.py keeps of the command: line,
             plan_digest, parameters, numeric

The answer is a JSON object as well. 200: `added`, `there`, `others`, numbers of sets. 409: `differs`, a
list of words, where not only the parameters differ. 410: the run is ending. 503: the sets are still
being read. 400 and 403: `error`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web

from ..errors import SpeError
from ..record import record
from ..store.decisions import Added, Adder
from .acting import NO_ACTING_TOKEN, Acting, json_answer, read_request

MOST = 10_000  # sets in one request


class Ending(Exception):
    """Raised when sets are to be added to a run that hands out nothing more."""


class NotRead(Exception):
    """Raised when sets are to be added to a run that still reads its own."""


class Differs(Exception):
    """Raised when more than the parameters differs; `what` names it."""

    def __init__(self, what: list[str]) -> None:
        super().__init__(", ".join(what))
        self.what = what


@record
class Offered:
    """Sets that somebody wants to add. `end`: they are the last ones of that command."""

    facts: Mapping[str, str]
    sets: tuple[Mapping[str, str], ...]
    end: Adder | None


class Additions(Protocol):
    """The part of a run that takes sets."""

    async def add(self, offered: Offered) -> Added:
        """Store these sets and have them handed out. Raises Ending, NotRead, Differs."""


class Adding:
    """The door for new sets. It opens when the run has begun to hand out."""

    def __init__(self, acting: Acting) -> None:
        self._acting = acting
        self._additions: Additions | None = None

    def begin(self, additions: Additions) -> None:
        """Take sets from now on."""
        self._additions = additions

    async def answer(self, request: web.Request) -> web.Response:
        """Answer `POST /sets`, see the head of this file."""
        if not self._acting.may_act(request):
            return json_answer(403, error=NO_ACTING_TOKEN)
        try:
            offered = _offered(read_request(await request.read()))
            if self._additions is None:
                raise NotRead
            added = await self._additions.add(offered)
        except Differs as error:
            return json_answer(409, differs=error.what)
        except Ending:
            return json_answer(410, error="the run is ending")
        except NotRead:
            return json_answer(503, error="the sets are still being read")
        except SpeError as error:
            return json_answer(400, error=error.line)
        came = sum(added.came.values())
        return json_answer(200, added=came, there=added.there, others=added.others)


def _offered(asked: Mapping[str, Any]) -> Offered:
    """Return the sets of a request. Raises SpeError for what is none."""
    try:
        facts, names, sets, end = (asked[key] for key in ("facts", "names", "sets", "end"))
        if not all(map(_are_texts, [[*facts.keys(), *facts.values()], names, *sets])):
            raise TypeError("there are values that are no texts")
        if len(sets) > MOST:
            raise ValueError(f"at most {MOST} sets come in one request")
        found = tuple(dict(zip(names, cells, strict=True)) for cells in sets)
        return Offered(facts, found, _adder(end) if end is not None else None)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpeError(f"these are no sets: {error!r}") from error


def _adder(end: Mapping[str, Any]) -> Adder:
    line, plan_digest, parameters = end["line"], end["plan_digest"], end["parameters"]
    if not _are_texts([line, plan_digest, parameters, *end["numeric"]]):
        raise TypeError("there are values that are no texts")
    return Adder(line, plan_digest, parameters, tuple(end["numeric"]))


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(one, str) for one in values)
