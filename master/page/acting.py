"""Answers `POST /act` on the page's listener: takes an act as JSON, returns one sentence.

The request needs the acting token. What an act does is desk/acts.py's business.
"""

from __future__ import annotations

import hmac
import json
import logging
from typing import Any

from aiohttp import web

from ..desk.acts import Acts
from ..desk.untrusted_json import read_json
from ..errors import SpeError, UsageError

log = logging.getLogger("spe.acts")


class Acting:
    """The route of acts. Obeys whoever has the acting token."""

    def __init__(self, acts: Acts, token: str) -> None:
        self._acts = acts
        self._token = token.encode()

    async def answer(self, request: web.Request) -> web.Response:
        """Do one act, and answer with what came of it."""
        given = request.query.get("token", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._token):
            self.turned_away(request)
            error = "this needs the acting token, which stands in runs/<name>/session/ (mode 0600)"
            return _said(403, error=error)
        try:
            return _said(200, said=await self._acts.do(_order(await request.read())))
        except UsageError as fault:
            return _said(409, error=fault.line)
        except SpeError as fault:
            return _said(400, error=fault.line)

    def turned_away(self, request: web.Request) -> None:
        """Log a try to act without the token: its owner should know."""
        if request.path == "/act":
            log.warning("somebody at %s wanted to act without the acting token", request.remote)


def _order(body: bytes) -> dict[str, Any]:
    """Return the act in a body. Raises SpeError for what is not a JSON object."""
    try:
        order = read_json(body)
    except ValueError as error:
        raise SpeError("the body is not JSON", todo='It is like {"do": "pause"}.') from error
    if not isinstance(order, dict):
        raise SpeError("the body is not a JSON object", todo='It is like {"do": "pause"}.')
    return order


def _said(status: int, **body: str) -> web.Response:
    """Return an answer as JSON."""
    return web.Response(
        status=status,
        text=json.dumps(body, ensure_ascii=False) + "\n",
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
