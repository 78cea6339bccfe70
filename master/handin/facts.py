"""What a report and a zip say of a run, read from its database. spe.yaml may have changed since."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..model import ResultSpec
from ..record import record
from ..store.history import provenance
from ..store.history.provenance import HostShare, ParameterRange, ProgramShare, Span

if TYPE_CHECKING:
    from ..store.reader import Reader
    from ..store.statistics import FailureGroup, Statistics

MOST_PARAMETERS = 20  # whose values are looked at: each takes a second of a million sets
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)


@record
class Facts:
    """A run in facts; made once, nothing of it changes."""

    name: str
    statistics: Statistics
    span: Span
    hosts: Sequence[HostShare]
    programs: Sequence[ProgramShare]
    parameters: Sequence[ParameterRange]
    more_parameters: int
    command: str  # as people write it; "": not stored
    shell: bool
    environment: Mapping[str, str]
    results: Sequence[ResultSpec]
    failures: Sequence[FailureGroup]
    version: str  # of the spe that ran the sweep; "": not stored
    worker: str = ""  # name of the worker; "" where there is none


def facts_of(reader: Reader) -> Facts:
    """Return the facts of a run that is over."""
    kept = json.loads(provenance.command(reader) or "{}")
    names = reader.parameters[:MOST_PARAMETERS]
    newest = reader.specs().get(int(provenance.newest_results(reader) or 0), ())
    return Facts(
        name=reader.folder.name,
        statistics=reader.statistics(),
        span=provenance.span(reader),
        hosts=provenance.hosts(reader),
        programs=provenance.programs(reader),
        parameters=[provenance.parameter_range(reader, name) for name in names],
        more_parameters=len(reader.parameters) - len(names),
        command=as_people_write_it(kept.get("words", ()), bool(kept.get("shell"))),
        shell=bool(kept.get("shell")),
        environment=kept.get("env", {}),
        results=sorted(
            (one for one in newest if one.name in reader.results),
            key=lambda one: reader.results.index(one.name),
        ),
        failures=reader.failure_groups(),
        version=provenance.version(reader),
        worker=kept.get("worker") or "",
    )


def as_people_write_it(words: Sequence[str], shell: bool) -> str:
    """Return the patterns of a command as one line; words with blanks are quoted."""
    if shell:
        return " ".join(words)
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    # Blanks within an expression do not end a word, as in spe.yaml.
    outside = _EXPRESSION.sub("", word)
    if word and not re.search(r"[\s'\"\\]", outside):
        return word
    doubled = word.replace("'", "'\"'\"'")
    return f"'{doubled}'"
