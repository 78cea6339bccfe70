"""Whether what arrived is a result: every part there, every value what it should be, the built-in validations.

Pure, given bytes or files; functions of hooks.py come after it (hooks.py). Results with a regex are judged in
the hook process, by the same function, because a regex may run for ever: see `needs_process`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from ..model import Kind, Output, ResultSpec
from ..record import record
from ..text import volume
from .extract import HEAD, Part, Refused, extract, is_verbatim
from .numerals import typed

__all__ = [
    "BUILT_IN", "Judgement", "Part", "file_names", "hooks_of", "judge", "judge_again", "needs_process", "wants_files",
]  # fmt: skip

BUILT_IN = ("exit_zero", "non_empty", "one_line")
PACKED = {".gz", ".bz2", ".xz", ".zst"}


@record
class Judgement:
    """The outputs as they are to be stored, and why they are not good enough (None: they are).

    Where `output.file` is set, the caller moves the part's bytes there, below runs/<name>/.
    `fault`: the judging itself went wrong (a regex that hung), the program may be innocent.
    """

    outputs: tuple[Output, ...]
    reason: str | None = None
    fault: bool = False


def judge(
    specs: Sequence[ResultSpec],
    validators: Sequence[str],
    parts: Mapping[str, Part],
    exit_code: int | None,
    folder: str,
) -> Judgement:
    """Judge one report. `folder`: where the task's files will lie, below runs/<name>/ (`files/17`)."""
    if exit_code:
        return Judgement((), f"exit code {exit_code}")
    for spec in specs:
        if spec.name not in parts:
            return Judgement((), f"no part {spec.name}")
    return _judged(specs, validators, parts, folder)


def judge_again(specs: Sequence[ResultSpec], parts: Mapping[str, Part], folder: str) -> Judgement:
    """Judge what was valid once, by other results than then: those that have no part are left out."""
    return _judged(specs, (), parts, folder)


def _judged(
    specs: Sequence[ResultSpec], validators: Sequence[str], parts: Mapping[str, Part], folder: str
) -> Judgement:
    outputs: list[Output] = []
    for spec in specs:
        if spec.name not in parts:
            continue
        try:
            part = parts[spec.name]
            keeps_file = spec.kind is Kind.FILE or part.size > HEAD
            output = _output(spec, part, f"{folder}/{file_names(specs)[spec.name]}" if keeps_file else None)
            outputs.append(output)
            _hold(validators, spec, part, output.value)
        except Refused as refused:
            return Judgement(tuple(outputs), " ".join(f"{spec.name}: {refused}".splitlines()))
    return Judgement(tuple(outputs))


def needs_process(specs: Iterable[ResultSpec]) -> bool:
    """Whether judging must be done where it can be killed."""
    return any(spec.regex is not None for spec in specs)


def wants_files(specs: Sequence[ResultSpec], validators: Sequence[str]) -> bool:
    """Whether a result may be rejected, so that people will want to know which files there were beside it; not where
    a result is called `files` itself."""
    if any(spec.name == "files" for spec in specs):
        return False
    picky = any(spec.kind not in (Kind.TEXT, Kind.FILE) or not is_verbatim(spec) for spec in specs)
    return picky or any(name != "exit_zero" for name in validators)


def hooks_of(entries: Iterable[str]) -> list[str]:
    """The entries of `validate` or `collect` that name a function of the user's: FILE.py:FUNCTION."""
    return [entry for entry in entries if ":" in entry]


def file_names(specs: Iterable[ResultSpec]) -> dict[str, str]:
    """Each result's file name below files/<number>/: its own name, with the ending that tells what it is."""
    names: dict[str, str] = {}
    for spec in specs:
        stem, ending = spec.name, _ending(spec)
        name = stem if stem.endswith(ending) else stem + ending
        count = 2
        while name in names.values():  # results `a` and `a.txt`
            name = f"{stem}-{count}{ending}"
            count += 1
        names[spec.name] = name
    return names


def _ending(spec: ResultSpec) -> str:
    if spec.source == "stdout":
        return ".txt"
    endings = PurePosixPath(spec.source).suffixes
    return "".join(endings[-2:] if endings and endings[-1] in PACKED else endings[-1:])


def _output(spec: ResultSpec, part: Part, file: str | None) -> Output:
    value = extract(part, spec, file)
    number = typed(value, spec.kind)
    if file is not None:
        return Output(spec.name, value, file=file, size=part.size, number=number)
    data = part.read()
    implied = data == value.encode() + b"\n"
    return Output(spec.name, value, raw=None if implied else data, size=part.size, number=number)


def _hold(validators: Sequence[str], spec: ResultSpec, part: Part, value: str) -> None:
    for name in validators:
        if name == "non_empty":
            _non_empty(spec, part, value)
        elif name == "one_line":
            _one_line(spec, part, value)
        elif name != "exit_zero" and ":" not in name:
            raise ValueError(f"no built-in validation {name!r}, there are {', '.join(BUILT_IN)}")


def _non_empty(spec: ResultSpec, part: Part, value: str) -> None:
    empty = part.size == 0 if spec.kind is Kind.FILE else not value.strip()
    if empty:
        raise Refused("empty (non_empty)" if part.size == 0 else "nothing but blanks (non_empty)")


def _one_line(spec: ResultSpec, part: Part, value: str) -> None:
    """Of what a cell shows: a result kept as a file may have any number of lines."""
    if spec.kind is Kind.FILE:
        return
    if part.size == 0 or (not is_verbatim(spec) and not value):
        raise Refused("empty, not one line (one_line)")
    if ("\n" in value) if not is_verbatim(spec) else _inner_newline(part):
        raise Refused(f"more than one line (one_line), {volume(part.size)}")


def _inner_newline(part: Part) -> bool:
    """Whether a newline is anywhere but at the very end; stops at the first."""
    before = 0
    for chunk in part.chunks():
        at = chunk.find(b"\n")
        if at >= 0 and before + at < part.size - 1:
            return True
        before += len(chunk)
    return False
