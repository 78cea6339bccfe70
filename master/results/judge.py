"""Decide whether what arrived is a result: every part there, every value as asked for, validated.

Pure, given bytes or files. Here are the built-in validations; functions of hooks.py come after them.
Results with a regex are judged by the same function in the hook process, because a regex may run for
ever: see `needs_process`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from ..model import TREES, Kind, Output, ResultSpec
from ..record import record
from ..text import printable, volume
from .extract import HEAD, Part, extract, is_verbatim
from .reading.numerals import typed
from .reading.refusal import Refused
from .trees import KEPT, belongs, clash, folder_of, listed, parents

__all__ = [
    "BUILT_IN",
    "Judgement",
    "Part",
    "file_names",
    "hooks_of",
    "judge",
    "judge_again",
    "needs_process",
    "wants_files",
]

BUILT_IN = ("exit_zero", "non_empty", "one_line")
PACKED = {".gz", ".bz2", ".xz", ".zst"}  # endings that do not tell what is inside: .csv.gz does
_ANY_BYTES = (Kind.TEXT, Kind.FILE, Kind.FILES, Kind.FOLDER)


@record
class Judgement:
    """The verdict on one report: outputs as they are to be stored, or the reason of a refusal.

    `reason` None means that the result is good. Where `output.file` is set, the caller moves the
    part's bytes there, below runs/<name>/. `fault`: the judging itself failed (a regex that hung), so
    the program may be innocent.
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
    """Return the verdict on one report.

    `specs`: the results, filled for this set. `folder`: where the task's files will lie, below
    runs/<name>/ (`files/17`).
    """
    # Always, also without `exit_zero`: a program that failed has no result, whatever it printed.
    if exit_code:
        return Judgement((), f"exit code {exit_code}")
    for spec in specs:
        if spec.name not in parts:
            return Judgement((), f"no part {spec.name}")
    return _judged(specs, validators, parts, folder)


def judge_again(specs: Sequence[ResultSpec], parts: Mapping[str, Part], folder: str) -> Judgement:
    """Return the verdict under other results on what was valid once.

    Results that have no part are left out: their bytes were never stored.
    """
    return _judged(specs, (), parts, folder)


def _judged(
    specs: Sequence[ResultSpec],
    validators: Sequence[str],
    parts: Mapping[str, Part],
    folder: str,
) -> Judgement:
    outputs: list[Output] = []
    # Almost always there is none, and this runs for each result.
    if [part for part in parts.values() if part.tree]:
        why = _misfit([spec for spec in specs if spec.name in parts], parts)
        if why:
            return Judgement((), why)
    for spec in specs:
        if spec.name not in parts:
            continue
        part = parts[spec.name]
        try:
            output = _output(spec, part, _file(spec, part, specs, parts, folder))
            # Before the validations: an output that they refuse is shown with its failure.
            outputs.append(output)
            _validate(validators, spec, part, output.value)
        except Refused as refused:
            # One line: the reason may quote what a program wrote, and is a cell of failed.csv.
            reason = " ".join(f"{spec.name}: {refused}".splitlines())
            return Judgement(tuple(outputs), reason)
    return Judgement(tuple(outputs))


def _misfit(specs: Sequence[ResultSpec], parts: Mapping[str, Part]) -> str | None:
    """Return why the files of a report are not those that were asked for.

    Only a client that does not look for them by the rules of trees.py brings others.
    """
    for spec in specs:
        for one in parts[spec.name].tree or ():
            if not belongs(spec, one.name):
                return f"{spec.name}: {printable(one.name)} does not match {spec.source}"
    single = [one.source for one in specs if one.kind is Kind.FILE]
    if both := clash([*single, *_member_names(parts)]):
        return f"{printable(both)} is a file and a folder"
    return None


def _member_names(parts: Mapping[str, Part]) -> set[str]:
    return {one.name for part in parts.values() for one in part.tree or ()}


def _file(
    spec: ResultSpec,
    part: Part,
    specs: Sequence[ResultSpec],
    parts: Mapping[str, Part],
    folder: str,
) -> str | None:
    """Return the place of a result's file or folder; None when its bytes fit into the database."""
    if part.tree is None and spec.kind is not Kind.FILE and part.size <= HEAD:
        return None
    if part.tree is not None:
        return "/".join(filter(None, (folder, folder_of(spec))))
    return f"{folder}/{file_names(specs, _member_names(parts))[spec.name]}"


def needs_process(specs: Iterable[ResultSpec]) -> bool:
    """Return whether these results must be judged in a process that can be killed."""
    return any(spec.regex is not None for spec in specs)


