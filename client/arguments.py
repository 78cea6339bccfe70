"""The client's command line and the source of its session ID.

What is done with them is in start.py.
"""

import argparse
import os
import sys
from typing import List, NamedTuple, Optional

from . import VERSION, exits
from .machine import facts
from .wire.connection import MasterAddress, parse_address

EPILOG = """The session ID is read from the first line of standard input, or from SPE_SESSION; never from the
command line, where other users of the machine could read it. Example:
  echo SESSION | python3 spe-client.pyz --master http://10.0.0.1:8040 --detach
Exit codes: 0 swept to the end (with --detach: at work), 1 other, 2 usage, 3 master not reached, 4 session refused,
5 not the master's certificate, 6 workdir not usable, 7 Python too old, 8 setup failed, 9 no worker to be had,
10 all users may write into the workdir or above it, 11 a fault of its own, 12 it or a process of it was killed,
13 no process can be started, 14 what the sweep brings along cannot be had, 128+N ended by signal N."""


class ClientOptions(NamedTuple):
    """The options of one client's command line, with the defaults filled in."""

    address: MasterAddress
    host: str
    slots: int
    workdir: str
    detach: bool
    hold: bool  # stay in the foreground until the client has ended
    log: str  # a file, empty for standard error
    trusted: bool  # True: other users may write into the workdir
    cache: str  # where workers are kept between runs; empty for the user's cache folder
    job: str = ""  # FARM/JOB of a farm's job, for the watcher of the farm; empty for none


def parse(argv: Optional[List[str]] = None) -> ClientOptions:
    """Return the options.

    Wrong usage ends the process with code 2 and a line that says what is wrong.
    """
    given = _parser().parse_args(argv)
    if given.start_in:
        sys.argv[0] = os.path.abspath(sys.argv[0])
        os.chdir(given.start_in if os.access(given.start_in, os.X_OK) else "/")
    url = sys.stdin.readline() if given.master == "-" else given.master
    try:
        address = parse_address(url, given.fingerprint)
    except ValueError as fault:
        raise exits.Ending(exits.USAGE, str(fault))
    return ClientOptions(
        address=address,
        host=given.host or facts.host_name(),
        slots=given.slots or facts.cores(),
        workdir=os.path.abspath(os.path.expanduser(given.workdir or temporary_folder())),
        detach=given.detach,
        hold=given.hold,
        log=os.path.abspath(given.log) if given.log else "",
        trusted=given.trust_workdir,
        cache=os.path.abspath(os.path.expanduser(given.cache)) if given.cache else "",
        job=given.job,
    )


def temporary_folder() -> str:
    """Return $TMPDIR, or /tmp where that takes no files; never $XDG_RUNTIME_DIR.

    That is memory, small, and removed when the user logs out.
    """
    wanted, runtime = os.environ.get("TMPDIR"), os.environ.get("XDG_RUNTIME_DIR")
    if wanted and runtime:
        runtime = os.path.realpath(runtime)
        if os.path.commonpath([os.path.realpath(wanted), runtime]) == runtime:
            return "/tmp"
    return wanted if wanted and _takes_files(wanted) else "/tmp"


def _takes_files(path: str) -> bool:
    """Tell whether something can be written there, or in the folder in which it is to be made."""
    while not os.path.isdir(path) and path not in ("", "/"):
        path = os.path.dirname(path)
    trial = os.path.join(path, ".spe-trial-%d" % os.getpid())
    try:
        file = os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        return False
    try:
        return os.write(file, b" " * 4096) == 4096
    except OSError:
        return False
    finally:
        os.close(file)
        os.unlink(trial)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spe-client",
        description="Works for a master of spe: asks for tasks, runs them, brings the results.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # With `-` the master can start a client before it knows its own port.
    master = "http://HOST:PORT or https://HOST:PORT; -: the first line of standard input"
    parser.add_argument("--master", metavar="URL", required=True, help=master)
    parser.add_argument(
        "--fingerprint", metavar="HEX", default="", help="SHA-256 of the master's certificate"
    )
    parser.add_argument(
        "--host", metavar="NAME", default="", help="name of this host (default: its host name)"
    )
    parser.add_argument(
        "--slots", metavar="N", type=_count, default=0, help="tasks at a time (default: the cores)"
    )
    parser.add_argument(
        "--workdir", metavar="PATH", default="", help="where to work (default: $TMPDIR, else /tmp)"
    )
    trust = "work where others may write, too"
    parser.add_argument("--cache", metavar="PATH", default="", help=argparse.SUPPRESS)
    parser.add_argument("--job", metavar="FARM/JOB", default="", help=argparse.SUPPRESS)
    parser.add_argument("--start-in", metavar="PATH", default="", help=argparse.SUPPRESS)
    parser.add_argument("--trust-workdir", action="store_true", help=trust)
    parser.add_argument(
        "--detach", action="store_true", help="go on in the background once it has registered"
    )
    parser.add_argument(
        "--hold", action="store_true", help="with --detach: return only when it has ended"
    )
    parser.add_argument("--log", metavar="FILE", default="", help="write what it does there")
    parser.add_argument("--version", action="version", version="spe-client " + VERSION)
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _ask_for_session() -> str:
    if sys.stdin is None:  # in a daemon
        return ""
    if sys.stdin.isatty():
        sys.stderr.write("session ID: ")
        sys.stderr.flush()
    return sys.stdin.readline()


def read_session() -> str:
    """Return the session ID from the environment or standard input.

    It is taken out of the environment at once, so that no program started here inherits it.
    """
    session = os.environ.pop("SPE_SESSION", "")
    if not session:
        session = _ask_for_session()
    session = session.strip()
    if not session:
        text = "no session ID: give it on standard input or in SPE_SESSION"
        raise exits.Ending(exits.USAGE, text)
    return session
