"""Sentences about a run: what was done, and how to repeat it."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Mapping

from ..model import Kind, ResultSpec
from ..store.history.provenance import ParameterRange
from ..text import counted, named, printable, seconds
from ..version import __version__
from .facts import Facts

_READ = {
    Kind.INT: "as a whole number",
    Kind.FLOAT: "as a number",
    Kind.TEXT: "as text",
    Kind.JSON: "as JSON",
    Kind.FILE: "as a file",
    Kind.FILES: "as files",
    Kind.FOLDER: "as a folder of files",
}
_MOST = 10  # hosts, results or parameters that a sentence names


def moment(when: float) -> str:
    """Return a time with its zone: a report is read elsewhere."""
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(when)).strip()


def methods(facts: Facts) -> str:
    """Return the paragraph for a paper or a thesis: program, parameters, hosts, times, numbers."""
    return " ".join(_methods(facts))


def _methods(facts: Facts) -> Iterator[str]:
    counts = facts.statistics
    what = f"One program was run for each of {counted(counts.total, 'parameter set')}"
    if facts.command:
        how = ", read by a shell" if facts.shell else ""
        yield f"{what}, by the command “{printable(facts.command)}”{how}."
    else:
        yield f"{what}."
    if facts.environment:
        given = ", ".join(f"{name}={value}" for name, value in facts.environment.items())
        yield f"Its environment had {printable(given)}."
    yield from _programs(facts)
    if facts.parameters:
        yield f"The parameters were {_joined([_parameter(one) for one in facts.parameters], facts.more_parameters)}."
    yield f"spe {facts.version or __version__} (Simple Parallel Exec) ran the sets on {_hosts(facts)}."
    yield from _results(facts)
    span = facts.span
    yield f"The results were computed from {moment(span.began)} to {moment(span.ended)}."
    yield f"{counted(span.rows, 'set')} gave a result, in {seconds(span.seconds)} of program time."
    if undone := counts.total - span.rows:
        yield f"{counted(undone, 'set')} gave none: {_undone(facts)}."


def _programs(facts: Facts) -> Iterator[str]:
    if len(facts.programs) > 1:
        yield f"The results come from {len(facts.programs)} versions of the program."
    for one in facts.programs:
        if one.parts is None:
            yield f"The program of {counted(one.sets, 'set')} was not recorded."
        elif one.parts:
            files = [f"{part_name(part, facts.worker)} (SHA-256 {digest})" for part, digest in one.parts.items()]
            which = f" of {counted(one.sets, 'set')}" if len(facts.programs) > 1 else ""
            yield f"The program{which} was {_joined(files)}."


def part_name(part: str, worker: str) -> str:
    """Return what people call a part of a program: `worker any` is the worker sim, `input s.py` s.py."""
    kind, _, name = part.partition(" ")
    if kind == "worker":
        return f"the worker {worker}".strip() + ("" if name == "any" else f" for {name}")
    return name if kind == "input" else part


def _parameter(one: ParameterRange) -> str:
    name = printable(one.name)
    if one.different == 1:
        return f"{name} ({printable(one.least)})"
    ends = f"{printable(one.least)} to {printable(one.greatest)}"
    return f"{name} ({one.different} values, {ends})"


def _hosts(facts: Facts) -> str:
    names = [one.name for one in facts.hosts]
    return f"{counted(len(names), 'host')} ({named(names, _MOST)})"


def _results(facts: Facts) -> Iterator[str]:
    if facts.results:
        read = [_result(one) for one in facts.results]
        yield f"{'Result' if len(read) == 1 else 'Results'}: {_joined(read)}."


def _result(spec: ResultSpec) -> str:
    source = "its output" if spec.source == "stdout" else f"the file {printable(spec.source)}"
    text = f"{printable(spec.name)} from {source} {_READ[spec.kind]}"
    if spec.regex is not None:
        text += f", by the regular expression “{printable(spec.regex)}”"
    if spec.path is not None:
        text += f", at “{printable(spec.path)}”"
    return text


def _undone(facts: Facts) -> str:
    counts = facts.statistics
    found = ((counts.failed, "failed"), (counts.cancelled, "cancelled"), (counts.waiting, "not run"))
    return ", ".join(f"{sets} {state}" for sets, state in found if sets)


def _joined(things: list[str], more: int = 0) -> str:
    shown = things[:_MOST]
    more += len(things) - len(shown)
    return "; ".join([*shown, f"and {more} more"] if more else shown)


def versions(facts: Facts) -> Mapping[str, str]:
    """Return what ran, with versions."""
    then = facts.version or "not recorded"
    here = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return {
        "spe of the last run": then,
        "spe that wrote this report": __version__,
        "Python of that spe": platform.python_version(),
        "machine that wrote this report": here,
    }
