"""Writes the replies of docs/protocol.md as text: bodies only, no HTTP."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence

from ..model import Input, ResultSpec, Setup, Work, WorkerFile

BY_DIGEST = 64 * 1024  # inputs over this size are given by their SHA-256 to clients that ask for it
# Permissions that are named: who else may read a file is decided by the host's umask.
NAMED_MODE, USUAL_MODE = 0o311, 0o200


def _yes(flag: bool) -> str:
    """Return a flag as the protocol spells it."""
    return "Yes" if flag else "No"  # as in /config since 0.1: clients compare with "Yes"


def _seconds(value: float) -> str:
    """Return seconds as a shell reads them: 1209600 or 0.5, never 1.2096e+06."""
    shown = value
    if value != 0:  # 0 means no limit, so a very short time must not be written as 0
        shown = max(value, 0.001)
    return f"{shown:.6f}".rstrip("0").rstrip(".")


def config(
    setup: Setup, client: str, file: WorkerFile | None, shell: str | None, bound: str = ""
) -> str:
    """Return the reply to /config: lines of Key=Value.

    A client ignores keys that it does not know. `bound`: in a farm's job, that of the client.
    """
    lines = [
        f"DeleteWorker={_yes(setup.delete_worker)}",
        f"DeleteClient={_yes(setup.delete_client)}",
        f"Ping={_seconds(setup.ping)}",
        f"Grace={_seconds(setup.grace)}",
        f"Client={client}",
        f"Cores={setup.cores}",
        f"Nice={setup.nice}",
        f"MaxResult={setup.max_result}",
        "Batch=Yes",
        f"Control={setup.control}",
        f"Ask={' '.join(setup.ask)}",
    ]
    if setup.worker:
        lines.append(f"Worker={setup.worker}")
        if setup.runs_worker:
            lines.append("RunsWorker=Yes")
    if setup.files:
        lines.append("Files=Yes")
    if setup.keep_failed:
        lines.append(f"KeepFailed={setup.keep_failed}")
    if setup.software:
        lines.append("Software=Yes")
    if file:
        lines += [f"MD5={file.md5}", f"SHA256={file.sha256}"]
    if shell:
        lines.append(f"Setup={json.dumps(shell)}")
    if bound:
        lines.append(f"Slots={bound}")
    return "\n".join(lines) + "\n"


def digest(item: Input) -> str:
    """Return the SHA-256 under which /file serves an input."""
    return item.sha256 or hashlib.sha256(item.content).hexdigest()


def _input(item: Input, by_digest: bool, extra: bool) -> bytes:
    """Return an [Input] record: with the content, or with its digest where the client fetches it by
    that.

    `extra` tells permissions, too.
    """
    head = f"[Input]\nFile={item.name}\nLength={item.size}\n"
    if extra and item.mode and item.mode & NAMED_MODE != USUAL_MODE:
        head += f"Mode={item.mode:04o}\n"
    if extra and item.copy:
        head += "Copy=Yes\n"
    if item.archive:
        return f"{head}Archive=tar\nSHA256={item.sha256}\n".encode()
    if by_digest and is_fetched(item):
        return f"{head}SHA256={digest(item)}\n".encode()
    content = item.content
    if item.file:
        content = item.file.read_bytes()
    return head.encode() + b"--begin content--\n" + content + b"\n--end content--\n"


def unpacked(inputs: Iterable[Input]) -> list[Input]:
    """Return the inputs for a client that knows no archives: their files one by one."""
    found: list[Input] = []
    for one in inputs:
        found += one.archive.inputs() if one.archive else (one,)
    return found


def is_fetched(item: Input) -> bool:
    """Tell whether a client that asks for digests fetches this input by its own."""
    return item.archive is not None or item.size > BY_DIGEST


def result_records(results: Iterable[ResultSpec]) -> bytes:
    """Return the end of each task record: one [Result] a result."""
    return b"".join(map(_result, results))


def _result(spec: ResultSpec) -> bytes:
    kind = f"Kind={spec.kind}\n" if spec.kind.is_tree else ""
    return f"[Result]\nName={spec.name}\nFile={spec.source}\n{kind}".encode()


def whole_outputs(results: Iterable[ResultSpec]) -> dict[str, str]:
    """Return name -> file of what clients send beside the results where all of stdout and stderr is
    kept.

    stdout is left out where a result has it already. The names begin with a hyphen, which no
    result's name does.
    """
    more = {"-stderr": "stderr"}
    if any(spec.source == "stdout" for spec in results):
        return more
    return {"-stdout": "stdout", **more}


def command_line(words: Sequence[str]) -> str:
    """Return the words quoted for a POSIX shell."""
    return shlex.join(words)


def _portable(work: Work) -> Sequence[str]:
    """Return the command for a client that knows no Env lines: `env` sets the sweep's variables."""
    if not work.env:
        return work.words
    return ("env", *(f"{name}={value}" for name, value in work.env.items()), *work.words)


def task_record(
    ticket: int,
    task: int,
    timeout: float,
    work: Work,
    results: bytes,
    *,
    extra: bool = False,
    by_digest: bool = False,
) -> bytes:
    """Return one record of /task.

    `results` is what result_records returned: the same for all tasks, so made once.

    `extra` adds Task and Env lines, and Mode and Copy to inputs. `by_digest` gives large inputs by their SHA-256.
    """
    words = work.words if extra else _portable(work)
    lines = [
        f"Ticket={ticket}",
        f"Timeout={_seconds(timeout)}",
        f"CommandLine={command_line(words)}",
    ]
    if extra:
        lines.append(f"Task={task}")
        lines += [f"Env={name}={shlex.quote(value)}" for name, value in work.env.items()]
    inputs = [_input(item, by_digest, extra) for item in work.inputs]
    return b"".join(["\n".join(lines).encode() + b"\n", *inputs, results])


def reason(failed: Mapping[str, str]) -> str:
    """Return the reason in the query of /failed as one line for people, at most 1,000 characters."""
    return " ".join(failed.get("reason", "").split())[:1000]
