"""The options of a run, as the command line gives them."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..dispatch.rules import OneEach
from ..launch import Early
from ..model import Host
from ..record import record
from ..sweep.program import ProgramChange

if TYPE_CHECKING:
    from ..notify.address_book import Target


class Sink(Protocol):
    """Standard output or standard error, as bytes go there unchanged."""

    def write(self, data: bytes) -> None:
        """Write all of it, or drop it where nobody reads it any more."""

    @property
    def is_unread(self) -> bool:
        """True once its reader has gone."""


@record
class PrintOptions:
    """The form in which `spe run` prints each set that ends (`--lines`, `--rows`), and the place."""

    form: str  # lines, json or csv
    out: Sink
    err: Sink
    in_order: bool = False  # in the order of the sets, not in that of their ends
    tag: bool = False  # the values of its set before each line


@record
class RunOptions:
    """The options of one run, as the command line gives them."""

    hosts: tuple[Host, ...] | None = None  # None: as the sweep says; empty: none are started
    hosts_option: str | None = None  # `--hosts` as it was given
    hosts_file: Path | None = None  # file in which the hosts stand
    by_hand: bool = False  # `--hosts none`
    granted: str = ""  # FARM/JOB of a farm's job: it has the hosts and tasks that the farm grants
    change: ProgramChange = ProgramChange.ASK
    retry: bool = False  # put failed sets back first
    retry_numbers: tuple[int, ...] = ()
    ssh_config: Path | None = None
    accept_new_host_keys: bool = False
    add: bool = False  # sets of before stay beside today's
    missing: bool = False  # run the sets again whose row has an empty cell, see missing.py
    try_all_hosts: bool = False  # go on until every host has come up or has not
    after_hook: str = "spe collect"  # the command to run when a hook is mended
    one_each: OneEach | None = None  # one task for each kind of host, and no more
    until: float | None = None  # when nothing more is begun, in seconds since 1970
    printing: PrintOptions | None = None  # None: only the table at the end
    notify: tuple[Target, ...] = ()  # who is told of the run
    early: Early = field(default_factory=Early)  # a client that may have begun already
