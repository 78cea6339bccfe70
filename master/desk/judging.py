"""From what arrived to a verdict.

The results are judged here or, where a user's regex may hang, in the hook process. Then come the
user's validate functions.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..dispatch.rules import number_for_programs
from ..hooks.hooks import Hooks, ResultView, TaskView, VerdictKind
from ..model import Output, ResultSpec, Task
from ..record import record
from ..results.evidence import bad_exit_code, exit_code_of, tail_of
from ..results.extract import Part
from ..results.judge import hooks_of, judge, needs_process, wants_files
from ..results.trees import read_list

log = logging.getLogger("spe.judging")


@record
class Verdict:
    """The worth of one report: its outputs, and why they are not valid.

    `reason` None: they are. `fault`: a hook went wrong while it judged, so that nobody knows.
    """

    outputs: tuple[Output, ...]
    reason: str | None = None
    fault: bool = False
    digest: str = ""  # of the bytes of a result that is not valid; "" where nothing could be read


class Judges:
    """Judges the results of one run, as its sweep says."""

    def __init__(
        self,
        specs: Sequence[ResultSpec],
        validators: Sequence[str],
        hooks: Hooks,
        outdated: Sequence[range] = (),
        hidden: str = "",
        results_of: Callable[[Mapping[str, str]], tuple[ResultSpec, ...]] | None = None,
    ) -> None:
        """`outdated`: tickets of other `results`, of which today's cannot be made.

        `hidden`: a parameter of spe's own, which hooks do not see. `results_of` returns the results of
        a set, where `from` has parameters.
        """
        self._results_of = results_of
        self._outdated = outdated
        self._hidden = hidden
        self._specs, self._validators, self._hooks = specs, validators, hooks
        self._in_process = needs_process(specs)
        self._has_checks = bool(hooks_of(validators))
        self.wants_files = wants_files(specs, validators)  # as clients were told
        # A result is all that a program printed
        self.has_stdout = any(spec.source == "stdout" for spec in specs)

    def stdout_of(self, parts: Mapping[str, Part]) -> bytes:
        """Return the end of what a program printed, from a result that is made of it."""
        names = (
            spec.name for spec in self._specs if spec.source == "stdout" and spec.name in parts
        )
        return tail_of(parts, next(names, ""))

    def is_outdated(self, ticket: int) -> bool:
        """Tell whether this ticket was handed out under other `results` than today's."""
        return any(ticket in tickets for tickets in self._outdated)

    async def judge(
        self, task: Task, host: str, seconds: float, parts: Mapping[str, Part]
    ) -> Verdict:
        """Return the verdict about one report. `host` ran it in `seconds`.

        A fault of spe's own while judging is a reason, too. Raised, it would leave the client
        waiting for an answer.
        """
        try:
            verdict = await self._judge(task, host, seconds, parts)
            if verdict.reason is None or verdict.fault:
                return verdict
            return replace(verdict, digest=await self._digest(parts))
        except Exception as error:
            log.exception("task %d: judging its result went wrong", task.number)
            return Verdict(
                (), f"a fault of spe's own while judging: {type(error).__name__}: {error}"
            )

    async def _judge(
        self, task: Task, host: str, seconds: float, parts: Mapping[str, Part]
    ) -> Verdict:
        """Judge while the files still lie where they were received.

        A rejected result never gets a place.
        """
        exit_code, folder = exit_code_of(parts), f"files/{task.number}"
        specs = self._results_of(task.values) if self._results_of else self._specs
        if exit_code is None and (why := bad_exit_code(parts)):
            return Verdict((), why)
        if self._in_process:
            judgement = await self._hooks.judge(parts, exit_code, folder, specs)
        elif any(part.path or part.tree for part in parts.values()):
            # In a thread: a large file may take a while to read, and all clients would wait.
            judgement = await asyncio.to_thread(
                judge, specs, self._validators, parts, exit_code, folder
            )
        else:
            judgement = judge(specs, self._validators, parts, exit_code, folder)
        if judgement.reason is not None:
            # A regex that hangs is a fault of spe.yaml's, but its outputs are not made: the attempt
            # is rejected.
            return Verdict(judgement.outputs, judgement.reason)
        if self._has_checks:
            return await self._ask(task, host, seconds, parts, judgement.outputs)
        return Verdict(judgement.outputs)

    async def _digest(self, parts: Mapping[str, Part]) -> str:
        """Return a digest of the results, by which a result that is rejected twice is known."""
        found = [parts[spec.name] for spec in self._specs if spec.name in parts]
        if any(part.path or part.tree for part in found):
            # In a thread, as a large file takes seconds to read.
            return await asyncio.to_thread(_digest_of, found)
        return _digest_of(found)

    async def _ask(
        self,
        task: Task,
        host: str,
        seconds: float,
        parts: Mapping[str, Part],
        outputs: tuple[Output, ...],
    ) -> Verdict:
        received = {output.name: parts[output.name].path for output in outputs if output.file}
        files = {name: path.resolve() for name, path in received.items() if path}
        stderr = tail_of(parts, "stderr").decode("utf-8", "replace")
        view = ResultView(
            outputs,
            files,
            exit_code=exit_code_of(parts),
            stderr=stderr,
            host=host,
            seconds=seconds,
            trees={one.name: _places(one, parts[one.name]) for one in outputs if one.is_tree},
        )
        values = {name: text for name, text in task.values.items() if name != self._hidden}
        one = TaskView(number_for_programs(task), values)
        verdict = await self._hooks.validate(one, view)
        if verdict.kind is VerdictKind.ACCEPTED:
            return Verdict(outputs)
        return Verdict(outputs, verdict.reason, verdict.kind is VerdictKind.HOOK_FAULT)


def _digest_of(parts: Sequence[Part]) -> str:
    digest = hashlib.sha256()
    try:
        for part in (inner for one in parts for inner in (one.members() if one.tree else [one])):
            # With name and size: the bytes of two results must not be taken for those of one.
            digest.update(f"{part.name} {part.size}\n".encode())
            for chunk in part.chunks():
                digest.update(chunk)
    except OSError:
        return ""  # its file was removed; the caller finds that out, too, and asks for the result again
    return digest.hexdigest() if parts else ""


def _places(output: Output, part: Part) -> tuple[tuple[str, str], ...]:
    """Return (path below its folder, where it lies now) of each file of a result."""
    names = [name for name, _ in read_list(output.raw or b"")]
    paths = [str(one.path.resolve()) for one in part.tree or ()]
    return tuple(zip(names, paths, strict=True))
