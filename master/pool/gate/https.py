"""The HTTPS gate: every request is checked, then a route answers it."""

from __future__ import annotations

import logging
import math
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from ...errors import SpeError
from ...version import __version__
from ...wire.server import Server, admit, answered
from ..members import Members, Refused
from .access import WrongVersion, check_version, token_of, version_of
from .bodies import LARGEST, read_body
from .committing import commit
from .heart import Heart, Paused, Unfit
from .limits import Limits, QuietLog, TooMany
from .routes import Forbidden, Routes
from .sign_up import SignUp

log = logging.getLogger("spe.farm")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
JOIN = "/join"  # the one path where a code stands in the place of a token
LONGEST_VERSION = 40  # characters of a version that are kept
NO_TOKEN = "no valid token: spe farm join"
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Gate:
    """The gate of one farm. Lives as long as the farm listens."""

    def __init__(
        self, members: Members, heart: Heart, clock: Callable[[], float] = time.time
    ) -> None:
        self._members, self._heart, self._clock = members, heart, clock
        self._sign_up = SignUp(members, clock)
        self.limits = Limits()
        self._quiet = QuietLog(log)
        self._heard: dict[tuple[str, str], tuple[str, float]] = {}
        app = web.Application(middlewares=[self._check], client_max_size=LARGEST)
        app.on_response_prepare.append(self._say)
        Routes(members, heart, self._sign_up).add_to(app)
        self._server = Server(app)

    def heard(self) -> list[dict[str, Any]]:
        """Return which user was heard from which host, by which version of spe, and when last."""
        return [
            {"user": user, "host": host, "spe": version, "heard": when}
            for (user, host), (version, when) in sorted(self._heard.items())
        ]

    @property
    def port(self) -> int:
        """Return the port on which the gate listens."""
        return self._server.port

    async def start(self, address: str | None, port: int, tls: ssl.SSLContext) -> None:
        """Listen; port 0 is a free one. Raises OSError when the port is in use."""
        await self._server.start(address, port, tls)

    async def stop(self) -> None:
        """Stop listening and close all connections."""
        await self._server.stop()

    async def _say(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(_HEADERS)

    @web.middleware
    async def _check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer what the handler answers, or why not."""
        token = token_of(request.headers.getall("Authorization", []))
        if token and request.path == JOIN and request.method == "POST":
            # The address stands for the user: a guesser of codes is slowed down.
            return await self._limited(request, f"join {request.remote}", self._join(token))
        member = self._members.bearer(token, self._clock()) if token else None
        if member is None:
            self._quiet.warn(
                str(request.remote), f"{request.remote}: {request.method} without a valid token"
            )
            return web.json_response({"error": NO_TOKEN}, status=403)
        admit(request)  # the connection is no newcomer any more
        request["member"] = member
        # As many as there are tokens. An old installation is needed as long as one speaks with it.
        agent = version_of(request.headers.get("User-Agent", ""))[:LONGEST_VERSION]
        self._heard[member.user.name, member.token.host] = agent, self._clock()
        answer = await self._limited(request, member.token.sha256, handler)
        if not answer.prepared:
            # Each answer says of which farm and epoch it is. Strangers are not told.
            answer.headers["Spe-Farm"] = f"{self._heart.farm} {self._heart.epoch}"
            answer.headers["Spe-Version"] = f"spe/{__version__}"
        return answer

    async def _limited(
        self, request: web.Request, key: str, handler: Handler
    ) -> web.StreamResponse:
        """Answer a request within the limits of its token."""
        try:
            with self.limits.one_request(key):
                return await answered(request, self._worded(handler))
        except TooMany as error:
            self._quiet.warn(key, f"{_name(request)}: {error.what}")
            return _refusal(429, error.what, pause=error.pause)

    def _worded(self, handler: Handler) -> Handler:
        """Return the handler with an answer for each way in which it may not answer."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                check_version(version_of(request.headers.get("User-Agent", "")))
                await commit(self._members, self._heart)  # a token that was renewed by this request
                return await handler(request)
            except Forbidden as error:
                who = _name(request)
                self._quiet.warn(who, f"{error} ({request.method} {request.path})")
                return _refusal(403, str(error))
            except Unfit as error:
                return _refusal(400, str(error))
            except Paused as paused:
                return _refusal(503, paused.what, pause=paused.pause)
            except web.HTTPException as error:
                return _refusal(error.status, error.text or error.reason)
            except WrongVersion as error:
                return _refusal(426, error.what, error.todo)
            except Refused as error:
                return _refusal(400, error.what, error.todo)
            except SpeError as error:
                return _refusal(400, error.line)

        return answer

    def _join(self, code: str) -> Handler:
        """Return the handler that takes a one-time code."""

        async def join(request: web.Request) -> web.StreamResponse:
            try:
                joined = self._sign_up.join(code, await read_body(request))
            except Refused as error:
                self._quiet.warn(str(request.remote), f"{request.remote}: {error.what}")
                return _refusal(403, error.what, error.todo)
            await commit(self._members, self._heart)
            log.info("%s has joined by a code from %s", joined["user"], request.remote)
            return web.json_response({**joined, "farm": self._heart.farm})

        return join


def _name(request: web.Request) -> str:
    member = request.get("member")
    return str(request.remote) if member is None else str(member.user.name)


def _refusal(status: int, what: str, todo: str = "", *, pause: float = 0.0) -> web.Response:
    """Return an answer that says why not, and for 429 and 503 when to ask again."""
    headers = {"Retry-After": str(max(1, math.ceil(pause)))} if pause else {}
    answer = {"error": what} | ({"todo": todo} if todo else {})
    return web.json_response(answer, status=status, headers=headers)
