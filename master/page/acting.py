"""`POST /act` on the page's listener, with the acting token: a verb as JSON comes in, one sentence goes back."""

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
    """Obeys whoever has the token."""

    def __init__(self, acts: Acts, token: str) -> None:
        self._acts, self._token = acts, token.encode()

    async def answer(self, request: web.Request) -> web.Response:
        """POST /act."""
        given = request.query.get("token", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._token):
            self.turned_away(request)
            return _said(403, error="this needs the acting token, which stands in runs/<name>/session/ (mode 0600)")
        try:
            return _said(200, said=await self._acts.do(_order(await request.read())))
        except SpeError as error:
            return _said(409 if isinstance(error, UsageError) else 400, error=error.line)

    def turned_away(self, request: web.Request) -> None:
        """Who may not act, and tried to, is remembered."""
        if request.path == "/act":
            log.warning("somebody at %s wanted to act without the acting token", request.remote)


def _order(body: bytes) -> dict[str, Any]:
    try:
        order = read_json(body)
    except ValueError as error:
        raise SpeError("the body is not JSON", todo='It is like {"do": "pause"}.') from error
    if not isinstance(order, dict):
        raise SpeError("the body is not a JSON object", todo='It is like {"do": "pause"}.')
    return order


def _said(status: int, **body: str) -> web.Response:
    return web.Response(
        status=status, text=json.dumps(body, ensure_ascii=False) + "\n", content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )  # fmt: skip
