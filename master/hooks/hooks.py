"""The user's own functions, as the rest of the master calls them: validate, gather, and judging with a regex.

What they do wrong becomes a Verdict, a HookError or a ConfigError here; nothing they do holds the event loop up.
Each kind has a process of its own (call_queue.py), so that a slow gather does not keep results from being taken.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from pathlib import Path

from ..errors import ConfigError, HookError
from ..model import Kind, Output, ResultSpec
from ..record import record
from ..results.extract import is_verbatim
from ..results.judge import Judgement, Part, file_names, hooks_of
from .call_queue import CallQueue
from .messages import Answer, Call, Given, Judge, Setup, Trouble
from .process import Log

LOGGER = logging.getLogger("spe.hooks")
LIMIT = 60.0  # seconds that one call may take
REGEX_LIMIT = 10.0
PATIENCE = 3  # a regex may hang at some texts only, and costs less


@record
class TaskView:
    """What a function sees of a task."""

    number: int
    parameters: Mapping[str, str]


@record
class ResultView:
    """What a function sees of a result.

    For each output with a file, where its bytes are now: in `files`, or in `data` while they are in memory.
    """

    outputs: Sequence[Output]
    files: Mapping[str, Path] = field(default_factory=dict)
    exit_code: int | None = None
    stderr: str = ""
    host: str = ""
    seconds: float = 0.0
    data: Mapping[str, bytes] = field(default_factory=dict)


class VerdictKind(StrEnum):
    """What the user's validation says. HOOK_FAULT: it said nothing, it is broken; the result may be good."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    HOOK_FAULT = "hook fault"


@record
class Verdict:
    """The answer of all validate functions: the first no, the first fault, or yes."""

    kind: VerdictKind
    reason: str = ""  # one line for REJECTED; with the traceback for HOOK_FAULT


class Hooks:
    """The hook processes of one sweep. Cheap until the first call; `close` it."""

    def __init__(
        self,
        folder: Path,
        specs: Sequence[ResultSpec],
        validate: Sequence[str] = (),
        collect: Sequence[str] = (),
        limit: float = LIMIT,
        log: Log = LOGGER.info,
    ) -> None:
        """`validate` and `collect` as in spe.yaml: what names no function of a file is left to others."""
        self._specs = {spec.name: spec for spec in specs}
        self._file_names = file_names(specs)
        self._checks, self._gathers = tuple(hooks_of(validate)), tuple(hooks_of(collect))
        nothing = Setup(folder.absolute(), (), tuple(specs), tuple(validate), Path(), limit)
        regex_limit = min(limit, REGEX_LIMIT)

        def queue(functions: tuple[str, ...], seconds: float = limit) -> CallQueue:
            setup = Setup(nothing.folder, functions, nothing.specs, nothing.validators, Path(), seconds)
            return CallQueue(setup, seconds, log, PATIENCE if functions else sys.maxsize)

        self._import = queue(tuple(dict.fromkeys(self._checks + self._gathers)))
        self._validate, self._gather, self._judge = queue(self._checks), queue(self._gathers), queue((), regex_limit)

    async def check_import(self) -> None:
        """Raise ConfigError unless every named file imports and has the functions."""
        for entry in self._checks + self._gathers:
            file, _, name = entry.partition(":")
            if not file.endswith(".py") or Path(file).name != file or not name.isidentifier():
                todo = "Write FILE.py:FUNCTION, the file beside spe.yaml."
                raise ConfigError(f"{entry!r} does not name a function", where="spe.yaml", todo=todo)
        if not self._checks + self._gathers:
            return
        answer = await self._import.start()
        await self._import.close()
        if answer.trouble is not None:
            raise _config_error(answer.trouble, self._checks + self._gathers)

    async def judge(self, parts: Mapping[str, Part], exit_code: int | None, folder: str) -> Judgement:
        """judge.judge, where a regex that runs for ever can be killed: that is a reason, with `fault` set."""
        return await self._judged(Judge(dict(parts), exit_code, folder))

    async def judge_again(self, parts: Mapping[str, Part], folder: str) -> Judgement:
        """The same for judge.judge_again."""
        return await self._judged(Judge(dict(parts), None, folder, again=True))

    async def _judged(self, message: Judge) -> Judgement:
        answer = await self._judge.call(message, f"the search for {self._regexes()}")
        if answer.judgement is not None:
            return answer.judgement
        what = answer.trouble.what if answer.trouble else "the hook process gave no judgement"
        return Judgement((), " ".join(what.splitlines()), fault=True)

    async def validate(self, task: TaskView, result: ResultView) -> Verdict:
        """Ask the validate functions, in the order of spe.yaml, until one says no."""
        for function, name in enumerate(self._checks):
            answer = await self._validate.call(self._call(function, task, result, True), _label(name, task))
            if answer.trouble is not None:
                return Verdict(VerdictKind.HOOK_FAULT, str(_hook_error(answer.trouble)))
            if answer.reason is not None:
                return Verdict(VerdictKind.REJECTED, answer.reason)
        return Verdict(VerdictKind.ACCEPTED)

    async def gather(self, task: TaskView, result: ResultView) -> None:
        """Call each gather function once; one that goes wrong keeps none of the others from being called."""
        troubles = []
        for function, name in enumerate(self._gathers):
            answer: Answer = await self._gather.call(self._call(function, task, result, False), _label(name, task))
            if answer.trouble is not None:
                troubles.append(answer.trouble)
        if troubles:
            raise _hook_error(*troubles)

    async def close(self) -> None:
        """End all processes."""
        for queue in (self._import, self._validate, self._gather, self._judge):
            await queue.close()

    def _call(self, function: int, task: TaskView, result: ResultView, wants_verdict: bool) -> Call:
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
        """A cell may be cut short or be a path: what the function reads then is the bytes themselves."""
        name, spec = output.name, self._specs.get(output.name)  # none: stored before spe.yaml was changed
        file_name = self._file_names.get(name) or Path(output.file or name).name
        if output.file is None:
            return Given(name, output.value, output.raw, None, file_name)
        whole = spec is None or spec.kind is Kind.FILE or (is_verbatim(spec) and spec.kind in (Kind.TEXT, Kind.JSON))
        value = None if whole else output.value
        if name in result.data:
            return Given(name, value, result.data[name], None, file_name)
        return Given(name, value, None, str(result.files[name].absolute()), file_name)

    def _regexes(self) -> str:
        return ", ".join(f"{spec.name}: {spec.regex}" for spec in self._specs.values() if spec.regex is not None)


def _label(name: str, task: TaskView) -> str:
    return f"{name} at task {task.number}"


def _hook_error(*troubles: Trouble) -> HookError:
    first = troubles[0]
    texts = [f"{trouble.what}\n{trouble.traceback}".rstrip() for trouble in troubles]
    where = f"{first.file}:{first.line}" if first.file else ""
    return HookError("\n".join(texts), where=where, todo=first.todo or "Mend it, then: spe collect")


def _config_error(trouble: Trouble, entries: Sequence[str]) -> ConfigError:
    where = f"{trouble.file}:{trouble.line}" if trouble.line else trouble.file
    names = ", ".join(entry for entry in entries if entry.startswith(trouble.file))
    todo = trouble.todo or f"Mend it ({names} is needed), then try again."
    return ConfigError(trouble.what, where=where or "hooks", todo=todo)
