"""The user's own functions, in real processes that really hang and die."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from processes import is_alive
from spe.errors import ConfigError, HookError
from spe.hooks.hooks import Hooks, HookVerdict, ResultView, TaskView, VerdictKind
from spe.model import Kind, Output, ResultSpec
from spe.results.extract import Part
from spe.results.judge import Judgement
from waiting import wait_out, wait_until

SPECS = (ResultSpec("estimate", kind=Kind.FLOAT), ResultSpec("stdout"), ResultSpec("trace", "out/trace.csv", Kind.FILE))
VIEW = ResultView(
    (Output("estimate", "3.5"), Output("stdout", "a\n\ufffd", raw=b"a\n\xff")), {}, 0, "warn", "lab01", 2.5
)
TASK = TaskView(17, {"x": "1", "name": " a b "})


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No scratch folder stays behind, whatever a test did."""
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A sweep's folder, which has no more in it afterwards than what the functions wrote."""
    yield tmp_path
    assert not list(tmp_path.glob("**/__pycache__")) and not list(tmp_path.glob("core*"))


@asynccontextmanager
async def hooks(
    folder: Path, source: str, specs: Sequence[ResultSpec] = SPECS, limit: float = 20, log: list[str] | None = None
) -> AsyncIterator[Hooks]:
    (folder / "hooks.py").write_text(source)
    names = [name for name in ("check", "check2") if f"def {name}(" in source]
    gathers = [name for name in ("gather", "gather2") if f"def {name}(" in source]
    validate = ["non_empty", *(f"hooks.py:{name}" for name in names)]
    collect = ["table", *(f"hooks.py:{name}" for name in gathers)]
    made = Hooks(folder, specs, validate, collect, limit, *([log.append] if log is not None else []))
    try:
        yield made
    finally:
        await made.close()


def verdict(folder: Path, source: str, limit: float = 20, view: ResultView = VIEW) -> HookVerdict:
    async def ask() -> HookVerdict:
        async with hooks(folder, source, limit=limit) as made:
            return await made.validate(TASK, view)

    return asyncio.run(ask())


def import_error(folder: Path, source: str, validate: Sequence[str] = ("hooks.py:check",), limit: float = 20) -> str:
    (folder / "hooks.py").write_text(source)

    async def check() -> None:
        made = Hooks(folder, SPECS, validate, (), limit)
        try:
            await made.check_import()
        finally:
            await made.close()

    with pytest.raises(ConfigError) as fault:
        asyncio.run(check())
    return str(fault.value)


# What a function is given


def test_a_function_sees_the_task_and_the_result(folder: Path) -> None:
    source = """
def check(task, result):
    assert task.number == 17 and task.parameters == {"x": "1", "name": " a b "}
    assert result["estimate"] == "3.5" and result["stdout"] == "a\\n\\ufffd"
    assert list(result) == ["estimate", "stdout"] and result.get("no") is None
    assert result.path("estimate").read_bytes() == b"3.5\\n"
    assert result.path("stdout").read_bytes() == b"a\\n\\xff" and result.path("stdout").name == "stdout.txt"
    assert (result.exit_code, result.stderr, result.host, result.seconds) == (0, "warn", "lab01", 2.5)
    return True
"""
    assert verdict(folder, source) == HookVerdict(VerdictKind.ACCEPTED)


def test_a_function_reads_long_texts_and_files_themselves(folder: Path) -> None:
    long = folder / "upload1"
    long.write_bytes(b"x" * 100_000 + b"\r\n")
    (folder / "upload2").write_bytes(b"1,2\n")
    outputs = (
        Output("stdout", "xxx … (100 kB in all)", file="files/17/stdout.txt", size=100_002),
        Output("trace", "files/17/trace.csv", file="files/17/trace.csv", size=4),
    )
    source = """
def check(task, result):
    assert result["stdout"] == "x" * 100000
    assert result["trace"] == "1,2"
    assert result.path("trace").read_bytes() == b"1,2\\n" and result.path("trace").suffix == ".csv"
    return True
"""
    view = ResultView(outputs, {"stdout": long, "trace": folder / "upload2"})
    assert verdict(folder, source, view=view).reason == ""
    in_memory = ResultView(outputs, {"stdout": long}, data={"trace": b"1,2\n"})
    assert verdict(folder, source, view=in_memory).reason == ""


