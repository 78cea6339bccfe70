"""What a command waits for: which libraries it loads. How long that takes is bench/start.py's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LIGHT = {"click"}
HEAVY = {
    "ClusterShell", "aiohttp", "asyncio", "cryptography", "jinja2", "paramiko", "rich", "scp", "sqlalchemy", "yaml",
}  # fmt: skip

TELL = """
import sys
try:
    exec(sys.argv.pop(1))
finally:
    with open("loaded", "w") as file:
        file.write(" ".join({name.partition(".")[0] for name in sys.modules}))
"""
COMMAND = "from spe.cli import main; main()"


def loaded(folder: Path, statement: str, *arguments: str) -> set[str]:
    """The heavy libraries that are there after this statement."""
    words = [sys.executable, "-c", TELL, statement, *arguments]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    return (HEAVY | LIGHT) & set((folder / "loaded").read_text().split())


def test_importing_spe_loads_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path, "import spe") == set()


def test_the_help_loads_only_what_reads_a_command_line(tmp_path: Path) -> None:
    assert loaded(tmp_path, COMMAND, "--help") == LIGHT


def test_a_run_on_this_machine_waits_for_its_server_and_its_store_alone(tmp_path: Path) -> None:
    run = ("run", "-q", "-p", "x=1", "--", "/bin/echo", "{{ x }}")
    assert loaded(tmp_path, COMMAND, *run) == LIGHT | {"aiohttp", "asyncio"}
    assert (tmp_path / "runs/echo/results.csv").read_text().startswith("number,x,stdout,host,seconds,attempts\n1,1,1,")


def test_a_run_of_a_file_waits_for_yaml_beside_them(tmp_path: Path) -> None:
    (tmp_path / "spe.yaml").write_text("command: /bin/echo {{ x }}\nparameters: {grid: {x: [1, 2]}}\n")
    assert loaded(tmp_path, COMMAND, "run", "-q") == LIGHT | {"aiohttp", "asyncio", "yaml"}


def test_a_run_without_a_farm_loads_nothing_of_a_farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    farms = 'sorted(name for name in sys.modules if name.startswith(("spe.pool", "spe.delegate")))'
    statement = f"import atexit; atexit.register(lambda: open('farms', 'w').write(' '.join({farms}))); {COMMAND}"
    loaded(tmp_path, statement, "run", "-q", "-p", "x=1", "--", "/bin/true", "{{ x }}")
    assert (tmp_path / "farms").read_text() == ""


def test_a_run_on_this_machine_does_not_pack_the_client_that_other_hosts_fetch(tmp_path: Path) -> None:
    statement = f"from spe.launch import bundle\nbundle._members = None\n{COMMAND}"
    loaded(tmp_path, statement, "run", "-q", "-p", "x=1", "--", "/bin/true", "{{ x }}")


def test_the_status_needs_neither_a_server_nor_the_configuration(tmp_path: Path) -> None:
    assert loaded(tmp_path, COMMAND, "run", "-q", "-p", "x=1", "--", "/bin/true", "{{ x }}")
    assert loaded(tmp_path, COMMAND, "status") == LIGHT
