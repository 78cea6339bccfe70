"""The wire as text: what the replies of docs/protocol.md look like. No HTTP here, only their bodies."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence

from ..model import Input, ResultSpec, Setup, Work, WorkerFile

BY_DIGEST = 64 * 1024  # inputs over this size are given by their SHA-256 to clients that ask for it


def _yes(flag: bool) -> str:
    return "Yes" if flag else "No"


def _seconds(value: float) -> str:
    """As a shell reads it: 1209600, 0.5; never 1.2096e+06."""
    shown = value if value == 0 else max(value, 0.001)  # 0 means none, so nothing else may look like it
    return f"{shown:.6f}".rstrip("0").rstrip(".")


def config(setup: Setup, client: str, file: WorkerFile | None, shell: str | None) -> str:
    """The reply to /config: lines of Key=Value. A client ignores keys that it does not know."""
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
        lines += ["RunsWorker=Yes"] if setup.runs_worker else []
    lines += ["Files=Yes"] if setup.files else []
    if file:
        lines += [f"MD5={file.md5}", f"SHA256={file.sha256}"]
    if shell:
        lines.append(f"Setup={json.dumps(shell)}")
    return "\n".join(lines) + "\n"


def digest(item: Input) -> str:
    """The name under which /file gives an input."""
    return item.sha256 or hashlib.sha256(item.content).hexdigest()


def _input(item: Input, by_digest: bool) -> bytes:
    head = f"[Input]\nFile={item.name}\nLength={item.size}\n"
    if by_digest and item.size > BY_DIGEST:
        return f"{head}SHA256={digest(item)}\n".encode()
    content = item.file.read_bytes() if item.file else item.content
    return head.encode() + b"--begin content--\n" + content + b"\n--end content--\n"


def result_records(results: Iterable[ResultSpec]) -> bytes:
    """The end of each record: which results there are."""
    return b"".join(f"[Result]\nName={spec.name}\nFile={spec.source}\n".encode() for spec in results)


def whole_outputs(results: Iterable[ResultSpec]) -> dict[str, str]:
    """Names and files of what is asked for beside these results where all of stdout and stderr is to be kept; stdout
    not twice. No result has such a name, and none comes from stderr."""
    more = {"-stderr": "stderr"}
    return more if any(spec.source == "stdout" for spec in results) else {"-stdout": "stdout", **more}


def command_line(words: Sequence[str]) -> str:
    """The words quoted as a POSIX shell reads them."""
    return shlex.join(words)


def _portable(work: Work) -> Sequence[str]:
    """The command for a client that knows no Env lines: `env` sets the sweep's variables."""
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
    """One record of /task. `results`: what result_records says of them, the same for all tasks.

    `extra`: with Task and Env lines; `by_digest`: large inputs by their SHA-256.
    """
    lines = [f"Ticket={ticket}", f"Timeout={_seconds(timeout)}"]
    lines.append(f"CommandLine={command_line(work.words if extra else _portable(work))}")
    if extra:
        lines.append(f"Task={task}")
        lines += [f"Env={name}={shlex.quote(value)}" for name, value in work.env.items()]
    inputs = [_input(item, by_digest) for item in work.inputs]
    return b"".join(["\n".join(lines).encode() + b"\n", *inputs, results])


def reason(failed: Mapping[str, str]) -> str:
    """One line for people out of the query of /failed."""
    return " ".join(failed.get("reason", "").split())[:1000]