def test_results_that_are_gone_from_spe_yaml_are_still_given(folder: Path) -> None:
    (folder / "old").write_bytes(b"long\n")
    outputs = (Output("short", "1"), Output("long", "…", file="files/17/long.txt", size=5))
    source = "def check(task, result): return result['short'] == '1' and result['long'] == 'long'"
    assert verdict(folder, source, view=ResultView(outputs, {"long": folder / "old"})).reason == ""


def test_a_function_runs_in_the_folder_and_imports_what_lies_there(folder: Path) -> None:
    (folder / "helper.py").write_text("limit = 3")
    (folder / "json.py").write_text("raise RuntimeError('not the one of Python')")
    source = """
import os, helper
def check(task, result):
    return os.getcwd() == os.path.dirname(__file__) and float(result["estimate"]) > helper.limit
"""
    assert verdict(folder, source).kind is VerdictKind.ACCEPTED


def test_what_a_function_prints_goes_to_the_log(folder: Path) -> None:
    source = """
import subprocess, sys
print("importing Größe")
def check(task, result):
    print("seen", task.number)
    subprocess.run(["echo", "from a child"])
    assert sys.stdin.read() == ""
    return True
"""
    log: list[str] = []

    async def ask() -> HookVerdict:
        async with hooks(folder, source, log=log) as made:
            return await made.validate(TASK, VIEW)

    assert asyncio.run(ask()).kind is VerdictKind.ACCEPTED
    assert log == ["importing Größe", "seen 17", "from a child"]


# What a function says


@pytest.mark.parametrize(
    ("returned", "kind", "reason"),
    [
        ("True", VerdictKind.ACCEPTED, ""),
        ("False", VerdictKind.REJECTED, "hooks.py:check said no"),
        ("'too\\n small'", VerdictKind.REJECTED, "too small"),
        ("__import__('types').new_class('bool_', (int,))(0)", VerdictKind.REJECTED, "hooks.py:check said no"),
        ("None", VerdictKind.HOOK_FAULT, "hooks.py:check returned None: it must return True, False or a reason"),
        ("''", VerdictKind.HOOK_FAULT, "hooks.py:check returned '': it must"),
        ("1.5", VerdictKind.HOOK_FAULT, "hooks.py:check returned 1.5: it must"),
    ],
)
def test_a_function_says_yes_or_no_or_why_not(folder: Path, returned: str, kind: VerdictKind, reason: str) -> None:
    said = verdict(folder, f"def check(task, result): return {returned}")
    assert said.kind is kind and said.reason.startswith(reason)


def test_the_first_function_that_says_no_is_the_last_that_is_asked(folder: Path) -> None:
    source = """
def check(task, result): return "first"
def check2(task, result): raise RuntimeError
"""
    assert verdict(folder, source) == HookVerdict(VerdictKind.REJECTED, "first")


def test_without_functions_everything_is_accepted_and_nothing_is_started(folder: Path) -> None:
    assert verdict(folder, "this is not even Python") == HookVerdict(VerdictKind.ACCEPTED)


# What a function does wrong


def test_a_function_that_raises_is_reported_with_its_line(folder: Path) -> None:
    said = verdict(
        folder,
        "def check(task, result):\n    return help_me(result)\n\ndef help_me(r):\n    return float(r['nothing'])\n",
    )
    assert said.kind is VerdictKind.HOOK_FAULT
    first, *rest = said.reason.splitlines()
    assert first.startswith(
        "hooks.py:5: hooks.py:check failed at task 17: KeyError: \"no result 'nothing', there are: "
    )
    assert "line 2, in check" in said.reason and "line 5, in help_me" in said.reason
    assert "child.py" not in said.reason and "spe collect" in rest[-1]


