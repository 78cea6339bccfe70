"""Commands with commands of their own: a default one, hidden ones, and none that is loaded for a list."""

from __future__ import annotations

import sys
from types import ModuleType

import click
import pytest
from click.testing import CliRunner
from spe.cli import catalogue, lazy_group
from spe.cli.lazy_group import LazyGroup

SUMMARIES = {"list": "List all.", "why": "Say why."}


@click.group(cls=LazyGroup, default="list")
def tools() -> None:
    """Do things."""


def module(name: str) -> ModuleType:
    """A module with a command that prints its own name, and --json when it was given."""
    made = ModuleType(name)

    @click.command()
    @click.option("--json", "json_", is_flag=True)
    def command(json_: bool) -> None:
        click.echo(name.rpartition(".")[2] + (" --json" if json_ else ""))

    made.command = command  # type: ignore[attr-defined]
    return made


@pytest.fixture(autouse=True)
def _tools(monkeypatch: pytest.MonkeyPatch) -> None:
    # The mapping itself is changed: catalogue and lazy_group have the same one.
    monkeypatch.setitem(catalogue.SUBCOMMANDS, "tools", SUMMARIES)  # type: ignore[arg-type]
    monkeypatch.setattr(lazy_group, "HIDDEN", ("tools serve",))
    for name in ("list", "why", "serve"):
        full = f"spe.cli.tools_{name}"
        monkeypatch.setitem(sys.modules, full, module(full))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), "tools_list\n"),
        (("--json",), "tools_list --json\n"),
        (("list", "--json"), "tools_list --json\n"),
        (("why",), "tools_why\n"),
        (("serve",), "tools_serve\n"),
    ],
)
def test_a_subcommand_runs_and_the_default_one_where_none_is_typed(words: tuple[str, ...], wanted: str) -> None:
    assert CliRunner().invoke(tools, words, prog_name="tools").output == wanted


def test_a_hidden_subcommand_is_in_no_help_and_is_never_suggested() -> None:
    text = CliRunner().invoke(tools, ["--help"], prog_name="tools").output
    assert "List all." in text and "Say why." in text and "serve" not in text
    slip = CliRunner().invoke(tools, ["serv"], prog_name="tools")
    assert slip.exit_code == 2 and "there is no command 'tools serv'" in slip.output and "mean" not in slip.output


def test_help_loads_no_subcommand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy_group.startup, "load_command", lambda *_: pytest.fail("a module was loaded"))
    assert CliRunner().invoke(tools, ["--help"], prog_name="tools").exit_code == 0