def wants_files(specs: Sequence[ResultSpec], validators: Sequence[str]) -> bool:
    """Return whether clients list the files beside each result.

    They do when a result may be rejected, as people will then want to know which files there were.
    """
    if any(spec.name == "files" for spec in specs):  # the list would have the same name
        return False
    if set(validators) - {"exit_zero"}:
        return True
    return not all(spec.kind in _ANY_BYTES and is_verbatim(spec) for spec in specs)


def hooks_of(entries: Iterable[str]) -> list[str]:
    """Return the entries of `validate` or `collect` that name a user's function: FILE.py:FUNCTION."""
    return [entry for entry in entries if ":" in entry]


def file_names(specs: Sequence[ResultSpec], others: Iterable[str] = ()) -> dict[str, str]:
    """Return the path of each result that is one file, below files/<number>/.

    `as: file` keeps its path in the task's directory. A text too large for the database has its own
    name and a telling ending. `others`: paths that results of several files take.
    """
    names = {spec.name: spec.source for spec in specs if _has_own_path(spec)}
    taken = {*names.values(), *others}
    taken |= {above for path in taken for above in parents(path)}
    for spec in specs:
        if spec.name not in names and not spec.kind.is_tree:
            names[spec.name] = _free_name(spec.name, _ending(spec), taken)
            taken.add(names[spec.name])
    return names


def _has_own_path(spec: ResultSpec) -> bool:
    if spec.kind is not Kind.FILE or spec.source == "stdout":
        return False
    return spec.source.split("/")[0] != KEPT


def _free_name(stem: str, ending: str, taken: Collection[str]) -> str:
    name = stem
    if not stem.endswith(ending):
        name += ending
    count = 2
    while name in taken:  # results `a` and `a.txt`
        name = f"{stem}-{count}{ending}"
        count += 1
    return name


def _ending(spec: ResultSpec) -> str:
    if spec.source == "stdout":
        return ".txt"
    endings = PurePosixPath(spec.source).suffixes
    if endings and endings[-1] in PACKED:
        return "".join(endings[-2:])
    return "".join(endings[-1:])


def _output(spec: ResultSpec, part: Part, file: str | None) -> Output:
    if (part.tree is not None) is not (spec.kind in TREES):
        # A fault of ours: intake and evidence tell them apart.
        raise ValueError(f"part {part.name} is not {spec.kind}")
    value = extract(part, spec, file)
    number = typed(value, spec.kind)
    if part.tree is not None:
        files = listed(part.tree, folder_of(spec))
        return Output(spec.name, value, raw=files, file=file, size=part.size)
    if file is not None:
        return Output(spec.name, value, file=file, size=part.size, number=number)
    raw: bytes | None = part.read()
    if raw == value.encode() + b"\n":  # most results are: such bytes are not stored twice
        raw = None
    return Output(spec.name, value, raw=raw, size=part.size, number=number)


def _validate(validators: Sequence[str], spec: ResultSpec, part: Part, value: str) -> None:
    """Raise Refused when a built-in validation refuses the value."""
    for name in validators:
        check = _VALIDATIONS.get(name)
        if check is not None:
            check(spec, part, value)
        elif name != "exit_zero" and ":" not in name:
            raise ValueError(f"no built-in validation {name!r}, there are {', '.join(BUILT_IN)}")


def _non_empty(spec: ResultSpec, part: Part, value: str) -> None:
    if part.size == 0:
        raise Refused("empty (non_empty)")
    # The value of a file is its name; of the bytes in it nothing is read here.
    if not spec.kind.is_path and not value.strip():
        raise Refused("nothing but blanks (non_empty)")


def _one_line(spec: ResultSpec, part: Part, value: str) -> None:
    """Check what a cell shows: a result that is kept as a file may have any number of lines."""
    if spec.kind.is_path:
        return
    if part.size == 0 or not (value or is_verbatim(spec)):
        raise Refused("empty, not one line (one_line)")
    if _has_several_lines(spec, part, value):
        raise Refused(f"more than one line (one_line), {volume(part.size)}")


def _has_several_lines(spec: ResultSpec, part: Part, value: str) -> bool:
    # A text may have been cut for its cell, so its newlines are looked for in the part.
    if is_verbatim(spec):
        return _inner_newline(part)
    return "\n" in value


_VALIDATIONS = {"non_empty": _non_empty, "one_line": _one_line}


def _inner_newline(part: Part) -> bool:
    """Return whether a newline is anywhere but at the very end; stops at the first."""
    before = 0
    for chunk in part.chunks():
        at = chunk.find(b"\n")
        if at >= 0 and before + at < part.size - 1:
            return True
        before += len(chunk)
    return False