def test_sys_exit_in_a_function_is_its_fault_and_ends_nothing(folder: Path) -> None:
    async def ask() -> list[VerdictKind]:
        source = "import sys\ndef check(task, result):\n    return task.number > 1 or sys.exit(3)\n"
        async with hooks(folder, source) as made:
            return [(await made.validate(TaskView(n, {}), VIEW)).kind for n in (1, 2)]

    assert asyncio.run(ask()) == [VerdictKind.HOOK_FAULT, VerdictKind.ACCEPTED]


DEATHS = {
    "import os; os._exit(7)": "ended its process with exit code 7",
    "import ctypes; ctypes.string_at(0)": "died of signal 11 (SIGSEGV)",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": "died of signal 9 (SIGKILL)",
    "import os, signal; os.kill(os.getpid(), signal.SIGTERM)": "died of signal 15 (SIGTERM)",
    "import os; os.abort()": "died of signal 6 (SIGABRT)",
    "import os; os.closerange(3, 100); __import__('time').sleep(1000)": "closed its connection to spe",
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_function_that_ends_its_process_is_blamed_when_it_has_done_so_twice(folder: Path, death: str) -> None:
    source = f"""
def check(task, result):
    with open("calls", "a") as f: f.write(f"{{task.number}} ")
    if task.number == 3:
        {death}
    return True
"""
    log: list[str] = []

    async def ask() -> list[HookVerdict]:
        async with hooks(folder, source, log=log) as made:
            return await asyncio.gather(*(made.validate(TaskView(n, {}), VIEW) for n in range(6)))

    said = asyncio.run(ask())
    assert [v.kind is VerdictKind.ACCEPTED for v in said] == [True, True, True, False, True, True]
    assert f"hooks.py:check at task 3 {DEATHS[death]}, and again when it was called once more" in said[3].reason
    assert "If it does not end its process itself, something on this machine does" in said[3].reason
    assert (folder / "calls").read_text().split() == ["0", "1", "2", "3", "3", "4", "5"]
    assert any(f"hooks.py:check at task 3 {DEATHS[death]}; it is called once more" in line for line in log), log
    if "SEGV" in DEATHS[death] or "ABRT" in DEATHS[death]:
        assert said[3].reason.startswith("hooks.py:5: ") and 'hooks.py", line 5 in check' in said[3].reason


# What ends the process from outside


def waiting(name: str, number: int = 3, times: int = 1) -> str:
    """A function that tells each call, and in the first ones of a task waits for what comes from outside."""
    return f"""
import os, time
def {name}(task, result):
    with open("calls", "a") as f: f.write(f"{{task.number}} {{os.getpid()}}\\n")
    while task.number == {number} and open("calls").read().count("{number} ") <= {times}: time.sleep(0.01)
    return True
"""


def calls(folder: Path) -> list[tuple[int, int]]:
    """The calls until now: task, process."""
    lines = (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []
    return [(int(task), int(pid)) for task, pid in (line.split() for line in lines)]


async def the_call(folder: Path, number: int, count: int) -> int:
    """The process of this call of a task, once it has begun."""
    while len(found := [pid for task, pid in calls(folder) if task == number]) < count:
        await asyncio.sleep(0.01)
    return found[count - 1]


BLOWS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM]


@pytest.mark.parametrize("blow", BLOWS)
def test_a_process_killed_from_outside_is_started_again_and_the_call_made_once_more(
    folder: Path, blow: signal.Signals
) -> None:
    async def ask() -> list[HookVerdict]:
        async with hooks(folder, waiting("check")) as made:
            asked = [asyncio.create_task(made.validate(TaskView(n, {}), VIEW)) for n in range(6)]
            os.kill(await the_call(folder, 3, 1), blow)
            return await asyncio.gather(*asked)

    assert [v.kind for v in asyncio.run(ask())] == [VerdictKind.ACCEPTED] * 6
    assert [task for task, _ in calls(folder)] == [0, 1, 2, 3, 3, 4, 5]


def test_a_process_that_is_killed_twice_in_one_call_is_told_as_it_is(folder: Path) -> None:
    async def ask() -> list[HookVerdict]:
        async with hooks(folder, waiting("check", times=2)) as made:
            asked = [asyncio.create_task(made.validate(TaskView(n, {}), VIEW)) for n in range(6)]
            for count in (1, 2):
                os.kill(await the_call(folder, 3, count), signal.SIGKILL)
            return await asyncio.gather(*asked)

    said = asyncio.run(ask())
    assert [v.kind is VerdictKind.ACCEPTED for v in said] == [True, True, True, False, True, True]
    assert "something on this machine does" in said[3].reason and "spe collect" in said[3].reason


def test_a_gather_whose_process_is_killed_is_called_once_more(folder: Path) -> None:
    async def ask() -> None:
        async with hooks(folder, waiting("gather")) as made:
            asked = [asyncio.create_task(made.gather(TaskView(n, {}), VIEW)) for n in range(6)]
            os.kill(await the_call(folder, 3, 1), signal.SIGKILL)
            await asyncio.gather(*asked)

    asyncio.run(ask())
    assert [task for task, _ in calls(folder)] == [0, 1, 2, 3, 3, 4, 5]


def test_a_process_killed_between_two_calls_costs_neither(folder: Path) -> None:
    async def ask() -> list[HookVerdict]:
        async with hooks(folder, waiting("check", number=-1)) as made:
            said = []
            for n in range(6):
                said.append(await made.validate(TaskView(n, {}), VIEW))
                os.kill(await the_call(folder, n, 1), signal.SIGKILL)
            return said

    assert [v.kind for v in asyncio.run(ask())] == [VerdictKind.ACCEPTED] * 6
    assert [task for task, _ in calls(folder)] == list(range(6))


IMPORTED_SLOWLY = r"""
import os, time
with open("imports", "a") as f: f.write(f"{os.getpid()}\n")
with open("imports") as f: first = len(f.readlines()) <= int(os.environ["SLOW_IMPORTS"])
while first: time.sleep(0.01)
def check(task, result): return True
"""


async def kill_imports(folder: Path, times: int) -> None:
    """Each of the first imports is killed in its middle."""
    path = folder / "imports"
    for count in range(1, times + 1):
        while not path.exists() or path.read_text().count("\n") < count:
            await asyncio.sleep(0.01)
        os.kill(int(path.read_text().split()[count - 1]), signal.SIGKILL)


@pytest.mark.parametrize("begin", ["check_import", "validate"])
def test_a_process_killed_while_it_imports_is_started_again(
    folder: Path, begin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOW_IMPORTS", "1")

    async def ask() -> HookVerdict:
        async with hooks(folder, IMPORTED_SLOWLY) as made:
            killing = asyncio.create_task(kill_imports(folder, 1))
            if begin == "check_import":
                await made.check_import()
            said = await made.validate(TASK, VIEW)
            await killing
            return said

    assert asyncio.run(ask()).kind is VerdictKind.ACCEPTED


def test_an_import_that_is_killed_twice_is_told_before_anything_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOW_IMPORTS", "2")

    async def ask() -> None:
        async with hooks(folder, IMPORTED_SLOWLY) as made:
            await asyncio.gather(made.check_import(), kill_imports(folder, 2))

    with pytest.raises(ConfigError) as fault:
        asyncio.run(ask())
    assert "importing hooks.py died of signal 9 (SIGKILL), and again when it was started once more" in str(fault.value)


def test_a_regex_whose_process_is_killed_rejects_nothing(folder: Path) -> None:
    specs = [ResultSpec("slope", regex=r"x=(\d)")]

    async def ask() -> list[Judgement]:
        async with hooks(folder, "", specs, limit=20) as made:
            part = {"slope": Part.of("slope", b"x=1")}
            first = await made.judge(part, 0, "f")
            mark = set(children())
            asked = [asyncio.create_task(made.judge(part, 0, "f")) for _ in range(100)]
            for pid in mark:
                os.kill(pid, signal.SIGKILL)
            return [first, *await asyncio.gather(*asked)]

    assert [j.reason for j in asyncio.run(ask())] == [None] * 101


def children() -> list[int]:
    """The processes that this one has started."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in found if b"spe.hooks.child" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_process_stopped_from_outside_has_not_hung(folder: Path) -> None:
    async def ask() -> list[HookVerdict]:
        async with hooks(folder, waiting("check"), limit=2) as made:
            asked = [asyncio.create_task(made.validate(TaskView(n, {}), VIEW)) for n in range(6)]
            os.kill(await the_call(folder, 3, 1), signal.SIGSTOP)
            return await asyncio.gather(*asked)

    assert [v.kind for v in asyncio.run(ask())] == [VerdictKind.ACCEPTED] * 6
    assert [task for task, _ in calls(folder)] == [0, 1, 2, 3, 3, 4, 5]


STOPPED_MASTER = """
import asyncio, sys
from pathlib import Path
from spe.hooks.hooks import *
from spe.model import *
async def main():
    hooks = Hooks(Path(sys.argv[1]), [ResultSpec("x")], ["hooks.py:check"], [], 4, print)
    print(await hooks.validate(TaskView(3, {}), ResultView([Output("x", "1")])))
    await hooks.close()
asyncio.run(main())
"""


def test_a_call_in_which_all_of_spe_was_stopped_has_not_hung(folder: Path) -> None:
    """As a laptop that sleeps, or a container that is paused."""
    (folder / "hooks.py").write_text(waiting("check"))
    master = subprocess.Popen([sys.executable, "-c", STOPPED_MASTER, str(folder)], stdout=subprocess.PIPE, text=True)
    wait_until(lambda: calls(folder), "the hook is called")
    both = (calls(folder)[0][1], master.pid)
    for pid in both:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    wait_out(7, began)
    for pid in both:
        os.kill(pid, signal.SIGCONT)
    wait_out(8, began)
    with (folder / "calls").open("a") as file:
        file.write("3 0\n")  # so that the call goes on
    said, _ = master.communicate(timeout=60)
    assert "ACCEPTED" in said, said
    assert [task for task, pid in calls(folder) if pid] == [3]


def test_a_process_that_the_system_refuses_for_a_moment_is_started_when_it_does_not(folder: Path) -> None:
    log: list[str] = []

    async def ask() -> HookVerdict:
        async with hooks(folder, "def check(task, result): return True", log=log) as made:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            # The limit is one of numbers, and other tests of this process may have left gaps between theirs: the
            # number that comes next is the lowest free one, and below it there is none.
            lowest_free = os.dup(0)
            os.close(lowest_free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
            try:
                asked = asyncio.create_task(made.validate(TASK, VIEW))
                while not log:
                    await asyncio.sleep(0.01)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            return await asked

    assert asyncio.run(ask()).kind is VerdictKind.ACCEPTED
    assert "the hook process could not be started ([Errno 24] Too many open files" in log[0]


@pytest.mark.parametrize(
    "hang", ["while True: pass", "import time; time.sleep(1000)", "import re; re.match('(a+)+$', 'a' * 60 + 'b')"]
)
def test_a_hang_is_killed_with_all_it_started_and_says_where(folder: Path, hang: str) -> None:
    source = f"""
import subprocess
def check(task, result):
    if task.number == 1:
        with open("pid", "w") as f: f.write(str(subprocess.Popen(["sleep", "1000"]).pid))
        {hang}
    return True
"""

    async def ask() -> list[HookVerdict]:
        async with hooks(folder, source, limit=3) as made:
            return await asyncio.gather(*(made.validate(TaskView(n, {}), VIEW) for n in range(3)))

    said = asyncio.run(ask())
    assert [v.kind for v in said] == [VerdictKind.ACCEPTED, VerdictKind.HOOK_FAULT, VerdictKind.ACCEPTED]
    assert "hooks.py:check at task 1 did not return within 3 s and was killed" in said[1].reason
    assert said[1].reason.startswith("hooks.py:6: ") and 'hooks.py", line 6 in check' in said[1].reason
    wait_until(lambda: not is_alive(int((folder / "pid").read_text())), "the hook process has ended")


def test_endless_prints_fill_neither_the_log_nor_the_event_loop(folder: Path) -> None:
    log: list[str] = []
    source = "def check(task, result):\n    while True: print('x' * 1000)\n"

    async def ask() -> tuple[HookVerdict, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        async with hooks(folder, source, limit=4, log=log) as made:
            ticking = asyncio.create_task(tick())
            said = await made.validate(TASK, VIEW)
            ticking.cancel()
            return said, ticks

    said, ticks = asyncio.run(ask())
    assert "did not return" in said.reason
    assert sum(map(len, log)) < 200_000 and "dropped" in log[-1]
    assert ticks > 20


def test_a_limit_is_for_one_call_not_for_all_that_wait(folder: Path) -> None:
    async def ask() -> list[VerdictKind]:
        source = "import time\ndef check(task, result):\n    time.sleep(1)\n    return True\n"
        async with hooks(folder, source, limit=5) as made:
            return [v.kind for v in await asyncio.gather(*(made.validate(TASK, VIEW) for _ in range(6)))]

    assert asyncio.run(ask()) == [VerdictKind.ACCEPTED] * 6


def test_a_function_that_always_hangs_is_called_three_times_and_no_more(folder: Path) -> None:
    source = """
def check(task, result):
    with open("calls", "a") as f: f.write(f"{task.number} ")
    while task.number not in (2, 3): pass
    return True
"""

    async def ask() -> list[HookVerdict]:
        async with hooks(folder, source, limit=1.5) as made:
            at_once = await asyncio.gather(*(made.validate(TaskView(n, {}), VIEW) for n in range(10)))
            return [*at_once, await made.validate(TaskView(10, {}), VIEW)]

    said = asyncio.run(ask())
    assert (folder / "calls").read_text().split() == ["0", "1", "2", "3", "4", "5", "6"]
    assert [n for n, v in enumerate(said) if v.kind is VerdictKind.ACCEPTED] == [2, 3]
    assert said[10].reason.startswith("not called: hooks.py:check hung 3 times in a row")


def test_an_import_that_breaks_later_is_reported_for_every_call(folder: Path) -> None:
    async def ask() -> list[HookVerdict]:
        async with hooks(folder, "def check(task, result): return True") as made:
            await made.check_import()
            (folder / "hooks.py").write_text("def check(task, result) return True")
            first = await asyncio.gather(*(made.validate(TASK, VIEW) for _ in range(3)))
            (folder / "hooks.py").write_text("def check(task, result): return True")
            return [*first, await made.validate(TASK, VIEW)]

    *broken, mended = asyncio.run(ask())
    assert all(v.kind is VerdictKind.HOOK_FAULT and "hooks.py:1: hooks.py does not import" in v.reason for v in broken)
    assert mended.kind is VerdictKind.ACCEPTED


# gather


def gathered(folder: Path, source: str, numbers: Sequence[int], limit: float = 20) -> list[str | None]:
    async def one(made: Hooks, number: int) -> str | None:
        try:
            await made.gather(TaskView(number, {}), VIEW)
        except HookError as fault:
            return str(fault)
        return None

    async def all_of_them() -> list[str | None]:
        async with hooks(folder, source, limit=limit) as made:
            return await asyncio.gather(*(one(made, number) for number in numbers))

    return asyncio.run(all_of_them())


def test_gather_is_called_once_for_each_task_in_order(folder: Path) -> None:
    source = (
        "def gather(task, result):\n    with open('all', 'a') as f: f.write(f'{task.number} ')\n    return 'whatever'\n"
    )
    assert gathered(folder, source, range(200)) == [None] * 200
    assert (folder / "all").read_text().split() == [str(n) for n in range(200)]


def test_a_gather_that_ends_its_process_is_called_twice_and_the_others_once(folder: Path) -> None:
    source = """
import os
def gather(task, result):
    with open("all", "a") as f: f.write(f"{task.number} ")
    if task.number % 3 == 1: os._exit(1)
    if task.number % 3 == 2: raise ValueError("no two")
"""
    said = gathered(folder, source, range(9))
    assert (folder / "all").read_text().split() == [str(n) for n in range(9) for _ in range(2 if n % 3 == 1 else 1)]
    assert [s is None for s in said] == [True, False, False] * 3
    assert "no two" in str(said[2]) and "exit code 1" in str(said[1])


def test_each_gather_function_is_called_whatever_the_other_does(folder: Path) -> None:
    source = """
def gather(task, result): raise ValueError("one")
def gather2(task, result): open("two", "w").close()
"""
    assert "one" in str(gathered(folder, source, [1])[0])
    assert (folder / "two").exists()


def test_what_gather_holds_in_buffers_is_written_in_the_end(folder: Path) -> None:
    source = "out = open('all', 'a')\ndef gather(task, result): out.write('x')\n"
    gathered(folder, source, range(5))
    assert (folder / "all").read_text() == "xxxxx"


def test_a_slow_gather_does_not_hold_up_validation(folder: Path) -> None:
    source = """
import os, time
def check(task, result): return True
def gather(task, result):
    open("begun", "w").close()
    while not os.path.exists("go on"): time.sleep(0.01)
"""

    async def ask() -> None:
        async with hooks(folder, source) as made:
            gathering = asyncio.create_task(made.gather(TASK, VIEW))
            while not (folder / "begun").exists():
                await asyncio.sleep(0.01)
            assert (await made.validate(TASK, VIEW)).kind is VerdictKind.ACCEPTED
            assert not gathering.done()
            (folder / "go on").touch()
            await gathering

    asyncio.run(ask())


# Before anything runs


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "import nothing_like_this",
            "hooks.py:1: hooks.py does not import: ModuleNotFoundError: No module named 'nothing_like",
        ),
        ("x = 1\ndef check(task, result)\n    pass", "hooks.py:2: hooks.py does not import: SyntaxError: expected ':'"),
        ("import sys\nsys.exit(4)", "hooks.py:2: hooks.py does not import: SystemExit: 4"),
        ("import os\nos._exit(4)", "importing hooks.py ended its process with exit code 4"),
        ("import ctypes\nctypes.string_at(0)", "hooks.py:2: importing hooks.py died of signal 11 (SIGSEGV)"),
        ("def chek(task, result): pass", "hooks.py: hooks.py has no function check\n  Did you mean chek?"),
        ("check = 3", "hooks.py: check in hooks.py is not a function but 3"),
        ("\ndef check(task): pass", "hooks.py:2: check(task) cannot be called with a task and a result"),
        ("async def check(task, result): pass", "hooks.py:1: check is not a plain function"),
    ],
)
def test_a_file_that_is_no_good_is_told_before_anything_runs(folder: Path, source: str, said: str) -> None:
    assert said in import_error(folder, source)


def test_an_import_that_hangs_is_told(folder: Path) -> None:
    said = import_error(folder, "\nwhile True: pass", limit=1)
    assert said.startswith("hooks.py:2: importing hooks.py did not return within 1 s and was killed")


def test_a_file_that_is_not_there_is_told(folder: Path) -> None:
    said = import_error(folder, "", ["mine.py:check"])
    assert said.startswith(f"mine.py: there is no mine.py in {folder}\n")


@pytest.mark.parametrize(
    "entry", ["../hooks.py:check", "sub/hooks.py:check", "hooks:check", "hooks.py:", "hooks.py:a-b"]
)
def test_what_names_no_function_beside_spe_yaml_is_told(folder: Path, entry: str) -> None:
    assert f"{entry!r} does not name a function" in import_error(folder, "", [entry])


def test_a_file_that_is_good_passes(folder: Path) -> None:
    async def check() -> None:
        async with hooks(folder, "def check(task, result): ...\ndef gather(task, *result): ...\n") as made:
            await made.check_import()

    asyncio.run(check())


# A regex


def judged(folder: Path, text: bytes, regex: str, limit: float = 20) -> list[Judgement]:
    specs = [ResultSpec("slope", regex=regex)]

    async def ask() -> list[Judgement]:
        async with hooks(folder, "", specs, limit=limit) as made:
            parts = [{"slope": Part.of("slope", data)} for data in (text, b"x=1")]
            return await asyncio.gather(*(made.judge(part, 0, "files/17") for part in parts))

    return asyncio.run(ask())


def test_a_regex_is_judged_as_in_this_process(folder: Path) -> None:
    first, second = judged(folder, b"x=2\n", r"x=(\d)")
    assert first == Judgement((Output("slope", "2", raw=b"x=2\n", size=4),))
    assert second.outputs[0].value == "1"
    assert judged(folder, b"\n", "y")[1].reason == "slope: no match for regex y in stdout"


def test_a_regex_that_runs_for_ever_is_a_reason(folder: Path) -> None:
    hung, good = judged(folder, b"a" * 60 + b"b", r"(a+)+$|x=(\d)", limit=1)
    assert hung.fault and not hung.outputs
    assert hung.reason == r"the search for slope: (a+)+$|x=(\d) did not return within 1 s and was killed"
    assert good.outputs[0].value == "1"


def test_a_part_that_vanished_is_a_fault_of_that_report_only(folder: Path) -> None:
    async def ask() -> list[Judgement]:
        async with hooks(folder, "", [ResultSpec("slope", regex="1")]) as made:
            gone = Part("slope", None, folder / "gone", 5)
            return [await made.judge({"slope": part}, 0, "f") for part in (gone, Part.of("slope", b"1"))]

    gone, good = asyncio.run(ask())
    assert gone.fault and "FileNotFoundError" in str(gone.reason) and good.reason is None


# The end


def test_closing_gives_those_who_wait_an_answer(folder: Path) -> None:
    async def ask() -> HookVerdict:
        (folder / "hooks.py").write_text(
            "import time\ndef check(task, result):\n    open('begun', 'w')\n    time.sleep(100)\n"
        )
        made = Hooks(folder, SPECS, ["hooks.py:check"])
        waiting = asyncio.create_task(made.validate(TASK, VIEW))
        while not (folder / "begun").exists():
            await asyncio.sleep(0.01)
        await made.close()
        return await waiting

    assert "closed" in asyncio.run(ask()).reason


MASTER = """
import asyncio, sys
from pathlib import Path
from spe.hooks.hooks import *
from spe.model import *
async def main():
    hooks = Hooks(Path(sys.argv[1]), [ResultSpec("x")], ["hooks.py:check"], [], 6)
    await hooks.validate(TaskView(1, {}), ResultView([Output("x", "1")]))
asyncio.run(main())
"""


@pytest.mark.parametrize("work", ["time.sleep(1000)", "while True: pass", "re.match('(a+)+$', 'a' * 60 + 'b')"])
def test_the_hook_process_does_not_outlive_its_master(
    folder: Path, work: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = f"""
import os, re, time
def check(task, result):
    result.path("x")
    with open("pid.new", "w") as f: f.write(str(os.getpid()))
    os.rename("pid.new", "pid")
    {work}
"""
    (folder / "hooks.py").write_text(source)
    scratch = tmp_path_factory.mktemp("temporary")
    environment = {**os.environ, "TMPDIR": str(scratch)}
    master = subprocess.Popen([sys.executable, "-c", MASTER, str(folder)], env=environment)
    wait_until((folder / "pid").exists, "the hook is called")
    master.send_signal(signal.SIGKILL)
    master.wait()
    wait_until(lambda: not is_alive(int((folder / "pid").read_text())), "the hook process has ended")
    if "re." not in work:  # a search in C lets nobody clean up: the kernel's alarm ends it
        wait_until(lambda: list(scratch.iterdir()) == [], "the scratch folder is empty")


def test_thousands_of_calls_a_second_are_answered(folder: Path) -> None:
    async def measure() -> float:
        """Calls a second in the best of twenty rounds: in others this machine may do something else."""
        async with hooks(folder, "def check(task, result): return float(result['estimate']) > 0\n") as made:
            await made.validate(TASK, VIEW)
            rounds = []
            for _ in range(20):
                begin = time.monotonic()
                await asyncio.gather(*(made.validate(TASK, VIEW) for _ in range(100)))
                rounds.append(time.monotonic() - begin)
            return 100 / min(rounds)

    assert asyncio.run(measure()) > 2000  # 15 000 on two quiet cores
