"""The user's own functions, as the rest of the master calls them: validate, gather, and judging
with a regex.

What they do wrong becomes a HookVerdict, a HookError or a ConfigError here, and nothing they do holds
up the event loop. Each kind has a process of its own (call_queue.py), so that a slow gather does
not keep results from being taken.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum
from pathlib import Path

from ..errors import ConfigError, HookError
from ..model import Kind, Output, ResultSpec
from ..record import record
from ..results.extract import is_verbatim
from ..results.judge import Judgement, Part, file_names, hooks_of
from .call_queue import CallQueue
from .messages import Call, Given, HookSetup, Judge, Trouble
from .process import Log

LOGGER = logging.getLogger("spe.hooks")
LIMIT = 60.0  # seconds that one call may take
REGEX_LIMIT = 10.0  # seconds for the regular expressions of one report
# Hangs in a row, of functions; a regex may hang at some texts alone, so it has no limit
PATIENCE = 3


@record
class TaskView:
    """The facts of a task that a function sees."""

    number: int
    parameters: Mapping[str, str]


@record
class ResultView:
    """The facts of a result that a function sees.

    For each output with a file, `files` has the place of its bytes now, or `data` the bytes while
    they are in memory.
    """

    outputs: Sequence[Output]
    files: Mapping[str, Path] = field(default_factory=dict)
    exit_code: int | None = None
    stderr: str = ""
    host: str = ""
    seconds: float = 0.0
    data: Mapping[str, bytes] = field(default_factory=dict)
    # Results of several files that have no folder yet: (path below it, where it lies now).
    trees: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)


class VerdictKind(StrEnum):
    """The kinds of a verdict.

    HOOK_FAULT: the validation itself is broken, and the result may be good.
    """

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    HOOK_FAULT = "hook fault"


@record
class HookVerdict:
    """The answer of all validate functions: the first no, the first fault, or yes."""

    kind: VerdictKind
    reason: str = ""  # REJECTED: one line; HOOK_FAULT: with the traceback


class Hooks:
    """The hook processes of one sweep. No process runs until the first call; `close` ends them."""

    def __init__(
        self,
        folder: Path,
        specs: Sequence[ResultSpec],
        validate: Sequence[str] = (),
        collect: Sequence[str] = (),
        limit: float = LIMIT,
        log: Log = LOGGER.info,
        then: str = "spe collect",
    ) -> None:
        """Take `validate` and `collect` as in spe.yaml.

        Names that are no functions of a file are ignored. `then`: the command to run when a
        function is mended.
        """
        self._then = then
        self._specs = {spec.name: spec for spec in specs}
        self._file_names = file_names(specs)
        self._checks = tuple(hooks_of(validate))
        self._gathers = tuple(hooks_of(collect))
        nothing = HookSetup(folder.absolute(), (), tuple(specs), tuple(validate), Path(), limit)
        regex_limit = min(limit, REGEX_LIMIT)

        def queue(functions: tuple[str, ...], seconds: float = limit) -> CallQueue:
            setup = replace(nothing, functions=functions, limit=seconds)
            return CallQueue(setup, seconds, log, PATIENCE if functions else sys.maxsize)

        # A process of its own for the first import, so that a fault is found before any work
        # begins.
        self._import = queue(tuple(dict.fromkeys(self._checks + self._gathers)))
        self._validate = queue(self._checks)
        self._gather = queue(self._gathers)
        self._judge = queue((), regex_limit)

    async def check_import(self) -> None:
        """Raise ConfigError unless every named file imports and has the functions."""
        for entry in self._checks + self._gathers:
            file, _, name = entry.partition(":")
            if not file.endswith(".py") or Path(file).name != file or not name.isidentifier():
                todo = "Write FILE.py:FUNCTION, the file beside spe.yaml."
                raise ConfigError(
                    f"{entry!r} does not name a function", where="spe.yaml", todo=todo
                )
        if not self._checks + self._gathers:
            return
        answer = await self._import.start()
        await self._import.close()
        if answer.trouble is not None:
            raise _config_error(answer.trouble, self._checks + self._gathers)

    async def judge(
        self,
        parts: Mapping[str, Part],
        exit_code: int | None,
        folder: str,
        specs: Sequence[ResultSpec] = (),
    ) -> Judgement:
        """Judge a report as judge.judge does. `specs`: the results of this set, where they differ.

        A regex that runs for ever is killed: a reason, with `fault` set.
        """
        specs = tuple(specs or self._specs.values())
        return await self._judged(Judge(dict(parts), exit_code, folder, specs))

    async def judge_again(
        self, parts: Mapping[str, Part], folder: str, specs: Sequence[ResultSpec] = ()
    ) -> Judgement:
        """Judge a stored result as judge.judge_again does, with the same limit."""
        specs = tuple(specs or self._specs.values())
        return await self._judged(Judge(dict(parts), None, folder, specs, again=True))

    async def _judged(self, message: Judge) -> Judgement:
        answer = await self._judge.call(message, f"the search for {self._regexes()}")
        if answer.judgement is not None:
            return answer.judgement
        what = answer.trouble.what if answer.trouble else "the hook process gave no judgement"
        return Judgement((), " ".join(what.splitlines()), fault=True)

    async def validate(self, task: TaskView, result: ResultView) -> HookVerdict:
        """Ask the validate functions, in the order of spe.yaml, until one says no."""
        for function, name in enumerate(self._checks):
            call = self._call(function, task, result, wants_verdict=True)
            answer = await self._validate.call(call, _label(name, task))
            if answer.trouble is not None:
                fault = str(_hook_error([answer.trouble], self._then))
                return HookVerdict(VerdictKind.HOOK_FAULT, fault)
            if answer.reason is not None:
                return HookVerdict(VerdictKind.REJECTED, answer.reason)
        return HookVerdict(VerdictKind.ACCEPTED)

    async def gather(self, task: TaskView, result: ResultView) -> None:
        """Call each gather function once.

        Raises HookError after all of them, where some went wrong.
        """
        troubles = []
        for function, name in enumerate(self._gathers):
            call = self._call(function, task, result, wants_verdict=False)
            answer = await self._gather.call(call, _label(name, task))
            if answer.trouble is not None:
                troubles.append(answer.trouble)
        if troubles:
            raise _hook_error(troubles, self._then)

    async def close(self) -> None:
        """End all processes."""
        for queue in (self._import, self._validate, self._gather, self._judge):
            await queue.close()

    def _call(
        self, function: int, task: TaskView, result: ResultView, *, wants_verdict: bool
    ) -> Call:
        given = tuple(self._given(output, result) for output in result.outputs)
        return Call(
            function=function,
            number=task.number,
            parameters=dict(task.parameters),
            results=given,
            exit_code=result.exit_code,
            stderr=result.stderr,
            host=result.host,
            seconds=result.seconds,
            wants_verdict=wants_verdict,
        )

    def _given(self, output: Output, result: ResultView) -> Given:
        """Return one output as a function is given it.

        A cell of the table may be cut short or be a path; then the function reads the bytes
        themselves.
        """
        name = output.name
        file_name = Path(self._file_names.get(name) or output.file or name).name
        if "{{" in file_name and output.file is not None:
            file_name = Path(output.file).name
        if output.file is None:
            return Given(name, output.value, output.raw, None, file_name)
        if output.is_tree:
            folder = result.files.get(name)
            at = str(folder.absolute()) if folder else None
            return Given(name, output.value, None, at, name, result.trees.get(name, ()))
        value: str | None = output.value
        if _is_whole(self._specs.get(name)):
            value = None
        if name in result.data:
            return Given(name, value, result.data[name], None, file_name)
        return Given(name, value, None, str(result.files[name].absolute()), file_name)

    def _regexes(self) -> str:
        specs = [spec for spec in self._specs.values() if spec.regex is not None]
        return ", ".join(f"{spec.name}: {spec.regex}" for spec in specs)


def _is_whole(spec: ResultSpec | None) -> bool:
    """Tell whether a result is all bytes of its file; so is one stored before spe.yaml was changed."""
    if spec is None or spec.kind is Kind.FILE:
        return True
    return is_verbatim(spec) and spec.kind in (Kind.TEXT, Kind.JSON)


def _label(name: str, task: TaskView) -> str:
    return f"{name} at task {task.number}"


def _hook_error(troubles: Sequence[Trouble], then: str) -> HookError:
    """Return the error for people, with the place of the first trouble."""
    first = troubles[0]
    texts = [f"{trouble.what}\n{trouble.traceback}".rstrip() for trouble in troubles]
    where = ""
    if first.file:
        where = f"{first.file}:{first.line}"
    todo = f"{first.todo} Then: {then}" if first.todo else f"Mend it, then: {then}"
    return HookError("\n".join(texts), where=where, todo=todo)


def _config_error(trouble: Trouble, entries: Sequence[str]) -> ConfigError:
    """Return the error for people about a file that cannot be used."""
    where = trouble.file
    if trouble.line:
        where = f"{trouble.file}:{trouble.line}"
    names = ", ".join(entry for entry in entries if entry.startswith(trouble.file))
    todo = trouble.todo or f"Mend it ({names} is needed), then try again."
    return ConfigError(trouble.what, where=where or "hooks", todo=todo)
