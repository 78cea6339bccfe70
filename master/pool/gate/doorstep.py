"""The Unix socket: the kernel names who comes, and he is given a token.

A request and its answer are one line of JSON each:
{"do": "join", "host": "lab07", "spe": "0.2.0"} → {"user": …, "token": …, and what farm.json says}.
{"do": "administer", "spe": "0.2.0"} → the same, for the account that runs the farm alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ...desk.untrusted_json import read_json
from ...errors import SpeError
from ..members import ADMINISTRATOR, Members, Refused
from .access import check_version
from .committing import commit
from .heart import Heart, Paused, Unfit
from .limits import QuietLog
from .peers import account_of, peer_uid
from .public_folder import SOCKET, PublicFolder

log = logging.getLogger("spe.farm")
MOST_OF_ONE = 4  # open connections of a uid
MOST_OF_ALL = 400  # of all uids: a container may have thousands
TIME = 5.0  # seconds that a connection may take
LONGEST = 4096  # bytes of a request
BACKLOG = 128


class Doorstep:
    """The socket of one farm."""

    def __init__(
        self,
        members: Members,
        heart: Heart,
        address: Callable[[], Mapping[str, Any]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """address: what farm.json says now."""
        self._members, self._heart, self._address, self._clock = members, heart, address, clock
        self._open: Counter[int] = Counter()
        self._server: asyncio.Server | None = None
        self._quiet = QuietLog(log)

    async def start(self, folder: PublicFolder) -> None:
        """Listen in this folder. Raises OSError."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        folder.remove(SOCKET)  # of a farm that was killed: the folder's lock says that it is gone
        listening.bind(folder.short_path(SOCKET))
        folder.open_to_all(SOCKET, 0o666)
        listening.setblocking(False)
        self._server = await asyncio.start_unix_server(
            self._serve, sock=listening, limit=LONGEST, backlog=BACKLOG
        )

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = -1
        try:
            uid = peer_uid(writer.get_extra_info("socket"))
            self._open[uid] += 1
            async with asyncio.timeout(TIME):
                answer = await self._checked_answer(uid, reader)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (TimeoutError, OSError):
            self._quiet.warn(
                str(uid), f"uid {uid} connected to the socket and was too slow or left"
            )
        finally:
            self._open[uid] -= 1
            if self._open[uid] <= 0:
                del self._open[uid]
            # What is not sent yet stays with the kernel; a peer that reads nothing is cut off.
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(TIME):
                    await writer.wait_closed()

    async def _checked_answer(self, uid: int, reader: asyncio.StreamReader) -> Mapping[str, Any]:
        """Return the answer to one connection; what is wrong with it is an answer, too."""
        try:
            if self._open[uid] > MOST_OF_ONE or self._open.total() > MOST_OF_ALL:
                raise Refused("too many connections at once", todo="Try again in a moment.")
            # Read in any case: what is left unread when a socket is closed resets the connection,
            # and the other end may lose the answer.
            request = await _request(reader)
            if request.get("do") == "administer":
                return self._administer(uid, request)
            account = await asyncio.to_thread(account_of, uid)
            user = self._members.welcome(account.name, uid, account.shell)
            return await self._answer(user.name, request)
        except SpeError as error:
            self._quiet.warn(str(uid), f"uid {uid} was refused at the socket: {error.what}")
            return {"error": error.what, "todo": error.todo}
        except Paused as paused:
            return {"error": paused.what, "todo": f"Try again in {paused.pause:.0f} s."}
        except Unfit as unfit:
            return {"error": str(unfit), "todo": ""}

    def _administer(self, uid: int, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the token of the administrator. Raises Refused for another account than our own.

        The farm's account could read and change everything here anyway.
        """
        check_version(str(request.get("spe", "")))
        if uid != os.geteuid():
            todo = "Type it as that account, or ask its administrator."
            raise Refused("only the account that runs the farm may do that", todo=todo)
        return {**self._address(), "user": ADMINISTRATOR, "token": self._members.own_token()}

    async def _answer(self, name: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        check_version(str(request.get("spe", "")))
        if request.get("do") != "join":
            raise Unfit("the farm's socket knows `join` and `administer`")
        token = self._members.issue(name, str(request.get("host", "")), self._clock())
        await commit(self._members, self._heart)
        log.info("%s has joined from %s", name, request["host"])
        return {**self._address(), "user": name, "token": token}


async def _request(reader: asyncio.StreamReader) -> dict[str, Any]:
    """Return the request. Raises Unfit."""
    try:
        found = read_json(await reader.readuntil(b"\n"))
    except asyncio.IncompleteReadError:
        raise Unfit("the request ended before its line did") from None
    except (asyncio.LimitOverrunError, ValueError):
        raise Unfit(f"the request is no line of JSON of at most {LONGEST} bytes") from None
    if not isinstance(found, dict):
        raise Unfit("the request is no JSON object")
    return found
