"""Starting a program without a shell: in its directory, in a session of its own, with its files.

It is done by posix_spawn where Python has it (3.8) and the system lets a session begin in it; else
by subprocess, which costs more.
"""

import errno
import os
import re
import signal
import subprocess
import time
from typing import Any, Dict, List, Tuple

from ..host import anchor, login_shell
from ..machine import facts, process_limit

# Seconds between tries, while the program's file is still open for writing: an input that is a
# program may be open in another process that is just being started.
PAUSES = (0.01, 0.05, 0.2)
# Python itself ignores these; programs shall die of them as they do elsewhere.
IGNORED = [signal.SIGPIPE, signal.SIGXFSZ]
NOT_FOUND = 127  # exit code of a shell that does not find its command
_NOT_FOUND = re.compile(
    r"(?<![\w./+-])([\w.+-]+)['\"\u2019]?: (?:command )?not found|command not found: ([\w.+-]+)"
    r"|env: \W?([\w.+-]+)\W?: No such file"
)
# Paths of programs by name and PATH. Without this each task would look through the folders.
_known: Dict[Tuple[bytes, bytes], bytes] = {}
MOST_KNOWN = 100  # programs; tasks may have a PATH each
_posix_spawn: Any = getattr(os, "posix_spawn", None)
_DUP2 = getattr(os, "POSIX_SPAWN_DUP2", 0)


def spawn(
    words: List[bytes], folder: str, environment: Dict[bytes, bytes], files: Dict[int, int]
) -> int:
    """Start a program and return its process.

    Raises OSError or ValueError when it cannot be started.

    `files`: open files by the numbers that they get in the program; it inherits the other standard
    files from this process.
    """
    for pause in PAUSES:
        try:
            return _spawn(words, folder, environment, files)
        except OSError as fault:
            if fault.errno != errno.ETXTBSY:
                raise
            time.sleep(pause)
    return _spawn(words, folder, environment, files)


def _spawn(
    words: List[bytes], folder: str, environment: Dict[bytes, bytes], files: Dict[int, int]
) -> int:
    global _posix_spawn
    if _posix_spawn:
        try:
            return _posix(words, folder, environment, files)
        except NotImplementedError:  # a C library without POSIX_SPAWN_SETSID
            _posix_spawn = None
    return _popen(words, folder, environment, files)


def _posix(
    words: List[bytes], folder: str, environment: Dict[bytes, bytes], files: Dict[int, int]
) -> int:
    os.chdir(folder)  # posix_spawn has no argument for the directory of the program
    try:
        return _posix_here(words, environment, files)
    finally:
        anchor.step_back()


def _posix_here(words: List[bytes], environment: Dict[bytes, bytes], files: Dict[int, int]) -> int:
    actions = [(_DUP2, file, number) for number, file in files.items()]
    options = {"file_actions": actions, "setsid": True, "setsigdef": IGNORED, "setsigmask": ()}
    if b"/" in words[0]:
        return int(_posix_spawn(words[0], words, environment, **options))
    known = (words[0], environment.get(b"PATH", b""))
    if known in _known:
        try:
            return int(_posix_spawn(_known[known], words, environment, **options))
        except (FileNotFoundError, PermissionError):  # the program has been moved or removed
            del _known[known]
    program = _found(words[0], environment)
    pid = int(_posix_spawn(program, words, environment, **options))
    _remember(known, program)
    return pid


def _remember(known: Tuple[bytes, bytes], program: bytes) -> None:
    """Remember where a program is, unless that depends on the current directory."""
    if all(one.startswith(b"/") for one in known[1].split(b":")) and len(_known) < MOST_KNOWN:
        _known[known] = program


def _found(name: bytes, environment: Dict[bytes, bytes]) -> bytes:
    """Return where a program is, by the PATH that it is going to have. Raises FileNotFoundError."""
    folders = os.get_exec_path(environment)  # type: ignore[arg-type]
    paths = [os.path.join(os.fsencode(folder), name) for folder in folders]
    for path in paths:
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    for path in paths:
        if os.path.isfile(path):
            return path  # starting it raises an error that says what is wrong with it
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


def keep_files_to_ourselves() -> None:
    """Have no program inherit the open files of this process: posix_spawn closes nothing by itself."""
    if not os.path.isdir("/dev/fd"):
        return
    for name in os.listdir("/dev/fd"):
        if int(name) > 2:
            try:
                os.set_inheritable(int(name), False)
            except OSError:  # the file of the listing itself, closed by now
                continue


def have_no_input() -> None:
    """Have programs read nothing, unless they are given something to read."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _popen(
    words: List[bytes], folder: str, environment: Dict[bytes, bytes], files: Dict[int, int]
) -> int:
    # A program inherits the signals that its starter blocks.
    blocked = signal.pthread_sigmask(signal.SIG_SETMASK, [])
    try:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=environment,
            stdin=files.get(0),
            stdout=files[1],
            stderr=files[2],
            start_new_session=True,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    process.returncode = 0  # or Popen would wait for the process, which the hand does
    return process.pid


def _first_line(path: str) -> str:
    """Return how a file begins, without its newline; "" where it is not there."""
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.readline(99)).rstrip("\n")
    except OSError:
        return ""


def why_not_started(program: bytes, folder: str, fault: Exception) -> str:
    """Return in one sentence why a program could not be started in its directory."""
    name, host = os.fsdecode(program), facts.name_for_people()
    if isinstance(fault, FileNotFoundError):
        text = "program '%s' not found on host %s"
        line = _first_line(os.path.join(folder, name)) if "/" in name else ""
        if line.startswith("#!"):
            text = "program '%s': the interpreter that its first line names is not found on host %s: "
            return text % (name, host) + repr(line)
        if line:
            text = "program '%s': its loader is not found on host %s"
        return text % (name, host) + login_shell.advice(name)
    if isinstance(fault, PermissionError):
        text = "program '%s' is not executable on host %s (its mode, or a noexec file system)"
        return text % (name, host)
    what = process_limit.reason(fault) if isinstance(fault, OSError) else fault
    return "program '%s' cannot be started on host %s: %s" % (name, host, what)


def program_not_found(stderr: str) -> str:
    """Return the program that a shell did not find, by the last line of this file; "" if unknown."""
    try:
        with open(stderr, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 1000))
            lines = file.read().decode("utf-8", "replace").strip().split("\n")
    except OSError:
        return ""
    found = _NOT_FOUND.search(lines[-1])
    return next((one for one in found.groups() if one), "") if found else ""
