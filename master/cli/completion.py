"""`spe completion`, and what a shell is told about values."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_SPE_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), metavar="bash|zsh|fish")
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script with which a shell completes commands, options, sweeps and files.

    \b
    Example: eval "$(spe completion bash)"
    Example: spe completion fish > ~/.config/fish/completions/spe.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows all three shells"
    made = kind(context.find_root().command, {}, "spe", VARIABLE)
    # Not bash's own `source`: it starts a bash to ask for its version.
    click.echo(ShellComplete.source(made))


def names_of_sweeps(context: click.Context, param: click.Parameter, begin: str) -> list[str]:
    """Return the sweeps below runs/ whose names begin so."""
    file = context.params.get("file") or Path("spe.yaml")
    runs = Path(file).parent / "runs"
    try:
        found = [one.name for one in runs.iterdir() if one.is_dir()]
    except OSError:
        return []
    return sorted(name for name in found if name.startswith(begin))


def paths(context: click.Context, param: click.Parameter, begin: str) -> list[CompletionItem]:
    """Let the shell complete files and folders."""
    return [CompletionItem(begin, type="file")]
