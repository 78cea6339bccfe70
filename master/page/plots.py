"""Plots of the page that are saved: the figure that is shown, as a file of its own."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ..plot.csv_lines import csv_lines
from ..plot.svg import svg
from ..store.listing import Listing
from ..store.reader import Reader
from .downloads import saved_as
from .table_query import Wish
from .views import View, Views


class Plots:
    """The requests under /plot. Lives as long as its page."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def routes(self) -> dict[str, View]:
        """Return the handlers by path."""
        return {"/plot.svg": self.svg, "/plot.csv": self.csv}

    async def svg(self, request: web.Request) -> web.StreamResponse:
        """Send the plot as an SVG file."""
        return await self._saved(request, "svg")

    async def csv(self, request: web.Request) -> web.StreamResponse:
        """Send the numbers that are drawn."""
        return await self._saved(request, "csv")

    async def _saved(self, request: web.Request, kind: str) -> web.StreamResponse:
        """Send what is asked for. Raises UsageError where it cannot be drawn."""
        wish = Wish.of_results(request.query)

        def work(reader: Reader) -> Any:
            figure = wish.figure(Listing(reader))
            if figure is None:
                return None
            made = svg(figure, saved=True).encode() if kind == "svg" else b"".join(csv_lines(figure))
            return made, figure.asked.title

        found = await self._views.ask(work)
        if found is None:
            return await self._views.page(request, "missing", status=404, sentence="no set has a row yet")
        made, title = found
        types = {"svg": "image/svg+xml", "csv": "text/csv; charset=utf-8"}
        return web.Response(body=made, headers=saved_as(f"{self._views.life.name} {title}.{kind}", types[kind]))
