"""The hook process (`python -m spe.hooks.child`): imports the user's files and calls their
functions.

It talks to the master over what were its standard input and output; the user's code gets /dev/null
and the log in their place. Whatever that code does (raises, exits, hangs, dies) stays in here.
Waiting for it and killing it is call_queue.py's business; what a function is given is views.py's.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import inspect
import os
import resource
import select
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from ..results.judge import judge, judge_again
from .messages import Answer, Call, HookSetup, Judge, Trouble, pack, receive
from .views import ResultForHook, TaskForHook

Function = Callable[[TaskForHook, ResultForHook], Any]
GOODBYE = 2.0  # seconds to finish the call and to flush files, once the master is gone
LONGEST = 8000  # characters of a traceback
# Seconds that the kernel's alarm leaves to the master, which kills with a better report
SLACK = 5.0


def main() -> None:
    """Serve until the master says goodbye or is gone."""
    requests, replies = _own_pipes()
    faulthandler.enable(int(sys.argv[1]), all_threads=False)
    faulthandler.register(signal.SIGUSR1, int(sys.argv[1]), all_threads=False)
    # A KeyboardInterrupt amid a function would look like a fault of that function.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # A hook that crashes must leave no core file in the user's folder.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    setup: HookSetup | None = receive(requests)
    if setup is None:
        return
    threading.Thread(
        target=_watch_master, args=(requests.fileno(), setup.scratch), daemon=True
    ).start()
    try:
        _serve(setup, requests, replies)
    finally:
        shutil.rmtree(setup.scratch, ignore_errors=True)


def _serve(setup: HookSetup, requests: BinaryIO, replies: BinaryIO) -> None:
    """Import the functions, then answer calls until the master closes the pipe."""
    _settle(setup.folder)
    try:
        functions = _load(setup)
        answer = Answer()
    except _Unusable as unusable:
        functions = []
        answer = Answer(unusable.trouble)
    _send(replies, answer)
    while (message := receive(requests)) is not None:
        # If the master dies meanwhile, the kernel still ends a call that hangs.
        signal.setitimer(signal.ITIMER_REAL, setup.limit + SLACK)
        answer = _answered(setup, functions, message)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send(replies, answer)


def _answered(setup: HookSetup, functions: list[Function], message: Judge | Call) -> Answer:
    """Return the answer to one message."""
    if isinstance(message, Judge):
        return _judged(setup, message)
    return _called(setup, functions, message)


def _send(replies: BinaryIO, answer: Answer) -> None:
    """Send an answer at once: the master takes the oldest call without an answer for the one that
    runs.
    """
    replies.write(pack(answer))
    replies.flush()


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take standard input and output for this module, so that no print of the user's gets between."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    return requests, replies


def _settle(folder: Path) -> None:
    """Make this process look like a script that was started in the sweep's folder.

    Leave no __pycache__.
    """
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    sys.argv = [""]


def _watch_master(requests: int, scratch: Path) -> None:
    """End this process, and all that it started, when the master is gone and a call does not
    return.
    """
    hangup = select.poll()
    hangup.register(requests, 0)  # nothing but the hang-up itself
    hangup.poll()
    time.sleep(GOODBYE)
    shutil.rmtree(scratch, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


class _Unusable(Exception):
    """The functions cannot be used: a file does not import, or a name is not a function."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.what)
        self.trouble = trouble


def _load(setup: HookSetup) -> list[Function]:
    """Return the functions in the order of the setup. Raises _Unusable."""
    modules: dict[str, ModuleType] = {}
    functions = []
    for entry in setup.functions:
        file, _, name = entry.partition(":")
        if file not in modules:
            modules[file] = _import(setup.folder, file)
        functions.append(_function(modules[file], file, name))
    return functions


def _import(folder: Path, file: str) -> ModuleType:
    """Return one file of the user's as a module. Raises _Unusable."""
    path = folder / file
    if not path.is_file():
        todo = f"Write it, or take {file}:… out of spe.yaml."
        raise _Unusable(Trouble(f"there is no {file} in {folder}", file=file, todo=todo))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # a name that ends in .py has a loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # before it runs: pickle and dataclasses look it up there
    try:
        spec.loader.exec_module(module)
    except BaseException as fault:
        raise _Unusable(_trouble(fault, folder, f"{file} does not import")) from None
    return module


