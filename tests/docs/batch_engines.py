"""Stand-ins for HTCondor and Slurm: they run the submit files and array scripts of a page, one run after another.

They know what that page uses and refuse all else: a line that they do not know would not be compared.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

PLATFORM = {"OpSys": "LINUX", "Arch": {"x86_64": "X86_64"}.get(os.uname().machine, os.uname().machine)}
HELD_BY_SIGNAL = "ExitBySignal == true"
UNTIL_77 = "ExitCode != 77"
MOST = 60.0  # seconds of a run without a limit
IGNORED = {
    "log", "error", "request_cpus", "request_memory", "request_disk", "requirements", "should_transfer_files",
    "when_to_transfer_output", "concurrency_limits",
}  # fmt: skip


# -- HTCondor


def submit(file: Path, environment: Mapping[str, str], limit: float = MOST) -> None:
    """Run all that a submit file queues. `limit`: seconds in place of those of periodic_remove."""
    commands, queue = _parsed(file.read_text())
    for number, item in enumerate(_items(queue, file.parent)):
        values = {**item, "Process": str(number)}
        filled = {key: _filled(text, values) for key, text in commands.items()}
        _run_condor(filled, file.parent, environment, limit)


def _parsed(text: str) -> tuple[dict[str, str], str]:
    commands: dict[str, str] = {}
    for line in text.splitlines():
        key, is_command, value = line.partition("=")
        if line.startswith("queue"):
            return commands, line.removeprefix("queue").strip()
        assert is_command, line
        commands[key.strip()] = value.strip()
    raise AssertionError("nothing is queued")


def _items(queue: str, folder: Path) -> Iterator[dict[str, str]]:
    if queue.isdigit():
        yield from ({} for _ in range(int(queue)))
    elif found := re.fullmatch(r"(\w+) in \((.*)\)", queue):
        yield from ({found[1]: item} for item in re.split(r"[\s,]+", found[2]))
    elif found := re.fullmatch(r"(\w+) matching (\S+)", queue):
        for path in sorted(folder.glob(found[2])):
            yield {found[1]: str(path.relative_to(folder))}
    else:
        names, _, file = queue.partition(" from ")
        assert file, queue
        variables = re.split(r"[\s,]+", names)
        for line in (folder / file).read_text().splitlines():
            # The last variable gets the rest of the line.
            cells = re.split(r"\s*,\s*|\s+", line.strip(), maxsplit=len(variables) - 1)
            yield dict(zip(variables, cells, strict=True))


def _filled(text: str, values: Mapping[str, str]) -> str:
    text = re.sub(r"\$\$\((\w+)\)", lambda match: PLATFORM[match[1]], text)
    return re.sub(r"\$\((\w+)\)", lambda match: values[match[1]], text)


def _words(text: str) -> list[str]:
    """Arguments or variables in HTCondor's newer syntax, in double quotes, or in the older one."""
    if text.startswith('"'):
        assert '"' not in text[1:-1] and "\\" not in text and "''" not in text, text
        return shlex.split(text[1:-1])
    assert not set(text) & set("'\"\\"), text
    return text.split()


def _run_condor(commands: dict[str, str], folder: Path, environment: Mapping[str, str], limit: float) -> None:
    """Run one process of a cluster in a sandbox of its own."""
    sandbox = Path(tempfile.mkdtemp(dir=folder))
    executable = commands.pop("executable")
    keeps_paths = commands.pop("preserve_relative_paths", "False") == "True"
    for name in [executable, *_names(commands.pop("transfer_input_files", ""))]:
        target = sandbox / (name if keeps_paths else Path(name).name)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(folder / name, target)
    own = dict(word.split("=", 1) for word in _words(commands.pop("environment", "")))
    words = [f"./{executable}", *_words(commands.pop("arguments"))]
    output = folder / commands.pop("output")
    for _ in range(int(commands.pop("max_retries", "0")) + 1):
        code = _code(words, sandbox, {**environment, **own}, output, limit if "periodic_remove" in commands else MOST)
        # Removed, held or done: it is not tried again.
        if code in (None, 0) or (code < 0 and "on_exit_hold" in commands):
            break
        if "retry_until" in commands and code != 77:
            break
    assert commands.pop("retry_until", UNTIL_77) == UNTIL_77
    assert commands.pop("on_exit_hold", HELD_BY_SIGNAL) == HELD_BY_SIGNAL
    commands.pop("periodic_remove", None)
    _bring_back(commands, sandbox, folder)
    shutil.rmtree(sandbox)
    assert set(commands) <= IGNORED, commands


