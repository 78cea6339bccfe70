"""A command that has commands of its own, each loaded when it is used: `spe`, `spe farm`, `spe jobs`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from .. import startup
from . import output
from .catalogue import HIDDEN, SUBCOMMANDS, SUMMARY, WORKING


class LazyGroup(click.Group):
    """Commands in modules of their own: that of `spe farm join` is farm_join.py.

    What they are is said by the catalogue, so that no help and no completion loads them. `default`
    is the subcommand that runs where none is typed: `spe jobs` and `spe jobs --json` list the jobs.
    """

    def __init__(self, *words: Any, default: str = "", **options: Any) -> None:
        """Take what click takes."""
        super().__init__(*words, **options)
        self.default = default

    def summaries(self, ctx: click.Context) -> Mapping[str, str]:
        """Return the subcommands with their summaries, in the order of the help."""
        return SUBCOMMANDS.get(ctx.info_name or "", {})

    def full_name(self, ctx: click.Context, name: str) -> str:
        """Return the words of a subcommand after `spe`: "farm join"."""
        return f"{ctx.info_name} {name}"

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all subcommands but the hidden ones."""
        return list(self.summaries(ctx))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Load a subcommand."""
        full = self.full_name(ctx, name)
        if name not in self.summaries(ctx) and full not in HIDDEN:
            return None
        # Before its module is loaded, which may print as well: a run whose reader has gone would
        # end there instead of going on.
        if full in WORKING:
            output.keep_going()
        module = startup.load_command(full.replace(" ", "_"), __package__)
        command: click.Command = module.command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default subcommand where none is typed. Not for a shell that completes words."""
        of_default = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        if self.default and of_default and not ctx.resilient_parsing:
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the subcommands that begin so, without loading them."""
        known = self.summaries(ctx)
        found = [name for name in known if name.startswith(incomplete)]
        if not found:
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=known[name]) for name in found]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of these words; the error for an unknown one names the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from .usage import unknown_command  # late: few commands are misspelt

            what = unknown_command(self.full_name(ctx, args[0]), self.list_commands(ctx))
            raise click.UsageError(what, ctx) from error

    def sections(self, ctx: click.Context) -> Mapping[str, Mapping[str, str]]:
        """Return the parts of the list of commands: title -> command -> summary."""
        return {"Commands": self.summaries(ctx)}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their summaries, without loading them."""
        longest = max(map(len, self.summaries(ctx)))
        for title, commands in self.sections(ctx).items():
            with formatter.section(title):
                # Padded, so that the summaries of all sections stand below each other.
                formatter.write_dl([(name.ljust(longest), text) for name, text in commands.items()])


def every_command(root: click.Group) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield each command that is listed with its full name, such as "farm join", and its context.

    A group comes before its subcommands.
    """
    top = click.Context(root, info_name="spe", help_option_names=["-h", "--help"])
    for name in SUMMARY:
        yield from _with_subcommands(root, name, name, top)


def _with_subcommands(
    group: click.Group, name: str, full: str, above: click.Context
) -> Iterator[tuple[str, click.Command, click.Context]]:
    command = group.get_command(above, name)
    assert command is not None, "each name of the list is a command"
    context = click.Context(command, parent=above, info_name=name)
    yield full, command, context
    for inner in SUBCOMMANDS.get(full, ()):
        assert isinstance(command, click.Group), "what has subcommands is a group"
        yield from _with_subcommands(command, inner, f"{full} {inner}", context)
