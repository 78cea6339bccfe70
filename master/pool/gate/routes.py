"""What each path of the gate does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from ..members import Member, Members
from ..permissions import Verb, may
from .bodies import checked_job, host_names, job_number, read_body, whole
from .committing import commit
from .heart import Heart, Unfit
from .sign_up import SignUp
from .stream import send_stream

ACTS = ("cancel", "pause", "resume", "priority")  # all that a farm may order
HOST_ACTS = ("drain", "use", "bench", "free")  # hosts come and go by the hosts file alone
LONGEST_WAIT = 60  # seconds of a long poll


class Forbidden(Exception):
    """A user asks for what he may not do: one sentence."""


def member_of(request: web.Request) -> Member:
    """Return who sends this request, as the gate has found out."""
    member: Member = request["member"]
    return member


class Routes:
    """The paths of one gate. Each one checks whether its user may, then asks the heart."""

    def __init__(self, members: Members, heart: Heart, sign_up: SignUp) -> None:
        self._members, self._heart, self._sign_up = members, heart, sign_up

    def add_to(self, app: web.Application) -> None:
        """Add all paths to an application."""
        paths: list[tuple[str, str, Callable[[web.Request], Awaitable[Any]]]] = [
            ("POST", "/jobs", self._submit),
            ("GET", "/jobs", self._jobs),
            ("POST", "/jobs/{job}/{act}", self._act),
            ("GET", "/jobs/{job}/why", self._why),
            ("GET", "/grants", self._grants),
            ("POST", "/report", self._report),
            ("GET", "/hosts", self._hosts),
            ("POST", "/hosts", self._change_hosts),
            ("GET", "/users", self._users),
            ("POST", "/users", self._change_users),
            ("POST", "/leave", self._leave),
            ("GET", "/farm", self._farm),
        ]
        for method, path, ask in paths:
            app.router.add_route(method, path, _as_json(ask))
        # allow_head: by default a GET route answers HEAD, too, which would begin a stream.
        app.router.add_get("/stream", self._stream, allow_head=False)

    async def _submit(self, request: web.Request) -> Any:
        member = _allowed(request, Verb.SUBMIT, member_of(request).user.name)
        job = checked_job(await read_body(request))
        return await self._heart.submit(member.user, member.token.host, job)

    async def _jobs(self, request: web.Request) -> Any:
        return await self._heart.jobs(_allowed(request, Verb.LIST).user)

    async def _act(self, request: web.Request) -> Any:
        act = request.match_info["act"]
        job, member = self._job_of(request, Verb.ACT)
        if act not in ACTS:
            raise Unfit(f"a job can be told: {', '.join(ACTS)}")
        body = await read_body(request)
        about = {}
        if act == "priority":
            about = {"priority": whole("the priority", body.get("priority"), 0, 127)}
        return await self._heart.act(member.user, job, act, about)

    async def _why(self, request: web.Request) -> Any:
        job, member = self._job_of(request, Verb.WHY)
        return await self._heart.why(member.user, job)

    def _job_of(self, request: web.Request, verb: Verb) -> tuple[int, Member]:
        """Return the job of a path, and who may do this to it. Raises Forbidden, HTTPNotFound."""
        job = job_number(request.match_info["job"])
        owner = self._heart.owner_of(job)
        if owner is None:
            raise web.HTTPNotFound(text=f"there is no job {job}")
        return job, _allowed(request, verb, owner)

    async def _grants(self, request: web.Request) -> Any:
        member = _allowed(request, Verb.GRANTS, member_of(request).user.name)
        seen = _asked(request, "seen", 0, 2**53)
        wait = _asked(request, "wait", 0, LONGEST_WAIT)
        return await self._heart.grants(member.user, member.token.host, seen, wait)

    async def _report(self, request: web.Request) -> Any:
        member = _allowed(request, Verb.REPORT, member_of(request).user.name)
        report = await read_body(request)
        jobs = report.get("jobs", {})
        if not isinstance(jobs, dict):
            raise Unfit("`jobs` of a report is no object")
        for number in map(job_number, jobs):
            owner = self._heart.owner_of(number)
            # Unknown ones are the heart's: after a restore it learns of jobs by reports.
            if owner is not None:
                _allowed(request, Verb.REPORT, owner)
        return await self._heart.report(member.user, member.token.host, report)

    async def _hosts(self, request: web.Request) -> Any:
        return await self._heart.hosts(_allowed(request, Verb.HOSTS).user)

    async def _change_hosts(self, request: web.Request) -> Any:
        member = _allowed(request, Verb.CHANGE_HOSTS)
        body = await read_body(request)
        if body.get("do") not in HOST_ACTS:
            raise Unfit(f"`do` is one of {', '.join(HOST_ACTS)}")
        host_names("hosts", body.get("hosts"))
        return await self._heart.change_hosts(member.user, body)

    async def _farm(self, request: web.Request) -> Any:
        return await self._heart.status(_allowed(request, Verb.STATUS).user)

    async def _users(self, request: web.Request) -> Any:
        _allowed(request, Verb.USERS)
        return self._sign_up.listed()

    async def _change_users(self, request: web.Request) -> Any:
        _allowed(request, Verb.USERS)
        done = self._sign_up.change(await read_body(request))
        await commit(self._members, self._heart)
        return done

    async def _leave(self, request: web.Request) -> Any:
        ended = self._sign_up.leave(_allowed(request, Verb.LEAVE))
        await commit(self._members, self._heart)
        return ended

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        member = _allowed(request, Verb.STREAM)
        return await send_stream(
            request, self._heart.stream(member.user), lambda: self._members.stands(member.token)
        )


def _allowed(request: web.Request, verb: Verb, owner: str = "") -> Member:
    """Return the user of a request. Raises Forbidden."""
    member = member_of(request)
    if not may(member.user, verb, owner):
        whose = f" what belongs to {owner}" if owner not in ("", member.user.name) else ""
        if verb is Verb.SUBMIT:
            raise Forbidden(f"{member.user.name} is disabled in this farm")
        raise Forbidden(f"{member.user.name} may not {verb}{whose}")
    return member


def _asked(request: web.Request, word: str, least: int, most: int) -> int:
    """Return a whole number of the query, `least` without one. Raises Unfit."""
    given = request.query.get(word, str(least))
    is_number = given.isascii() and given.isdecimal() and len(given) <= 16
    return whole(f"`{word}`", int(given) if is_number else None, least, most)


def _as_json(
    ask: Callable[[web.Request], Awaitable[Any]],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response(await ask(request))

    return answer
