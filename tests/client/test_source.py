"""The client's source: what it may use, so that it runs on every host; and the one file that it is shipped as."""

from __future__ import annotations

import ast
import io
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from needs import need
from spe.launch import bundle

FOLDER = Path(__file__).parents[2] / "client"
SOURCES = sorted(FOLDER.rglob("*.py"))

# What only some systems have, and how each use of it is made safe: by a try, by hasattr, or by asking first.
NOT_EVERYWHERE = {
    "sched_getaffinity": "hasattr",
    "waitid": "hasattr",
    "P_ALL": "hasattr",
    "WEXITED": "hasattr",
    "WNOWAIT": "hasattr",
}
FORBIDDEN = {
    "pidfd_open", "memfd_create", "posix_spawn", "sendfile", "splice", "copy_file_range", "eventfd", "getrandom",
    "sched_setaffinity", "setns", "unshare", "epoll", "inotify", "preadv", "pwritev", "O_TMPFILE", "O_PATH",
    "preexec_fn", "sigtimedwait", "signalfd", "setresuid", "PRIO_PROCESS", "O_DIRECT", "fork_exec",
}  # fmt: skip


def trees() -> list[tuple[str, ast.Module]]:
    return [(path.relative_to(FOLDER).as_posix(), ast.parse(path.read_text())) for path in SOURCES]


def test_only_the_standard_library_is_imported() -> None:
    for name, tree in trees():
        for node in ast.walk(tree):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            for module in modules:
                assert module.split(".")[0] in sys.stdlib_module_names, f"{name}:{node.lineno} imports {module}"


def test_nothing_is_used_that_only_linux_has_without_asking_first() -> None:
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                assert node.attr not in FORBIDDEN, f"{name}:{node.lineno}: {node.attr}"
            if isinstance(node, ast.FunctionDef):
                used = {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}
                if used & set(NOT_EVERYWHERE):
                    assert "hasattr(os" in ast.unparse(node), f"{name}: {node.name} does not ask hasattr"


def test_what_proc_tells_is_read_where_its_absence_is_expected() -> None:
    for name, tree in trees():
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            text = ast.unparse(function).replace("content('/proc", "")  # which is empty then
            if "'/proc" in text or "_CHILDREN %" in text:
                assert "except OSError" in text, f"{name}: {function.name} relies on /proc"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_it_is_python_3_6(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 6))


def test_vermin_finds_nothing_newer_than_3_6() -> None:
    vermin = shutil.which("vermin") or shutil.which("vermin", path=str(Path(sys.executable).parent))
    need(vermin, "needs vermin: pip install vermin")
    assert vermin
    words = [vermin, "-q", "--no-tips", "-t=3.6-", *map(str, SOURCES)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_functions_and_files_are_small() -> None:
    for name, tree in trees():
        functions = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)]
        too_long = [one.name for one in functions if (one.end_lineno or 0) - one.lineno > 40]
        assert not too_long, f"{name}: {too_long}"
    assert max(len(path.read_text().split("\n")) for path in SOURCES) < 300


def test_no_object_uses_the_private_names_of_another() -> None:
    """`os._exit` and `_asdict` of named tuples are public by their documentation."""
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
                assert is_own or node.attr in ("_exit", "_asdict"), f"{name}:{node.lineno}: {ast.unparse(node)}"
            if isinstance(node, ast.ImportFrom):
                private = [alias.name for alias in node.names if alias.name.startswith("_")]
                assert not private, f"{name}:{node.lineno} imports {private}"


def told_events() -> set[str]:
    """The names of what threads put into the loop's inbox, and of what hands say to their client."""
    ways = {"tell": "inbox", "_say": "self", "say": "", "_tell_unbegun": "self", "send": "channel"}
    found = set()
    for name, tree in trees():
        if not name.startswith(("loop/", "hand/")):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            way = ast.unparse(node.func).split(".")
            owner = way[-2] if len(way) > 1 else ""
            if ways.get(way[-1]) == owner and (name.startswith("hand/") or "inbox" in way):
                found.add(str(node.args[0].value))
    own_signals = {"got signal"} if "self.tell('got signal'" in ast.unparse(dict(trees())["loop/inbox.py"]) else set()
    by_the_client = {"killed"} if "('killed', " in ast.unparse(dict(trees())["loop/hands.py"]) else set()
    return found | own_signals | by_the_client


def test_the_loop_has_a_handler_for_each_event_that_it_is_told_and_for_no_other() -> None:
    (table,) = (
        node
        for node in ast.walk(dict(trees())["loop/loop.py"])
        if isinstance(node, ast.Dict) and len(node.keys) > 10
    )
    handled = {key.value for key in table.keys if isinstance(key, ast.Constant)}
    assert handled == told_events()


def test_the_one_file_is_the_same_each_time_and_holds_the_client_alone() -> None:
    bundle._pack.cache_clear()
    first = bundle.client_pyz()
    bundle._pack.cache_clear()
    assert bundle.client_pyz() == first
    assert first.startswith(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        names = archive.namelist()
    inner = [path.relative_to(FOLDER).as_posix() for path in SOURCES]
    package = [name for name in inner if name not in ("__main__.py", "installed.py")]
    expected = {f"spe_client/{name}" for name in package} | {"__main__.py"}
    assert set(names) == expected
    assert len(first) < 150_000


def test_what_is_shipped_is_the_source_without_words_for_people() -> None:
    """The same program, each line at its old number."""
    for path in SOURCES:
        source = path.read_bytes()
        bare = bundle.stripped(source)
        assert bare.count(b"\n") == source.count(b"\n"), path
        assert shape(bare) == shape(source), path
    stripped = sum(len(bundle.stripped(path.read_bytes())) for path in SOURCES)
    assert stripped < 0.85 * sum(path.stat().st_size for path in SOURCES)


def shape(source: bytes) -> str:
    """Return the syntax tree with the lines at which things begin, each docstring as an empty one."""
    tree = ast.parse(source)
    for one in ast.walk(tree):
        if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant):
            one.value.value = ""
        if hasattr(one, "end_lineno"):  # of a class that is all docstring the end moves with it
            one.end_lineno = one.end_col_offset = one.col_offset = None
    return ast.dump(tree, include_attributes=True)


def test_it_is_packed_once_however_many_threads_ask_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    packed, strip = [], bundle.stripped

    def counted(source: bytes) -> bytes:
        packed.append(source)
        return strip(source)

    monkeypatch.setattr(bundle, "stripped", counted)
    bundle._pack.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: bundle.client_pyz(), range(8)))
    assert len(set(found)) == 1
    assert len(packed) == len(SOURCES) - 1, "all but the start of the installed client, once each"


def test_its_name_is_made_of_its_content() -> None:
    assert bundle.client_name().startswith("client-")
    assert len(bundle.client_name()) == len("client-0123456789abcdef.pyz")


def test_the_client_imports_nothing_of_the_master() -> None:
    for name, tree in trees():
        text = ast.unparse(tree)
        assert "import spe" not in text and "from spe" not in text, name
