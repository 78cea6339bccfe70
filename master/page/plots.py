"""Plots that have an address of their own: the one of the results page as a file, and plots of many
columns, which plotly draws.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aiohttp import web

from ..errors import UsageError
from ..plot import many
from ..plot.csv_lines import csv_lines
from ..plot.svg import svg
from ..store.listing import Listing
from ..store.reader import Reader
from .beside import one_of_pair
from .downloads import saved_as
from .table_query import Wish
from .views import View, Views

# Plotly makes functions and styles of its own. So this one page allows both, and is put into a sandbox:
# for the browser it is no part of this site, and reads nothing else of it.
LOOSER = (
    "sandbox allow-scripts allow-forms allow-downloads; default-src 'none'; script-src 'self' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


class Plots:
    """The requests under /plot. Lives as long as its page."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def routes(self) -> dict[str, View]:
        """Return the handlers by path."""
        return {
            "/plot.svg": self.svg,
            "/plot.csv": self.csv,
            "/many": self.many,
            "/plotly.js": self.plotly,
        }

    async def many(self, request: web.Request) -> web.StreamResponse:
        """Show many columns at once."""
        form = next((one for one in many.ManyForm if one == request.query.get("form")), many.ManyForm.MATRIX)
        wish = Wish.of_results(request.query)
        by = wish.asked.by
        named = request.query.getall("column", [])

        def work(reader: Reader) -> dict[str, Any]:
            listing = Listing(reader)
            columns = many.offered(listing)
            chosen = named or columns[: many.COLUMNS]
            found: dict[str, Any] = {"columns": columns, "chosen": chosen, "figure": "", "count": 0, "fault": ""}
            found |= {"parameters": listing.parameters, "results": listing.results}
            try:
                many.script()
                figure, found["count"] = many.drawn(listing, form, chosen, by, wish.filter(listing))
                # A data block of HTML ends at `</script`, wherever that stands.
                found["figure"] = json.dumps(figure).replace("<", "\\u003c")
            except UsageError as error:
                found["fault"] = error.line
            return found

        found = await self._views.ask(work)
        status = 400 if found["fault"] else 200
        forms = many.MANY_FORMS
        page = await self._views.page(request, "many", status, **found, form=form, forms=forms, by=by, wish=wish)
        page.headers["Content-Security-Policy"] = LOOSER
        return page

    async def plotly(self, request: web.Request) -> web.StreamResponse:
        """Send plotly's JavaScript. Raises UsageError where it is not installed."""
        kept = {"Content-Type": "text/javascript", "Cache-Control": "private, max-age=3600"}
        return web.FileResponse(many.script(), headers=kept)

    async def svg(self, request: web.Request) -> web.StreamResponse:
        """Send the plot as an SVG file."""
        return await self._saved(request, "svg")

    async def csv(self, request: web.Request) -> web.StreamResponse:
        """Send the numbers that are drawn."""
        return await self._saved(request, "csv")

    async def _saved(self, request: web.Request, kind: str) -> web.StreamResponse:
        """Send what is asked for. Raises UsageError where it cannot be drawn."""
        wish = Wish.of_results(request.query)
        is_other = request.query.get("of") == "beside"

        def work(reader: Reader) -> Any:
            figure = wish.figure(Listing(reader))
            figure = one_of_pair(reader.folder, wish, figure, self._views.named, is_other)
            if figure is None:
                return None
            made = svg(figure, saved=True).encode() if kind == "svg" else b"".join(csv_lines(figure))
            return made, figure.asked.title

        found = await self._views.ask(work)
        if found is None:
            return await self._views.page(request, "missing", status=404, sentence="no set has a row yet")
        made, title = found
        types = {"svg": "image/svg+xml", "csv": "text/csv; charset=utf-8"}
        # A run of another folder is named by its path.
        name = Path(wish.beside).name if is_other else self._views.life.name
        return web.Response(body=made, headers=saved_as(f"{name} {title}.{kind}", types[kind]))
