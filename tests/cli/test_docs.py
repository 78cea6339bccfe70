"""docs/commands.md has every command and option that there is, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from spe.cli import spe

from .kit import Bench

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
CONTEXT = click.Context(spe)
COMMANDS = spe.list_commands(CONTEXT)


def sections() -> dict[str, str]:
    """Heading -> its text."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def documented(text: str) -> set[str]:
    """The options in the first column of the tables of a text."""
    rows = re.findall(r"^\| (`-.*?) \|", text, re.M)
    return {option for row in rows for option in re.findall(r"`(-[^`]*)`", row)}


def common(name: str) -> set[str]:
    """The options of all commands, and those of all that are about one sweep."""
    all_, of_sweeps = sections()["Options of all commands"].split("Of all commands but `init`, `ls` and `rm`:")
    return documented(all_) | (documented(of_sweeps) if name not in ("init", "ls", "rm") else set())


def options_of(name: str) -> set[str]:
    command = spe.get_command(CONTEXT, name)
    assert command
    context = click.Context(command, info_name=name, help_option_names=["-h", "--help"])
    return {text for one in command.get_params(context) if isinstance(one, click.Option) for text in one.opts}


def test_the_page_has_a_section_for_each_command_and_for_no_other() -> None:
    assert [heading.removeprefix("spe ") for heading in sections() if heading.startswith("spe ")] == COMMANDS
    assert re.findall(r"^\| \[`spe (\w+)`\]", PAGE.read_text(encoding="utf-8"), re.M) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_of_a_command_is_documented_and_no_other(name: str) -> None:
    assert documented(sections()[f"spe {name}"]) | common(name) == options_of(name)


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
