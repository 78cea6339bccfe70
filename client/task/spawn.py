"""Starting a program without a shell: in its directory, in a session of its own, with its own output; quickly.

posix_spawn where Python has it (3.8) and the system lets a session begin in it; else subprocess, which costs more.
"""

import errno
import os
import signal
import subprocess
import time
from typing import Any, Dict, List, Tuple

from ..host import anchor

PAUSES = (0.01, 0.05, 0.2)  # seconds between tries, while the program's file is still open for writing
IGNORED = [signal.SIGPIPE, signal.SIGXFSZ]  # by Python itself; programs shall die of them as elsewhere
_known: Dict[Tuple[bytes, bytes], bytes] = {}  # where a program is in a PATH
MOST_KNOWN = 100
_posix_spawn: Any = getattr(os, "posix_spawn", None)
_DUP2 = getattr(os, "POSIX_SPAWN_DUP2", 0)


def spawn(words: List[bytes], folder: str, environment: Dict[bytes, bytes], files: Dict[int, int]) -> int:
    """The process. files: by their numbers there; what is not named is ours.

    Raises OSError or ValueError when it can't be started.
    """
    for pause in PAUSES:
        try:
            return _spawn(words, folder, environment, files)
        except OSError as fault:  # an input that is a program may still be open in a process just being started
            if fault.errno != errno.ETXTBSY:
                raise
            time.sleep(pause)
    return _spawn(words, folder, environment, files)


def _spawn(words: List[bytes], folder: str, environment: Dict[bytes, bytes], files: Dict[int, int]) -> int:
    global _posix_spawn
    if _posix_spawn:
        try:
            return _posix(words, folder, environment, files)
        except NotImplementedError:  # a C library without POSIX_SPAWN_SETSID
            _posix_spawn = None
    return _popen(words, folder, environment, files)


def _posix(words: List[bytes], folder: str, environment: Dict[bytes, bytes], files: Dict[int, int]) -> int:
    os.chdir(folder)
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
        except (FileNotFoundError, PermissionError):  # it is there no more
            del _known[known]
    program = _found(words[0], environment)
    pid = int(_posix_spawn(program, words, environment, **options))
    _remember(known, program)
    return pid


def _remember(known: Tuple[bytes, bytes], program: bytes) -> None:
    """Unless it depends on the folder that one is in."""
    if all(one.startswith(b"/") for one in known[1].split(b":")) and len(_known) < MOST_KNOWN:
        _known[known] = program


def _found(name: bytes, environment: Dict[bytes, bytes]) -> bytes:
    """Where a program is, by the PATH that it is going to have."""
    paths = [os.path.join(os.fsencode(folder), name) for folder in os.get_exec_path(environment)]  # type: ignore[arg-type]
    for path in paths:
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    for path in paths:
        if os.path.isfile(path):
            return path  # starting it will say what is wrong with it
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


def keep_files_to_ourselves() -> None:
    """What we inherited open is not for our programs: posix_spawn closes nothing by itself."""
    for name in os.listdir("/dev/fd") if os.path.isdir("/dev/fd") else []:
        if int(name) > 2:
            try:
                os.set_inheritable(int(name), False)
            except OSError:  # the listing's own, closed by now
                continue


def have_no_input() -> None:
    """What we start reads nothing, unless it is given something to read."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _popen(words: List[bytes], folder: str, environment: Dict[bytes, bytes], files: Dict[int, int]) -> int:
    blocked = signal.pthread_sigmask(signal.SIG_SETMASK, [])  # it would be in the program, too
    try:
        process = subprocess.Popen(
            words, cwd=folder, env=environment, stdin=files.get(0), stdout=files[1], stderr=files[2],
            start_new_session=True,
        )  # fmt: skip
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    process.returncode = 0  # it is the loop that waits for it
    return process.pid
