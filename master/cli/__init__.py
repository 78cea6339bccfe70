"""The command line: argv to calls, errors to exit codes. Each command has a file of its own, loaded when it is used.

    ask        Run a command in the directory of a running set, on its host; print what it prints, end with its …
    attach     Follow a sweep that runs without this terminal, until its end. Ctrl-C leaves it running
    cancel     Take sets out of the running sweep: programs that run are ended, and they never run again until …
    check      Show how many sets there are and the first and last command lines; start every host; run one set
    collect    Collect again from what is stored: the tables, the texts, and one call of each gather hook per …
    common     What the commands share
    doctor     Look at every host, from here and from there: what is wrong with it, and the step that mends it
    elsewhere  `--at [user@]host:folder`
    events     Print what happens in a running sweep as JSON, one event a line, until the run has ended
    hosts      Show the hosts of a sweep, or change what a running one does with them
    init       spe init: the files of a first sweep, commented, that run as they are
    log        Print what the program of a set wrote to stdout and stderr, attempt by attempt (of long texts the …
    output     Standard input, output and error of every command
    pause      spe pause, and spe resume, which is its counterpart in everything
    ps         Show the processes of all running sets, each with its tree, processor time and memory
    report     What `spe run` says at its end
    results    Print the table of results as CSV (or JSON), also while the sweep runs
    resume     spe resume
    retry      Put failed and cancelled sets back with all their attempts (all, or those with these NUMBERs) and …
    run        Run what is new of the sweep in spe.yaml, or a command over parameters without any file
    show       Show everything about one set: parameters, state, attempts with host, times and reason, results
    status     Show how far the sweep is, which host did what, and which sets failed and why
    steer      What the commands share that steer a running sweep
    stop       End a running sweep as Ctrl-C on its terminal does: nothing new is begun, what runs may finish
    top        Show a running sweep live, as `spe run` does, until it ends or Ctrl-C, which leaves it running
    why        Say why a set is not running now: done, failed, waiting for what
"""

from __future__ import annotations

import sys

import click

from .. import startup
from ..errors import SpeError
from ..version import __version__
from . import output

FIRST = ("init", "check", "run", "status", "results", "retry")
MORE = (
    "show", "log", "collect", "ask", "ps", "why", "top", "events", "attach", "cancel", "pause", "resume", "stop",
    "hosts", "doctor",
)  # fmt: skip


class Commands(click.Group):
    """Loads a command's module only when it is asked for: `spe --help` waits for none of the heavy libraries."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*FIRST, *MORE]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in (*FIRST, *MORE):
            return None
        if name in WORKING:
            output.keep_going()
        command: click.Command = startup.load_command(name, __package__).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(ctx), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"there is no command {args[0]!r}{hint}", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in (("Commands", FIRST), ("More", MORE)):
            with formatter.section(title):
                formatter.write_dl([(name, SUMMARY[name]) for name in names])


#: Commands that do not end because nobody reads what they print.
WORKING = ("run", "retry", "check", "collect", "doctor")
SUMMARY = {
    "init": "Write spe.yaml and its companions, commented, that run as they are.",
    "check": "Show the plan and run one set; nothing of it is kept.",
    "run": "Run what is new of the sweep.",
    "status": "Show how far it is, who did what, and what failed.",
    "results": "Print the table of results.",
    "retry": "Put failed sets back and run them.",
    "show": "Show everything about one set.",
    "log": "Print what a set's program wrote.",
    "ask": "Run a command where a set runs: ls, ps, du, cat, tail, head.",
    "ps": "Show the processes of all running sets.",
    "collect": "Collect again from what is stored.",
    "top": "Show a running sweep live.",
    "events": "Print what happens in a running sweep, for programs.",
    "cancel": "Take sets out of a running sweep.",
    "pause": "Hand out nothing new for a while.",
    "resume": "Go on with a paused sweep.",
    "stop": "End a running sweep: what runs may finish.",
    "hosts": "Show the hosts, or add, drain, bench or use one while it runs.",
    "attach": "Follow a sweep that runs without this terminal.",
    "why": "Say why a set is not running now.",
    "doctor": "Look at every host: what is wrong, and what mends it.",
}


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="spe")
def spe() -> None:
    """Run one program over many parameter sets, on every machine you can reach, and get one table of results.

    \b
    Example: spe run -p seed=1:100 -- ./simulate --seed '{{ seed }}'
    """


def main() -> None:
    """The entry point: exit codes 0 all done, 1 some failed, 2 usage, 3 nothing could run, 130 interrupted."""
    startup.while_loading()
    output.take_over()
    try:
        sys.exit(output.end(_exit_code()))
    finally:
        startup.at_the_end()


def _exit_code() -> int:
    """Do what the command line says; what was wrong is said."""
    try:
        code = spe.main(standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except output.Unread:
        return 0  # the reader of our output (`| head`) has seen enough
    except click.ClickException as error:
        print(f"spe: {error.format_message()}", file=sys.stderr)
        if isinstance(error, click.UsageError) and error.ctx:
            print(f"  `{error.ctx.command_path} --help` tells what there is.", file=sys.stderr)
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except SpeError as error:
        print(f"spe: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        return _refused_by_system(error)
    except Exception:
        return _own_fault()


def _refused_by_system(error: OSError) -> int:
    """What the system refuses and people can mend is one sentence; all else is a fault of ours."""
    from ..disk_errors import FULL, sentence, todo

    where = f"{error.filename}: " if error.filename else ""
    if error.errno in FULL:
        print(f"spe: {where}{sentence(error)}\n  {todo(error)} What was accepted is kept.", file=sys.stderr)
        return 2
    if isinstance(error, PermissionError) and error.filename is not None:
        print(f"spe: {where}permission denied\n  Ask its owner for the right to read it.", file=sys.stderr)
        return 2
    return _own_fault()


def _own_fault() -> int:
    import logging
    import traceback

    logging.getLogger("spe").exception("a fault of spe's own")
    traceback.print_exc()
    print("spe: this is a fault of spe's own, not yours; please report it with the lines above", file=sys.stderr)
    return 2