def _code(
    words: list[str], sandbox: Path, environment: Mapping[str, str], output: Path, seconds: float
) -> int | None:
    """Run the program once; None: it was removed."""
    output.parent.mkdir(exist_ok=True)
    with output.open("wb") as stream:
        try:
            return subprocess.run(words, cwd=sandbox, env=environment, stdout=stream, timeout=seconds).returncode
        except subprocess.TimeoutExpired:
            return None


def _bring_back(commands: dict[str, str], sandbox: Path, folder: Path) -> None:
    """Copy the files that the program has written, under the names that are asked for."""
    remaps = dict(re.findall(r"([^=;\s]+)\s*=\s*([^;\s]+)", commands.pop("transfer_output_remaps", "").strip('"')))
    for name in _names(commands.pop("transfer_output_files", "")):
        target = folder / remaps.get(name, name)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(sandbox / name, target)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


# -- Slurm

# The program `sbatch`: it runs the array at once, so that whatever depends on it may begin.
SBATCH = f"""#!{sys.executable}
import os, re, shlex, subprocess, sys, time
known = {{"array", "output", "error", "time", "cpus-per-task", "dependency", "wrap", "parsable", "licenses"}}
options, script = {{}}, ""
for word in sys.argv[1:]:
    if word.startswith("--"):
        name, _, value = word[2:].partition("=")
        options[name] = value
    else:
        script = word
counter = "sbatch.count"
array = str(int(open(counter).read()) + 1) if os.path.exists(counter) else "41"
open(counter, "w").write(array)
if "dependency" in options:
    kind, before = options["dependency"].split(":")
    assert kind == "afterok" and before == str(int(array) - 1) and os.path.exists(before + ".ok")
if "wrap" in options:
    words = ["/bin/sh", "-c", options["wrap"]]
else:
    words = ["bash", script]
    for name, value in re.findall(r"^#SBATCH --([\\w-]+)(?:=(\\S+))?$", open(script).read(), re.M):
        options.setdefault(name, value)
assert set(options) <= known, options
first, _, last = options.get("array", "0").partition("%")[0].partition("-")
codes = []
for task in range(int(first), int(last or first) + 1):
    environment = {{**os.environ, "SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_JOB_ID": array}}
    if "cpus-per-task" in options:
        environment["SLURM_CPUS_PER_TASK"] = options["cpus-per-task"]
    mark = "requeue." + array + "_" + str(task)
    while True:
        files = []
        for name in ("output", "error"):
            path = options.get(name, options.get("output", "slurm-%A_%a.out"))
            path = path.replace("%A", array).replace("%a", str(task))
            files.append(open(path, "ab"))  # Slurm makes no folders
            files[-1].truncate(0)  # as when it runs again
        code = subprocess.run(words, env=environment, stdout=files[0], stderr=files[1]).returncode
        if not os.path.exists(mark):
            break
        os.remove(mark)
    codes.append(code)
if not any(codes):
    open(array + ".ok", "w").close()
print(array if "parsable" in options else "Submitted batch job " + array)
"""

# The program `scontrol`, for `scontrol requeue ARRAY_TASK`.
SCONTROL = """#!/bin/sh
[ "$1" = requeue ] && : > "requeue.$2"
"""
