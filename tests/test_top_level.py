"""The shape of the project: what lies at its top, where the metadata is, who may import whom and which library."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

THE_USERS = {"master", "client", "workers", "examples", "tests", "spe.yaml", "setup.cfg", "README.md"}
EVERY_PROJECTS = {
    "pyproject.toml",
    "docs",
    "bench",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    ".ci",
    ".gitignore",
    "ruff.toml",
}

# From the top down, as docs/architecture.md has them: a room imports those below it only. GROUND stands for the files
# that lie in the folder itself and are nobody's but everybody's, TOP for those through which all is entered.
TOP, GROUND = "top", "ground"
ROOMS = {
    "master": [
        TOP, "cli", "api", "handin", "delegate", "pool", "runner", "earlier", "fleet", "notify", "page", "plot",
        "wire", "desk", "state", "cleaning", "doctor", "table", "hooks", "sweep", "store", "line", "config",
        "dispatch", "launch", "results", "session", "software", GROUND,
    ],
    "client": [TOP, "watch", "loop", "hand", "task", "software", "shared", "host", "machine", "wire", GROUND],
}  # fmt: skip
ENTRANCES = {
    "master": {"", "__main__"},
    "client": {"", "__main__", "installed", "start", "registration", "cleanup", "guard", "detach", "arguments"},
}
MOST_FILES, MOST_ON_THE_GROUND = 15, 10
COMMANDS = "cli"  # a file a command, as many as there are

# What goes through all rooms has tests of its own beside the folders that are named after rooms; lab/ is the hosts.
THROUGH_ALL_ROOMS = {
    "client", "docs", "drills", "examples", "farm", "hostile", "on_hosts", "protocol", "weeks", "lab",
}  # fmt: skip

# Each library is met at one door.
DOORS = {
    "paramiko": ("launch.ssh.",),
    "scp": ("launch.ssh.transfer",),
    "sqlite3": ("store.", "full_disk"),
    "sqlalchemy": ("pool.registry.",),
    "aiohttp": ("wire.", "page", "pool.gate."),
    "yaml": ("config.yaml_file",),
    "ClusterShell": ("sweep.host_ranges",),
    "click": ("cli",),
    "rich": ("state.terminal", "cli.pager"),
    "jinja2": ("sweep.expression", "sweep.where.compiled", "page", "handin.report"),
    "cryptography": ("session.certificate", "launch."),
}


def modules(folder: str) -> dict[str, ast.Module]:
    """Every module of a package by its dotted name below it; a package stands for its __init__."""
    found = {}
    for file in sorted((ROOT / folder).rglob("*.py")):
        parts = file.relative_to(ROOT / folder).with_suffix("").parts
        if "first_sweep" not in parts:
            found[".".join(part for part in parts if part != "__init__")] = ast.parse(file.read_text(encoding="utf-8"))
    return found


def imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """All of them: also the late ones inside functions, and those for types alone."""
    return (n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom))


def absolute(tree: ast.Module) -> set[str]:
    """The top names of what is imported absolutely."""
    names = set()
    for node in imports(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif node.level == 0:
            names.add(str(node.module).partition(".")[0])
    return names


def graph(folder: str) -> dict[str, set[str]]:
    """module -> the modules of the same package that it imports."""
    trees = modules(folder)
    edges: dict[str, set[str]] = {}
    for name, tree in trees.items():
        is_package = any(other.startswith(f"{name}.") for other in trees) or name == ""
        here = name.split(".") if name else []
        edges[name] = set()
        for node in imports(tree):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            up = node.level - (1 if is_package else 0)
            base = here[: len(here) - up] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                as_module = ".".join([*base, alias.name])
                edges[name].add(as_module if as_module in trees else ".".join(base))
        edges[name].discard(name)
    return edges


def reachable(edges: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for name in edges.get(waiting.pop(), set()) - seen:
            seen.add(name)
            waiting.append(name)
    return seen


def room(folder: str, name: str) -> str:
    """The room in which a module lies."""
    if name in ENTRANCES[folder]:
        return TOP
    first, _, rest = name.partition(".")
    return first if rest or first in ROOMS[folder] else GROUND


def test_the_top_level_is_the_users_eight_names_and_what_every_project_has() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        found = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    else:  # an unpacked source archive
        found = {p.name for p in ROOT.iterdir()} - {".git", "runs", "build", "spe.egg-info"}
        found = {name for name in found if not name.startswith((".venv", ".mypy", ".ruff", ".pytest", ".hypothesis"))}
    assert found >= THE_USERS
    assert found - THE_USERS - EVERY_PROJECTS == set()


def test_the_metadata_is_in_setup_cfg_and_pyproject_only_names_the_build_system() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["metadata"]["name"] == "spe"
    assert "install_requires" in setup["options"]
    assert set(tomllib.loads((ROOT / "pyproject.toml").read_text())) == {"build-system"}


def test_every_package_is_installed() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["options"]["packages"].split())
    folders = {"master": "spe", "client": "spe.client", "workers": "spe.workers"}
    for folder, package in folders.items():
        for file in (ROOT / folder).rglob("__init__.py"):
            parts = file.parent.relative_to(ROOT / folder).parts
            if "first_sweep" not in parts:
                assert ".".join([package, *parts]) in listed


def test_every_file_that_is_no_module_is_installed() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    installed = set()
    for package, patterns in setup["options.package_data"].items():
        folder = ROOT.joinpath("master", *package.split(".")[1:])
        installed |= {file for pattern in patterns.split() for file in folder.glob(pattern)}
    others = {file for file in (ROOT / "master").rglob("*") if file.is_file() and not file.match("*.py*")}
    assert {str(file) for file in others - installed} == set()


@pytest.mark.parametrize("folder", ["master", "client", "tests", "examples", "workers", "bench"])
def test_nobody_imports_the_folders_by_their_names(folder: str) -> None:
    for name, tree in modules(folder).items():
        assert not absolute(tree) & {"master", "client", "workers"}, f"{folder}/{name}"


@pytest.mark.parametrize("folder", ["master", "client"])
def test_inside_a_package_imports_are_relative(folder: str) -> None:
    for name, tree in modules(folder).items():
        assert "spe" not in absolute(tree), f"{folder}/{name}"


def test_the_master_imports_nothing_of_the_client() -> None:
    for name, targets in graph("master").items():
        assert not {target for target in targets if target.partition(".")[0] == "client"}, name


def test_the_client_has_the_standard_library_only() -> None:
    for name, tree in modules("client").items():
        assert absolute(tree) <= set(sys.stdlib_module_names) | {"__future__"}, name


@pytest.mark.parametrize("folder", ["master", "client"])
def test_imports_go_in_no_circle(folder: str) -> None:
    edges = graph(folder)
    circles = [name for name in edges if name and name in reachable(edges, name)]
    assert circles == []


@pytest.mark.parametrize("folder", ["master", "client"])
def test_rooms_import_only_rooms_below_them(folder: str) -> None:
    order = ROOMS[folder]
    upwards = [
        f"{name} imports {other}"
        for name, targets in graph(folder).items()
        for other in targets
        if order.index(room(folder, name)) > order.index(room(folder, other))
    ]
    assert upwards == []


@pytest.mark.parametrize("folder", ["master", "client"])
def test_every_module_is_in_a_room_and_no_room_is_crowded(folder: str) -> None:
    in_rooms = Counter(room(folder, name) for name in modules(folder))
    assert set(in_rooms) == set(ROOMS[folder])
    in_folders = Counter(file.parent for file in (ROOT / folder).rglob("*.py") if file.name != "__init__.py")
    on_the_ground = in_folders.pop(ROOT / folder)
    assert on_the_ground <= MOST_ON_THE_GROUND
    crowded = {str(path): count for path, count in in_folders.items() if count > MOST_FILES and path.name != COMMANDS}
    assert crowded == {}


@pytest.mark.parametrize("folder", ["master", "client"])
def test_each_room_has_a_map_with_one_line_a_file(folder: str) -> None:
    for init in sorted((ROOT / folder).rglob("__init__.py")):
        if init.parent == ROOT / folder:
            continue
        words = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8")), clean=False) or ""
        drawn = re.findall(r"^    (\w+)  +\S", words, re.MULTILINE)
        there = sorted(path.stem for path in init.parent.glob("*.py") if path != init)
        assert drawn == there, f"the map in {init.relative_to(ROOT)} is not what lies there"


def test_the_tests_lie_in_rooms_and_their_names_do_not_say_so_again() -> None:
    files = [file for file in (ROOT / "tests").rglob("*.py") if file.parent != ROOT / "tests"]
    folders = {file.parent for file in files if "samples" not in file.parts}
    rooms = [folder.relative_to(ROOT / "tests") for folder in folders]
    assert {room.parts[0] for room in rooms} <= {*ROOMS["master"], *THROUGH_ALL_ROOMS}
    # A folder within a room is named after one there.
    assert [room for room in rooms if len(room.parts) > 1 and not (ROOT / "master" / room).is_dir()] == []
    assert [
        folder.name
        for folder in folders
        if not ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    ] == []
    named_twice = [file for file in files if re.match(rf"test_{file.parent.name}s?_", file.name)]
    assert named_twice == []


@pytest.mark.parametrize("library", sorted(DOORS))
def test_a_library_is_met_at_its_door(library: str) -> None:
    users = {name for name, tree in modules("master").items() if library in absolute(tree)}
    strangers = {name for name in users if not name.startswith(DOORS[library])}
    assert users
    assert strangers == set()


def test_each_file_that_the_architecture_page_names_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:\w+/)+\w+\.py)`", text)
    assert len(named) > 20
    assert [name for name in named if not any((ROOT / top / name).exists() for top in (".", "master"))] == []
    rooms = re.findall(r"^      (\w+)/ ", text, re.MULTILINE)
    there = {path.parent.name for top in ("master", "client") for path in (ROOT / top).glob("*/__init__.py")}
    assert set(rooms) == there
