"""The command line: argv to calls, errors to exit codes. Each command has a file of its own.

    adding     A second `spe run` of a sweep that runs: its sets go to that run
    after      `spe run --after NAME` waits for the end of another sweep's run
    ask        Run a command in the directory of a running set, on its host
    attach     Follow a sweep that runs without this terminal, until its end
    cancel     Take sets out of the running sweep
    catalogue  The commands by purpose, with their summaries, and the groups of their options
    check      Show the sets and their command lines, start every host, run one set on each kind
    clean      Remove what runs that are over have left on hosts and here
    collect    Collect again from what is stored
    common     Shared by the commands: options, the sweep that is meant, logging, tables as text
    completion  Print the script with which a shell completes words
    copied_files  Result files of many sets, copied into one folder, for `spe results --files`
    detaching  The same command once more without this terminal: `--detach`
    docs       List the pages of the documentation, or show one
    doctor     Look at every host: what is wrong with it, and the step that mends it
    dry        What `spe run --dry` shows
    elsewhere  `--at [user@]host:folder`: reading commands run on another machine
    events     Print what happens in a running sweep as JSON
    execution  One run of a sweep: checks, the run, what came of it, the exit code
    export     Write a run as a zip that others can repeat
    far_command  The ssh of `--at`: what its login prints is kept apart from what the command prints
    farm       The commands about a farm; each stands in a file of its own, farm_*.py
    farm_administrator  The farm of this account, asked as its administrator
    farm_check  Look at the farm and each of its hosts
    farm_delegate  The process of a delegate; spe itself starts it
    farm_hosts  Show the hosts of a farm, or change what it deals there
    farm_join  Join a farm: token, accepted hosts, a login on each
    farm_leave  Leave a farm
    farm_log   Print the log of the farm
    farm_options  The options of a job for a farm, and the words that its run is started with
    farm_start  Start a farm
    farm_status  Show how the farm is
    farm_stop  Stop the farm
    farm_users  Show the users of a farm, or change one
    files      List or copy the files of a set
    first_set  Run the first set on each kind of host, for `spe check`
    given_run  The run that `spe report` and `spe export` are given
    grouped_command  A command with many options, whose help shows them in groups
    help       Explain a command, an option, a key, a word or a message
    hosts      Show the hosts of a sweep, or change what a running one does with them
    init       Write the files of a first sweep, which lie in first_sweep/
    job_option  `--job ID`: the sweep of a job on a farm, also on another machine
    jobs       The commands about the jobs of a farm; each stands in a file of its own, jobs_*.py
    jobs_cancel  End jobs
    jobs_list  List the jobs of a farm
    jobs_pause  Give jobs no more slots
    jobs_priority  Give a job another priority
    jobs_resume  Let paused jobs have slots again
    jobs_why   Say why a job has the slots that it has
    kind_outcomes  What came of the first set on each kind of host
    lazy_group  A command that has commands of its own, each loaded when it is used
    line_options  The options that stand for keys of spe.yaml, for commands that run something
    log        Print what the program of a set wrote, attempt by attempt
    lookup     The sections of the documentation about a word
    ls         List all runs of this account on this machine
    man        Pages for man, made of the commands
    notify     Show who is told of a run, or send them a test message
    output     Standard input, output and error of every command
    page       Print the address of a run's page; serve that of a run that is over
    pager      Text for a reader: through the pager on a terminal, plain in a pipe
    pages      The documentation that comes with spe
    pause      Hand out nothing new; and the make of `spe resume`
    plot       Draw a column of the table over another one
    print_options  The options of `spe run` that say what it prints of each set
    ps         Show the processes of all running sets
    replay     Run what is in a zip again, and compare each result
    report     Write a run as one HTML file
    results    Print the table of results
    resume     Go on with a paused sweep
    retry      Put failed and cancelled sets back and run the sweep
    rm         Remove sweeps with their results
    run        Run what is new of the sweep
    run_end    The end of `spe run`: the table on stdout, the statistics on stderr
    run_options  The options of commands that run something, and what they mean to a run
    same_faults  Faults of hosts for people: one paragraph for all that have the same one
    show       Show everything about one set
    status     Show how far the sweep is
    steer      Shared by the commands that steer a running sweep
    steer_jobs  Shared by the commands that steer jobs of a farm
    stop       End a running sweep
    submit     Hand in a sweep to a farm
    sweeps     Several sweeps at a glance
    top        Show a running sweep live
    usage      Wrong words of a command line, and which ones may be meant
    why        Say why a set is not running now
    yes_no     Questions on the terminal whose answer is yes or no
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import click

from .. import startup
from ..errors import SpeError
from ..version import __version__
from . import output
from .catalogue import GROUPS, SUMMARY
from .completion import VARIABLE
from .lazy_group import LazyGroup


class Commands(LazyGroup):
    """The commands of `spe` itself, in groups by purpose."""

    def summaries(self, ctx: click.Context) -> Mapping[str, str]:
        """Return the commands with their summaries, in the order of the help."""
        return SUMMARY

    def full_name(self, ctx: click.Context, name: str) -> str:
        """Return the words of a command after `spe`."""
        return name

    def sections(self, ctx: click.Context) -> Mapping[str, Mapping[str, str]]:
        """Return the groups of the help."""
        return GROUPS


# click stops at 80 columns by itself; longer lines than these are hard to read.
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(cls=Commands, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="spe")
def spe() -> None:
    """Run one program over many parameter sets, on every machine you can reach, and get one table
    of results.

    \b
    Example: spe run -p seed=1:100 -- ./simulate --seed '{{ seed }}'
    """


def main() -> None:
    """Run the command line and exit: 0 all done, 1 some failed, 2 usage, 3 nothing could run, 130
    interrupted.
    """
    startup.while_loading()
    output.take_over()
    try:
        sys.exit(output.end(_exit_code()))
    finally:
        startup.at_the_end()


def _exit_code() -> int:
    """Run the command line; return its exit code after saying what was wrong."""
    try:
        return _run_command()
    except output.Unread:
        return 0  # the reader of the output (`| head`) has seen enough
    except click.ClickException as error:
        return _wrong_usage(error)
    except (click.Abort, KeyboardInterrupt):
        return 130  # 128 + SIGINT, as a shell tells of a program that Ctrl-C ended
    except SpeError as error:
        return _told(error)
    except OSError as error:
        return _refused_by_system(error)
    except Exception:
        return _own_fault()


def _run_command() -> int:
    """Run the command that the words ask for, and return its exit code."""
    # Not click's standalone mode: it exits by itself, after Ctrl-C with 1, which means here that
    # sets have failed.
    code = spe.main(standalone_mode=False, complete_var=VARIABLE)
    sys.stdout.flush()  # here, where a full disk is still told in words
    return code if isinstance(code, int) else 0


def _told(error: SpeError) -> int:
    """Print an error; return its exit code."""
    from .elsewhere import named_from_afar

    print(f"spe: {named_from_afar(error)}", file=sys.stderr)
    return error.exit_code


def _wrong_usage(error: click.ClickException) -> int:
    """Say what is wrong with the words, and where the right ones stand."""
    if isinstance(error, click.NoSuchOption) and error.option_name == "--at":
        from .elsewhere import refuse  # late: a slip that few make

        if refused := refuse(sys.argv[1:]):
            return _told(refused)
    from .usage import sentence, with_context

    if isinstance(error, click.UsageError):
        with_context(error, spe, sys.argv[1:])
    print(f"spe: {sentence(error)}", file=sys.stderr)
    if isinstance(error, click.UsageError) and error.ctx:
        # One line, not click's whole usage: an error of spe takes one to three.
        print(f"  `{error.ctx.command_path} --help` shows what there is.", file=sys.stderr)
    return 2


def _refused_by_system(error: OSError) -> int:
    """Say in one sentence what the system refused and people can mend.

    All else is a fault of spe's own.
    """
    from ..disk_errors import FULL, sentence, todo

    where = f"{error.filename}: " if error.filename else ""
    if error.errno in FULL:
        return _say(f"{where}{sentence(error)}", f"{todo(error)} What was accepted is kept.")
    # Without the name of a file nobody could be asked: then it is told as a fault of spe's own.
    if isinstance(error, PermissionError) and error.filename is not None:
        return _say(f"{where}permission denied", "Ask its owner for the right to read it.")
    return _own_fault()


def _say(what: str, todo: str) -> int:
    """Print an error and what to do now; return its exit code."""
    print(f"spe: {what}\n  {todo}", file=sys.stderr)
    return 2


def _own_fault() -> int:
    """Print and log a traceback, with the request to report it."""
    import logging
    import traceback

    # In master.log as well: a closed terminal shows nothing, and a report needs the lines.
    logging.getLogger("spe").exception("a fault of spe's own")
    traceback.print_exc()
    what = "this is a fault of spe's own, not yours; please report it with the lines above"
    print(f"spe: {what}", file=sys.stderr)
    return 2
