"""The shape of the project: what lies at its top, where the metadata is, who may import whom and which library."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
import tomllib
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

# From the top down, as docs/architecture.md has them. Modules that are not named are the helpers of those that are:
# what they import counts as imported by their users.
LAYERS = [
    {"cli"},
    {
        "run", "fleet", "upkeep", "life", "gathering", "recollect", "tables", "feeding", "interrupts", "beforehand",
        "safekeeping",
    },
    {"web", "page", "stream", "acts", "asking", "hostwatch", "launch", "progress"},
    {"desk"},
    {"document", "standing"},
    {"farm", "handout", "steering", "board"},
    {"store", "reader", "listing", "hooks", "judging", "judge", "sweep", "config", "session", "server"},
    {
        "lifecycle", "scheduler", "protocol", "collect", "extract", "committing", "schema", "writes", "outlook",
        "patch", "drawing",
    },
    {"model", "changes", "rules", "trust", "tally", "events", "conditions", "shortfall"},
    {"errors"},
]

# Each library is met at one door.
DOORS = {
    "paramiko": ("launch.",),
    "scp": ("launch.transfer",),
    "sqlalchemy": ("store", "committing", "database", "writes", "reader", "schema", "listing"),
    "aiohttp": ("web", "page", "stream", "acts", "asking", "receive", "server"),
    "yaml": ("yamlfile",),
    "ClusterShell": ("hostfile",),
    "click": ("cli",),
    "rich": ("screen",),
    "jinja2": ("expression", "page"),
    "cryptography": ("certificate", "launch."),
}


def modules(folder: str) -> dict[str, ast.Module]:
    """Every module of a package by its dotted name below it; a package stands for its __init__."""
    found = {}
    for file in sorted((ROOT / folder).rglob("*.py")):
        parts = file.relative_to(ROOT / folder).with_suffix("").parts
        if parts[0] != "templates":
            found[".".join(part for part in parts if part != "__init__")] = ast.parse(file.read_text(encoding="utf-8"))
    return found


def imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """Those that happen when the program runs, also the late ones inside functions; not those for types alone."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped.update(ast.walk(node))
    return (n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom) and n not in skipped)


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


def layer(name: str) -> int | None:
    """The number of a module's layer from the top, None for a helper."""
    top = name.partition(".")[0]
    return next((number for number, names in enumerate(LAYERS) if top in names), None)


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
            if "templates" not in parts:
                assert ".".join([package, *parts]) in listed


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


def test_layers_import_only_downwards() -> None:
    edges = graph("master")
    wrong = []
    for name in edges:
        mine = layer(name)
        for other in reachable(edges, name) if mine is not None else ():
            theirs = layer(other)
            if theirs is not None and mine is not None and theirs < mine:
                wrong.append(f"{name} (layer {mine}) uses {other} (layer {theirs})")
    assert wrong == []


@pytest.mark.parametrize("library", sorted(DOORS))
def test_a_library_is_met_at_its_door(library: str) -> None:
    users = {name for name, tree in modules("master").items() if library in absolute(tree)}
    strangers = {name for name in users if not name.startswith(DOORS[library])}
    assert users
    assert strangers == set()
