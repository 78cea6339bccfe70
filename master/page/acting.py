"""`POST /act` on the page's listener, with the acting token: a verb as JSON comes in, one sentence goes back."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from ..desk.acts import Acts, Allowed
from ..desk.untrusted_json import read_json
from ..errors import SpeError, UsageError

log = logging.getLogger("spe.acts")
MOST_TASKS = 100_000  # numbers in one request
LONGEST = 10_000  # characters of a host's name or line
LIKE = 'It is like {"do": "pause"}.'
NO_ACTING_TOKEN = (
    "this needs the acting token, which stands in runs/<name>/session/ (mode 0600)"
)
Request = Mapping[str, Any]

VERBS: dict[str, Callable[[Acts, Request], Awaitable[object]]] = {
    "pause": lambda acts, asked: acts.pause(),
    "resume": lambda acts, asked: acts.resume(),
    "stop": lambda acts, asked: acts.stop(asked.get("now") is True),
    "retry": lambda acts, asked: acts.retry(
        None if asked.get("tasks") is None else _numbers(asked)
    ),
    "cancel": lambda acts, asked: acts.cancel(_numbers(asked)),
    "drain": lambda acts, asked: acts.drain(_text(asked, "host")),
    "bench": lambda acts, asked: acts.bench(_text(asked, "host")),
    "use": lambda acts, asked: acts.use_again(_text(asked, "host")),
    "allow": lambda acts, asked: acts.allow(_allowed(asked)),
    "add": lambda acts, asked: acts.add(_text(asked, "line")),
    "pause_task": lambda acts, asked: acts.pause_tasks(_numbers(asked)),
    "resume_task": lambda acts, asked: acts.resume_tasks(_numbers(asked)),
}


async def carry_out(acts: Acts, asked: Request) -> object:
    """Do what a request asks for, and return a sentence about it; for `allow` the report to the farm.

    Raises UsageError for what cannot be done now, and another SpeError for what is no request.
    """
    verb = asked.get("do")
    if not isinstance(verb, str) or verb not in VERBS:
        raise SpeError(f"there is no verb {verb!r}", todo=f"There are {', '.join(VERBS)}.")
    return await VERBS[verb](acts, asked)


class Acting:
    """The door to the verbs of one run: it opens for the acting token alone."""

    def __init__(self, acts: Acts, token: str) -> None:
        self._acts, self._token = acts, token.encode()

    async def answer(self, request: web.Request) -> web.Response:
        """Answer `POST /act`: 200 with a sentence, 400 no such request, 403 no token, 409 not possible now."""
        if not self.may_act(request):
            return json_answer(403, error=NO_ACTING_TOKEN)
        try:
            asked = read_request(await request.read())
            return json_answer(200, said=await carry_out(self._acts, asked))
        except UsageError as error:
            return json_answer(409, error=error.line)
        except SpeError as error:
            return json_answer(400, error=error.line)

    def may_act(self, request: web.Request) -> bool:
        """Tell whether a request has the acting token; one without it is logged."""
        given = request.query.get("token", "").encode("utf-8", "replace")
        if hmac.compare_digest(given, self._token):
            return True
        self.turned_away(request)
        return False

    def turned_away(self, request: web.Request) -> None:
        """Log that somebody without the acting token tried to act."""
        if request.path in ("/act", "/sets"):
            log.warning("somebody at %s wanted to act without the acting token", request.remote)


def read_request(body: bytes) -> Request:
    """Return the JSON object of a request. Raises SpeError."""
    try:
        asked = read_json(body)
    except ValueError as error:
        raise SpeError("the body is not JSON", todo=LIKE) from error
    if not isinstance(asked, dict):
        raise SpeError("the body is not a JSON object", todo=LIKE)
    return asked


def _numbers(asked: Request) -> list[int]:
    given = asked.get("tasks")
    if not isinstance(given, list) or not given or len(given) > MOST_TASKS:
        raise SpeError("`tasks` is to be a list of numbers")
    # `type`, not `isinstance`: JSON's true is an int of Python, and would cancel set 1.
    if not all(type(number) is int and 0 < number < 2**62 for number in given):
        raise SpeError("`tasks` is to be a list of numbers from 1")
    return list(dict.fromkeys(given))


def _count(asked: Request, key: str) -> int:
    given = asked.get(key)
    if type(given) is not int or not 0 <= given < 2**62:
        raise SpeError(f"`{key}` is to be a number from 0")
    return given


def _counts(asked: Request, key: str) -> dict[str, int]:
    given = asked.get(key)
    if not isinstance(given, dict) or len(given) > MOST_TASKS:
        raise SpeError(f"`{key}` is to be an object of hosts with numbers")
    return {host: _count(given, host) for host in given}


def _allowed(asked: Request) -> Allowed:
    """Return the grant of a request. Raises SpeError."""
    machines, taken = asked.get("machines", {}), asked.get("taken")
    if not isinstance(machines, dict) or not all(isinstance(one, str) for one in machines.values()):
        raise SpeError("`machines` is to be an object of hosts with texts")
    if taken is not None:
        if not isinstance(taken, list) or len(taken) != 2:
            raise SpeError("`taken` is to be a pair of numbers")
        taken = (_count({"taken": taken[0]}, "taken"), _count({"taken": taken[1]}, "taken"))
    return Allowed(
        _count(asked, "epoch"),
        _count(asked, "number"),
        _counts(asked, "tasks"),
        _counts(asked, "slots"),
        machines,
        taken,
    )


def _text(asked: Request, key: str) -> str:
    given = asked.get(key)
    if not isinstance(given, str) or not given.strip() or len(given) > LONGEST:
        raise SpeError(f"`{key}` is missing")
    return given.strip()


def json_answer(status: int, **body: object) -> web.Response:
    """Return an answer whose body is a JSON object."""
    return web.Response(
        status=status,
        text=json.dumps(body, ensure_ascii=False) + "\n",
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
