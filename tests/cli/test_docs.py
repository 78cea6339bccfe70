"""docs/commands.md has every command and option that there is, and none that there is not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from spe.cli import spe
from spe.cli.catalogue import ALL_COMMANDS, OTHERS, SUBCOMMANDS, SUMMARY, grouped
from spe.cli.lazy_group import every_command

from .kit import Bench

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
COMMANDS = {name: command for name, command, _ in every_command(spe)}


def sections() -> dict[str, str]:
    """Heading -> its text. That of a subcommand is a heading below its command's."""
    parts = re.split(r"^##(?:#(?= spe))? (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_page_has_a_section_for_each_command_and_for_no_other() -> None:
    names = [heading.removeprefix("spe ") for heading in sections() if heading.startswith("spe ")]
    assert sorted(names) == sorted(ALL_COMMANDS)
    assert re.findall(r"^\| \[`spe (\w+)`\]", PAGE.read_text(encoding="utf-8"), re.M) == [*SUMMARY]


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_a_command_with_subcommands_has_their_table_and_their_sections_below_it(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    own = page.partition(f"\n## spe {name}\n")[2].partition("\n## ")[0]
    inner = [f"{name} {one}" for one in SUBCOMMANDS[name]]
    assert f"<!-- subcommands: {name} -->" in own
    assert re.findall(r"^### spe (.+)$", own, re.M) == inner == re.findall(rf"^\| \[`spe ({name} .+?)`\]", own, re.M)


def test_the_tables_of_options_are_those_of_the_commands() -> None:
    words = [sys.executable, str(PAGE.parents[1] / "tests" / "docs" / "make_commands.py"), "--check"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_with_options_of_its_own_has_their_table(name: str) -> None:
    of_all = {"--quiet", "--verbose", "--help", "--file", "--name", "--json"}
    own = [one for one in COMMANDS[name].params if isinstance(one, click.Option) and not of_all & {*one.opts}]
    assert not own or f"<!-- options: {name} -->" in sections()[f"spe {name}"]


@pytest.mark.parametrize("name", ["run", "check", "retry"])
def test_each_option_of_a_command_with_many_is_in_a_group(name: str) -> None:
    """One that is not: put it into cli/catalogue.py."""
    groups = grouped(one for one in COMMANDS[name].params if isinstance(one, click.Option))
    assert [one.opts for one in groups.get(OTHERS, [])] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_each_section_shows_the_usage_and_an_example(name: str) -> None:
    lines = re.findall(rf"^    (.*spe {name}.*)$", sections()[f"spe {name}"], re.M)
    assert len(lines) >= 2


def test_the_exit_codes_are_those_of_the_program() -> None:
    codes = re.findall(r"^\| (\d+) \|", sections()["Exit codes"], re.M)
    assert codes == ["0", "1", "2", "3", "130"]


def test_the_json_keys_are_those_of_the_page(bench: Bench) -> None:
    bench.write("spe.yaml", "command: 'test {{ x }} = 1'\nparameters: {grid: {x: [1, 2]}}\nattempts: 1\n")
    told = {
        "run": bench.spe("run", "--json").json,
        "status": bench.ok("status", "--json").json,
        "show": bench.ok("show", "1", "--json").json,
    }
    for name, keys in told.items():
        text = sections()[f"spe {name}"] + (sections()["spe status"] if name == "run" else "")
        for key in keys:
            assert f"`{key}`" in text, f"{name}: {key}"
    for key in [*told["status"]["hosts"][0], *told["status"]["failed_sets"][0]]:
        assert f"`{key}`" in sections()["spe status"], key
