"""A command with many options, whose help shows them in groups."""

from __future__ import annotations

import click

from .catalogue import grouped


class GroupedCommand(click.Command):
    """A command whose `--help` shows its options by purpose."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in groups; hidden ones are counted."""
        options = [one for one in self.get_params(ctx) if isinstance(one, click.Option)]
        for title, some in grouped(options).items():
            rows = [row for one in some if (row := one.get_help_record(ctx))]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=28)
        if any(one.hidden for one in options):
            name = ctx.command_path.removeprefix(ctx.find_root().command_path).strip()
            formatter.write_paragraph()
            formatter.write_text(f"More, rarely used: `spe help {name}`.")
