"""Records of what a sweep needs of a host, and of what was seen there."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import LaunchError
from ..launch.neighbours import Neighbour
from ..model import Host, Worker
from ..record import record


@record
class Needs:
    """Demands of the sweep on each host."""

    worker: Worker | None = None
    cores: int = 1
    port: int = 0  # port on which the master would listen, 0: any
    client: int = 0  # bytes of the client's file
    program: str = ""  # that all tasks begin with, as far as it is known


@dataclass(slots=True)
class FolderState:
    """A folder on a host: free space of its file system, and the result of writing there."""

    path: str
    size: int | None = None  # bytes
    free: int | None = None  # bytes
    files: int | None = None  # inodes; None on file systems that make them on demand
    files_free: int | None = None
    fault: str = ""  # the system's words; "": it can be written

    @property
    def has_no_inodes(self) -> bool:
        """True when the file system has a fixed number of inodes and all are used."""
        return bool(self.files) and not self.files_free


@dataclass(slots=True)
class Sighting:
    """All that was seen of one host during one `spe doctor`. None stands for: not seen."""

    host: Host
    error: LaunchError | None = None  # reason why the host was not reached, or did not answer everything
    seconds: float | None = None  # until its first line
    clock_off: float | None = None  # seconds that its clock is ahead of ours
    platform: str = ""
    user: str = ""
    cores: int | None = None
    load: float | None = None
    ours: int = 0  # clients of spe that run there
    neighbours: tuple[Neighbour, ...] = ()
    python: str = ""  # "/usr/bin/python3 3.11.2"
    python_error: LaunchError | None = None
    python_elsewhere: str = ""  # a suitable one outside the PATH
    python_module: str = ""  # a module of a login shell that has one which runs with it alone
    # Where a login shell finds the program of the tasks, "" where it does not; None: not asked.
    program_in_login: str | None = None
    home: FolderState | None = None  # the folder of the home that would take our files
    home_path: str = ""  # the home itself, as its account has it
    workdir: FolderState | None = None
    runs_programs: bool | None = None  # False: the workdir is mounted noexec
    everybody: str = ""  # folder where all users may write: the workdir, or one above it
    writers: tuple[str, str] = ("", "")  # other users who may write, and the folder
    address: str | None = (
        None  # address of the master that the host would be given; None: only through SSH
    )
    reached: bool | None = None
    unreached_why: str = ""
    forwards: bool | None = None  # True: the SSH server forwards a port
    nonce: str = ""
    seen: frozenset[str] = frozenset()  # nonces in its home