def _function(module: ModuleType, file: str, name: str) -> Function:
    """Return one function. Raises _Unusable, with the name that may have been meant."""
    function = getattr(module, name, None)
    if callable(function):
        _takes_two(function, file, name)
        return function  # type: ignore[no-any-return]
    if function is not None:
        raise _Unusable(Trouble(f"{name} in {file} is not a function but {function!r}", file=file))
    there = [key for key, value in vars(module).items() if inspect.isfunction(value)]
    close = get_close_matches(name, there, 1)
    todo = f"Its functions: {', '.join(there) or 'none'}."
    if close:
        todo = f"Did you mean {close[0]}?"
    raise _Unusable(Trouble(f"{file} has no function {name}", file=file, todo=todo))


def _takes_two(function: Callable[..., Any], file: str, name: str) -> None:
    """Raise _Unusable unless the function can be called with a task and a result."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    line = 0
    if code:
        line = code.co_firstlineno
    todo = f"Write it as: def {name}(task, result):"
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        what = f"{name} is not a plain function: nobody would run it"
        raise _Unusable(Trouble(what, "", file, line, todo))
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        what = f"{name}{inspect.signature(function)} cannot be called with a task and a result"
        raise _Unusable(Trouble(what, "", file, line, todo)) from None
    except ValueError:
        pass  # a function in C that does not tell its signature: the call will


def _judged(setup: HookSetup, message: Judge) -> Answer:
    """Judge one report, where a regex may run for ever."""
    try:
        if message.again:
            return Answer(judgement=judge_again(message.specs, message.parts, message.folder))
        judgement = judge(
            message.specs, setup.validators, message.parts, message.exit_code, message.folder
        )
        return Answer(judgement=judgement)
    except Exception as fault:  # a file that vanished, no memory: the trouble of this report alone
        return Answer(_trouble(fault, setup.folder, "the result cannot be judged"))


def _called(setup: HookSetup, functions: list[Function], call: Call) -> Answer:
    """Call one function, and return what it said."""
    name = setup.functions[call.function]
    task = TaskForHook(call.number, dict(call.parameters))
    result = ResultForHook(call, setup.scratch)
    try:
        returned = functions[call.function](task, result)
        if call.wants_verdict:
            return _verdict(name, returned)
        return Answer()
    # Also sys.exit and KeyboardInterrupt: this process has more calls to serve.
    except BaseException as fault:
        return Answer(_trouble(fault, setup.folder, f"{name} failed at task {call.number}"))
    finally:
        result.forget()


def _verdict(name: str, returned: object) -> Answer:
    """Return what a validate function said: yes, no, or why not."""
    if isinstance(returned, str) and returned.strip():
        return Answer(reason=" ".join(returned.split())[:1000])  # a reason is one line everywhere
    # By name, because NumPy's comparisons return a bool of their own.
    if isinstance(returned, bool) or type(returned).__name__ in ("bool", "bool_"):
        if returned:
            return Answer()
        return Answer(reason=f"{name} said no")
    what = f"{name} returned {returned!r:.100}: it must return True, False or a reason"
    return Answer(Trouble(what))


def _trouble(fault: BaseException, folder: Path, what: str) -> Trouble:
    """Return what a person must see: the frames of the user's own files and of what they called,
    not ours.
    """
    report = traceback.TracebackException.from_exception(fault)
    frames = [
        frame for frame in report.stack if not frame.filename.startswith(("<frozen", __file__))
    ]
    here = [number for number, frame in enumerate(frames) if Path(frame.filename).parent == folder]
    report.stack = traceback.StackSummary.from_list(frames[here[0] :] if here else frames)
    last = "".join(report.format_exception_only()).strip().splitlines()[-1]
    file = ""
    line = 0
    if here:
        file = Path(frames[here[-1]].filename).name
        line = frames[here[-1]].lineno or 0
    if isinstance(fault, SyntaxError) and fault.filename:
        file = Path(fault.filename).name
        line = fault.lineno or 0
    shown = "".join(report.format()).rstrip()[-LONGEST:]
    return Trouble(f"{what}: {last[:300]}", shown, file, line)


if __name__ == "__main__":
    main()
