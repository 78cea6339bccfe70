"""The report of a run: one HTML file that opens without a network.

It has no script, no link to another file and no font of its own, so that it looks the same in ten
years.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from ..results.table_files import result_cells, result_head
from ..text import counted, printable, seconds, set_counts
from .facts import facts_of
from .methods import methods, moment, part_name, versions
from .plots import distribution, result_plots

if TYPE_CHECKING:
    from ..store.reader import Reader

ROWS = 200  # of the table
CELL = 200  # characters of a cell
REASONS = 50  # reasons of failed sets


def html_report(reader: Reader, sweep_text: str = "") -> str:
    """Return the report of a run that is over. `sweep_text`: today's spe.yaml, if there is one."""
    from jinja2 import Environment, PackageLoader  # late: it takes as long to load as all else here

    facts = facts_of(reader)
    rows = list(islice(reader.rows(), ROWS))
    plots, notes = result_plots(reader, facts, rows)
    templates = Environment(
        loader=PackageLoader("spe.handin", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(seconds=seconds, moment=moment, printable=printable, part=part_name)
    counts = facts.statistics
    return templates.get_template("report.html").render(
        facts=facts,
        made=time.time(),
        counts=set_counts(
            counts.done,
            counts.total,
            counts.failed,
            counts.running,
            counts.waiting,
            cancelled=counts.cancelled,
        ),
        methods=methods(facts),
        versions=versions(facts),
        plots=plots,
        notes=notes,
        distribution=distribution(reader),
        head=result_head(reader.parameters, reader.results),
        rows=[_cells(result_cells(one, reader.parameters, reader.results)) for one in rows],
        cut=_cut(len(rows), facts.span.rows),
        failures=facts.failures[:REASONS],
        more_failures=len(facts.failures) - REASONS,
        sweep_text=sweep_text,
    )


def _cells(cells: Sequence[str]) -> list[str]:
    # Surrogates of names that are not UTF-8 cannot be written.
    shown = [one if len(one) <= CELL else one[: CELL - 1] + "…" for one in cells]
    return [one.encode("utf-8", "replace").decode() for one in shown]


def _cut(shown: int, rows: int) -> str:
    """Return the sentence about rows that are not in the report; "" where all are."""
    if shown == rows:
        return ""
    return f"These are the first {shown} of {counted(rows, 'row')}; results.csv has all of them."
