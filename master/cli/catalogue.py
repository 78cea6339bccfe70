"""The commands by purpose, with their summaries, and the groups of their options.

The summaries stand here beside the first line of each docstring, because `spe --help` would have to
load all commands for those: 0.3 s more than the 0.05 s that it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..line.options import LIMITS, NOTIFY, PROGRAM, RARE, RESULTS

if TYPE_CHECKING:
    import click

#: Purpose -> command -> summary, in the order of the help.
GROUPS: Mapping[str, Mapping[str, str]] = {
    "Run": {
        "init": "Write a first sweep, commented, that runs as it is.",
        "check": "Show the plan and run one set; nothing of it is kept.",
        "run": "Run the sets that are new.",
        "submit": "Hand in a sweep to a farm that you have joined.",
        "retry": "Put failed sets back and run them.",
        "attach": "Follow a sweep that runs without this terminal.",
        "notify": "Show who is told of a run, or send a test message.",
    },
    "Look": {
        "jobs": "List the jobs of a farm, or steer yours.",
        "ls": "List all runs of this account on this machine.",
        "status": "Show how far the sweep is, what each host did, and what failed.",
        "page": "Print the address of a run's page; serve that of a run that is over.",
        "top": "Show a running sweep live.",
        "show": "Show everything about one set.",
        "log": "Print what a set's program wrote.",
        "why": "Say why a set is not running now.",
        "ps": "Show the processes of all running sets.",
        "ask": "Run a command where a set runs: ls, ps, du, cat, tail, head.",
        "events": "Print what happens in a running sweep, for programs.",
    },
    "Steer": {
        "pause": "Hand out nothing new for a while.",
        "resume": "Go on with a paused sweep.",
        "cancel": "Take sets out of a running sweep.",
        "stop": "End a running sweep: running tasks may finish.",
    },
    "Hosts": {
        "hosts": "Show the hosts, or add, drain, bench or use one while it runs.",
        "doctor": "Look at every host: what is wrong, and what mends it.",
        "farm": "Share hosts among many users' jobs: join a farm, or run one.",
        "clean": "Remove what runs have left in caches, on hosts and here.",
    },
    "Results": {
        "results": "Print the table of results.",
        "plot": "Draw a column of the table over another one, in the terminal or as an SVG file.",
        "files": "List or copy the files that are kept of a set.",
        "collect": "Collect again from what is stored.",
        "report": "Write one HTML file about a run, to read or to hand in.",
        "export": "Write a zip of a run that others can repeat: an RO-Crate.",
        "replay": "Run what is in such a zip again, and compare each result.",
        "rm": "Remove a sweep with all its results.",
    },
    "Help": {
        "help": "Explain a command, an option, a key, a word or a message.",
        "docs": "List the pages of the documentation, or show one.",
        "completion": "Print the script with which a shell completes spe's words.",
    },
}
SUMMARY: Mapping[str, str] = {name: text for group in GROUPS.values() for name, text in group.items()}
#: Command -> subcommand -> summary, in the order of the help. Such a command is a LazyGroup.
SUBCOMMANDS: Mapping[str, Mapping[str, str]] = {
    "jobs": {
        "list": "List the jobs of a farm.",
        "why": "Say why a job has the slots that it has.",
        "cancel": "End jobs.",
        "pause": "Give jobs no more slots.",
        "resume": "Let paused jobs have slots again.",
        "priority": "Give a job another priority.",
    },
    "farm": {
        "join": "Join a farm, and try the hosts that you accept.",
        "leave": "Leave a farm: the token of this machine ends.",
        "start": "Start a farm of this account on this host.",
        "stop": "Stop the farm; jobs go on with the slots that they have.",
        "status": "Show how the farm is: address, registry, hosts, jobs.",
        "check": "Look at the farm and each host: what is wrong, and what mends it.",
        "hosts": "Show the farm's hosts, or drain, bench, use or free some.",
        "users": "Show the users, or enable, disable, add or forget one.",
        "log": "Print the log of the farm.",
    },
}
#: All commands with their subcommands, such as "farm join", each with its summary.
ALL_COMMANDS: Mapping[str, str] = {
    **SUMMARY,
    **{
        f"{name} {inner}": text for name, some in SUBCOMMANDS.items() for inner, text in some.items()
    },
}
#: Subcommands that spe itself types and no person: no list, page or completion has them.
HIDDEN: tuple[str, ...] = ("farm delegate",)
#: Commands that go on when nobody reads what they print: they work, and do not only show something.
WORKING = ("run", "retry", "check", "collect", "doctor", "replay")
#: Commands and options that are never suggested for a misspelt word: they end or undo something.
DESTRUCTIVE = ("stop", "cancel", "rm", "clean", "--fresh", "--now")

_CONTROL = "Control"
_OUTPUT = "What comes out"
OTHERS = "Options"
# Option -> title of its group, for options that stand for no key of spe.yaml.
_TITLES = {
    "Parameters": "-p --link --null --params --where --repeat --sample",
    "Hosts": "-j --hosts -F --accept-new-host-keys --all-hosts --granted",
    _OUTPUT: "--lines --keep-order --tag --rows --json --plain --quiet --verbose",
    _CONTROL: "--keep --fresh --missing --anyway --detach --dry --until --add --after --after-any",
    "Which sweep": "--file --name --job --at --from-run",
    "Job": "--farm --priority --group --info --label --memory --time --exclude --here-and-now",
}
_KEYS = {
    "Program": PROGRAM,
    "Results": RESULTS,
    "Limits": LIMITS,
    _CONTROL: NOTIFY,
    "Rarely used": RARE,
}
#: Titles of groups of options, in the order of the help.
TITLES = (
    "Parameters",
    "Program",
    "Results",
    "Limits",
    "Hosts",
    "Job",
    _OUTPUT,
    _CONTROL,
    "Which sweep",
    OTHERS,
    "Rarely used",
)


def _by_option() -> dict[str, str]:
    found = {flag: title for title, flags in _TITLES.items() for flag in flags.split()}
    found |= {one.flag: title for title, table in _KEYS.items() for one in table}
    return found


_GROUP_OF = _by_option()


def title_of(option: click.Option) -> str:
    """Return the title of the group in which an option stands."""
    return next((_GROUP_OF[flag] for flag in option.opts if flag in _GROUP_OF), OTHERS)


def grouped(options: Iterable[click.Option]) -> dict[str, list[click.Option]]:
    """Return options by the title of their group, in the order of the help."""
    found: dict[str, list[click.Option]] = {title: [] for title in TITLES}
    for option in options:
        found[title_of(option)].append(option)
    return {title: some for title, some in found.items() if some}
