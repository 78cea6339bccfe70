"""`spe farm start`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from .common import volume
from .farm_administrator import check_public, public_option, runs_since

if TYPE_CHECKING:
    from ..model import Host
    from ..pool.hosts_file import HostsFile
    from ..pool.service.living import Living

PAUSE = 0.1  # seconds between two looks at a farm that starts
STORE = "SPE_FARM_STORE"  # not in the words of the process: the address may hold a password
LAST_WORDS = 1000  # characters


@click.command()
@click.option(
    "--hosts", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE", help="The hosts file.",
)  # fmt: skip
@click.option(
    "--store", default="", metavar="URL", envvar=STORE,
    help=f"The registry's database; also the variable {STORE}. Not given: an SQLite file.",
)  # fmt: skip
@click.option(
    "--users", default="anyone", metavar="FILE|anyone", show_default=True,
    help="Who may join: a users file, or everybody with an account on this host.",
)  # fmt: skip
@click.option("--listen", default="", metavar="[ADDRESS]:PORT", help="Where users reach the farm.")
@click.option("--new-id", is_flag=True, help="The registry comes from a backup: it gets a new ID.")
@click.option("--foreground", is_flag=True, help="Stay in this terminal, for systemd.")
@click.option("-F", "ssh_config", type=click.Path(path_type=Path), help="Not ~/.ssh/config.")
@public_option
@volume
def command(
    hosts: Path, store: str, users: str, listen: str, new_id: bool, foreground: bool,
    ssh_config: Path | None, public: str, quiet: bool, verbose: int,
) -> int:  # fmt: skip
    """Start a farm of this account on this host. It needs no root.

    Each host of the file is tried by your own ssh: the farm watches its load there. Then the farm
    goes on without this terminal. It reads both files again when they change.

    \b
    Example: spe farm start --hosts cluster.txt
    Example: spe farm start --hosts cluster.txt --users users.txt --listen :8040
    """
    from ..pool.service.living import living

    address, port = parse_listen(listen)
    check_public(public)
    if store and "://" not in store:
        todo = "Write it like postgresql://farm@db/farm, or sqlite:////srv/farm/farm.db."
        raise UsageError(f"--store {store}: that is no address of a database", todo=todo)
    if ssh_config is not None and not ssh_config.is_file():
        raise UsageError(f"-F {ssh_config}: there is no such file")
    if found := living(public):
        raise UsageError(
            f"the farm runs already: {_since(found)}",
            todo="`spe farm status` shows it, `spe farm stop` ends it.",
        )
    file = _checked_files(hosts, users)
    if foreground:
        return _stay(
            hosts, store, users, address, port, public=public, new_id=new_id, ssh_config=ssh_config
        )
    _try(file, ssh_config, quiet)
    begun = _detach(store, public)
    if not quiet:
        click.echo(f"the farm runs as process {begun.pid}, at {begun.address['urls'][0]}")
    _say_how_to_join(public)
    return 0


def parse_listen(text: str) -> tuple[str | None, int]:
    """Return address and port of `[ADDRESS]:PORT`; None for all addresses, 0 for any port."""
    address, colon, port = text.rpartition(":")
    is_port = port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) < 65536
    if text and not (colon and is_port):
        what = f"--listen {text}: that is no address and port"
        raise UsageError(what, todo="Write it like :8040 or 10.0.0.1:8040.")
    return address.strip("[]") or None, int(port or 0)


def _since(found: Living) -> str:
    if not found.address:
        return f"process {found.pid}, which is just beginning"
    return f"process {found.pid}, since {runs_since(found.address['since'])}"


def _checked_files(hosts: Path, users: str) -> HostsFile:
    """Return what the hosts file says. Raises ConfigError for what is wrong in either file."""
    from ..pool.hosts_file import read_hosts_file
    from ..pool.joining.knocking import own_name
    from ..pool.users_file import read_users

    if users != "anyone":
        read_users(Path(users))
    return read_hosts_file(hosts, own_name())


def _try(file: HostsFile, ssh_config: Path | None, quiet: bool) -> None:
    """Log in on each host and say which of them let this account in; none keeps the farm down."""
    from ..pool.joining.trying import try_hosts

    ways = [host.way for host in file.hosts if not host.way.is_here]
    tried = try_hosts([_target(way) for way in ways], ssh_config) if ways else []
    faults = [one for one in tried if one.fault]
    if not quiet:
        here = len(file.hosts) - len(ways)
        click.echo(f"{len(file.hosts) - len(faults)} of {here + len(tried)} hosts let you in")
    for one in faults:
        click.echo(f"{one.host}: {one.fault} → {one.todo}", err=True)
    if faults:
        click.echo("spe: the farm deals nothing on these until they let you in", err=True)


def _target(way: Host) -> str:
    """Return a host as ssh takes it."""
    name = f"{way.user}@{way.name}" if way.user else way.name
    return f"ssh://{name}:{way.port}" if way.port else name


def _stay(
    hosts: Path,
    store: str,
    users: str,
    address: str | None,
    port: int,
    *,
    public: str,
    new_id: bool,
    ssh_config: Path | None,
) -> int:
    """Be the farm, until a signal ends it."""
    import asyncio

    from ..logs import log_to_standard_error
    from ..pool.joining.knocking import own_name
    from ..pool.service.living import LOG, home
    from ..pool.service.process import FarmOptions, run_farm

    log_to_standard_error(home() / LOG)
    os.umask(0o077)
    options = FarmOptions(
        hosts=str(hosts.absolute()),
        own_name=own_name(),
        store=store,
        users=users if users == "anyone" else str(Path(users).absolute()),
        address=address,
        port=port,
        public=public,
        new_id=new_id,
        ssh_config=ssh_config.absolute() if ssh_config else None,
    )
    asyncio.run(run_farm(options))
    return 0


def _detach(store: str, public: str) -> Living:
    """Start the same command in a session of its own; return the farm once it listens."""
    from ..pool.service.living import LOG, home, living

    home().mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home() / LOG
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as log:
        before = log.tell()
        # -P: a file spe.py in the current folder must not be taken for this package.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "spe", *_words_without_store(), "--foreground"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, STORE: store},
        )
    while process.poll() is None:
        found = living(public)
        if found and found.pid == process.pid and found.address:
            return found
        time.sleep(PAUSE)
    with path.open("rb") as said:
        # A log that was full is a new one by now.
        said.seek(before if os.fstat(said.fileno()).st_size >= before else 0)
        words = said.read().decode("utf-8", "replace")
    raise _not_begun(words, path)


def _not_begun(words: str, log: Path) -> UsageError:
    """Return the error of a farm that has ended before it listened: its own last words."""
    _, mark, error = (
        words.rpartition("\nspe: ") if "\nspe: " in words else words.rpartition("spe: ")
    )
    first, _, todo = (error if mark else words[-LAST_WORDS:]).strip().partition("\n")
    return UsageError(first or "the farm did not start", todo=todo.strip() or f"See {log}.")


def _words_without_store() -> list[str]:
    """Return the words of this command line without --store and its value."""
    words, found = iter(sys.argv[1:]), []
    for word in words:
        if word == "--store":
            next(words, None)
        elif not word.startswith("--store="):
            found.append(word)
    return found


def _say_how_to_join(public: str) -> None:
    from ..pool.service.living import own_account

    words = ["spe", "farm", "join", socket.gethostname().partition(".")[0]]
    if own_account() != "farm":
        words += ["--account", own_account()]
    if public:
        words += ["--public", public]
    click.echo(f"join with:  {' '.join(words)}")
