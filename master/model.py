"""The nouns of spe as frozen dataclasses and enums; no behaviour beyond the facts that they carry.

Words are those of the glossary in docs/guide.md, one word a thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .record import Word, record

ONE_CUT = 10.0  # seconds within which hosts die by one power cut
#: A result as SQLite computes with it: an int beyond 64 bits is a text, NaN and what is no number are None.
Number = int | float | str | None


class Kind(Word):
    """How a result is read: the `as` of spe.yaml."""

    TEXT = "text"
    INT = "int"
    FLOAT = "float"
    JSON = "json"
    FILE = "file"


@record
class ResultSpec:
    """One named result: where it comes from and how it is read."""

    name: str
    source: str = "stdout"  # "stdout", or a file below the task's directory
    kind: Kind = Kind.TEXT
    regex: str | None = None  # the first group (or the whole match) is the value
    path: str | None = None  # dotted path into a JSON document
    minimum: float | None = None
    maximum: float | None = None


@record
class WorkerFile:
    """One executable of the worker, for one platform."""

    path: Path
    md5: str
    sha256: str
    size: int


@record
class Worker:
    """The user's executable: one name, one file per platform (`linux-x86_64`, `linux` or `any`)."""

    name: str
    files: Mapping[str, WorkerFile]

    def for_platform(self, platform: str) -> WorkerFile | None:
        """The file for `linux-x86_64`, looked up as such, then `linux`, then `any`."""
        return self.files.get(platform) or self.files.get(platform.split("-")[0]) or self.files.get("any")


@record
class ParameterSet:
    """One parameter set as the source gives it; `line` is its line in the parameter file, 0 if it has none."""

    values: Mapping[str, str]
    line: int = 0


@record
class Input:
    """One file that a task finds in its directory; `stdin` is fed by that name."""

    name: str
    content: bytes = b""
    sha256: str = ""  # of the content, where it is known already
    file: Path | None = None  # has the content of a large one, which is not read before a client asks for it
    length: int = 0  # of that file

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return self.length if self.file else len(self.content)


@record
class Work:
    """What one task runs: its arguments, its input files and its own environment."""

    words: tuple[str, ...]
    inputs: tuple[Input, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@record
class Host:
    """One line of the hosts file. `None` means: as ~/.ssh/config, the login or the machine itself says."""

    name: str
    user: str | None = None
    port: int | None = None
    slots: int | None = None
    workdir: str | None = None
    python: str | None = None
    setup: str | None = None
    trust_workdir: bool = False  # whoever may write into the workdir is welcome to
    origin: str = ""  # "hosts.txt:3", for messages

    @property
    def is_here(self) -> bool:
        """`localhost` is this machine, without SSH."""
        return self.name == "localhost"


HERE = Host("localhost")


class TaskState(Word):
    """Where a task is. Only lifecycle.py moves it."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"  # by hand; it waits for `spe retry`


class TicketState(Word):
    """Where one attempt at a task is. Only lifecycle.py moves it."""

    ISSUED = "issued"  # a client has it
    CHECKING = "checking"  # its result is here and being validated
    ACCEPTED = "accepted"
    REJECTED = "rejected"  # the validation said no
    FAILED = "failed"  # the program said so, or ran out of its time
    LOST = "lost"  # its host went silent; a late result is still taken
    EXPIRED = "expired"  # another attempt won


@record
class Death:
    """When a host was lost, in monotonic seconds: not before `earliest`, not after `latest`."""

    host: str
    earliest: float
    latest: float

    def is_of_one_cut(self, other: Death) -> bool:
        """Whether the two may have one cause that is no task's: different hosts that died at about the same time."""
        apart = max(self.earliest - other.latest, other.earliest - self.latest)
        return self.host != other.host and apart <= ONE_CUT


@dataclass(slots=True)
class Task:
    """One parameter set of the sweep, as the dispatch holds it while it is waiting or running."""

    number: int
    values: Mapping[str, str]
    state: TaskState = TaskState.WAITING
    attempts: int = 0  # used up: failed and rejected ones, not lost ones
    lost: int = 0  # attempts that died with their host
    faults: dict[str, int] = field(default_factory=dict)  # reason class -> attempts used up by it
    tickets: list[int] = field(default_factory=list)  # the live ones
    past: list[int] = field(default_factory=list)  # ended without a result, or lost
    shunned: set[str] = field(default_factory=set)  # hosts where an attempt went wrong
    key: bytes = b""  # what it computes from: what is handed out must have this identity
    planned: bool = True  # known to be one of today's sets; only these are ever queued
    death: Death | None = None  # of the host that counted last among those lost
    redone: bool = False  # something of an earlier result of it is stored, until a new one replaces that


@dataclass(slots=True)
class Ticket:
    """One attempt at a task."""

    id: int
    task: int
    client: str
    host: str
    issued: float  # monotonic seconds of this master
    state: TicketState = TicketState.ISSUED
    word: float = 0.0  # the last sign of life, monotonic seconds
    leased: bool = False  # its client pings, so silence means that it is gone
    charged: bool = False  # has used up an attempt
    begun: float = 0.0  # when its program began at the latest, monotonic seconds; 0: not yet, or not seen
    blamed: bool = False  # its loss counts against the task, which may have killed the host
    program: int | None = None  # what it runs, as the store counts programs


class ClientState(Word):
    """Where a client is in its life. `…_CUT_OFF`: a connection that it held is broken, and no word came since."""

    SETTING_UP = "setting up"  # has registered
    SETTING_UP_CUT_OFF = "setting up, cut off"
    AT_WORK = "at work"  # has asked for tasks, so its set-up went well
    AT_WORK_CUT_OFF = "at work, cut off"
    SENT_HOME = "sent home"  # was told that the sweep is over
    SENT_HOME_CUT_OFF = "sent home, cut off"
    GONE = "gone"  # has said goodbye, or somebody who knows that it has ended did
    GONE_UNASKED = "gone before it asked"  # its set-up went wrong, or never came to its end

    @property
    def is_cut_off(self) -> bool:
        """Whether the client may be dead: its next word clears this."""
        return self in _CUT_OFF

    @property
    def has_asked(self) -> bool:
        """Whether the client has asked for tasks, ever."""
        return self in _HAVE_ASKED

    @property
    def knows_the_end(self) -> bool:
        """Whether the client need not be told that the sweep is over."""
        return self in _KNOW_THE_END

    @property
    def is_gone(self) -> bool:
        """Whether the client has left."""
        return self in _GONE


_CUT_OFF = frozenset({ClientState.SETTING_UP_CUT_OFF, ClientState.AT_WORK_CUT_OFF, ClientState.SENT_HOME_CUT_OFF})
_GONE = frozenset({ClientState.GONE, ClientState.GONE_UNASKED})
_KNOW_THE_END = _GONE | {ClientState.SENT_HOME, ClientState.SENT_HOME_CUT_OFF}
_HAVE_ASKED = frozenset(ClientState) - {
    ClientState.SETTING_UP,
    ClientState.SETTING_UP_CUT_OFF,
    ClientState.GONE_UNASKED,
}


@dataclass(slots=True)
class Client:
    """A client that registered: one process of ours (or anybody's) on one host."""

    id: str
    host: str
    platform: str
    slots: int
    cores: int  # of its host
    since: float  # when it registered, monotonic seconds
    word: float  # its last sign of life, monotonic seconds
    pings: bool = False
    state: ClientState = ClientState.SETTING_UP
    load: float | None = None  # of its host, by others; None when the client does not say, as with the next two
    memory: float | None = None  # share of its host's memory that is used, 0 to 1
    disk: float | None = None  # the same of the disk where its tasks work


@record
class Failure:
    """How an attempt went wrong: `kind` is the class for `retry`, `reason` the sentence for people."""

    kind: str  # "exit:75", "signal:9", "timeout", "rejected", "missing", "start", "other"
    reason: str
    exit_code: int | None = None
    stderr: str = ""
    files: str | None = None  # that were in its directory, as leftovers.py writes them


@record
class Output:
    """One accepted result of one task, as it is stored.

    `value` is the cell of the table. The bytes lie in `raw`, or in `file` (below runs/<name>/) when they
    are many or the result is a file; both None means: value plus one newline, in UTF-8.
    `number` is the value of `as: int` and `as: float` as the database computes with it (numerals.py).
    """

    name: str
    value: str
    raw: bytes | None = None
    file: str | None = None
    size: int = 0
    number: Number = None


@record
class Times:
    """`3x`: so many times the median of what finished."""

    factor: float


@record
class Usage:
    """What an attempt used: seconds of wall, user and system time, peak memory in bytes; 0 where unknown.

    `read` and `written`: bytes that its processes moved from and to storage; None where the system does not tell.
    """

    wall: float = 0.0
    user: float = 0.0
    system: float = 0.0
    memory: int = 0
    read: int | None = None
    written: int | None = None


class Note(str):
    """A sentence for the user that also says what it is about."""

    kind: str
    host: str

    def __new__(cls, text: str, kind: str = "note", host: str = "") -> Note:
        """`kind` is one word for programs, `host` the machine that it speaks of."""
        made = super().__new__(cls, text)
        made.kind, made.host = kind, host
        return made


@record
class Setup:
    """The part of the configuration that is the same for every client of a sweep."""

    delete_worker: bool
    delete_client: bool
    ping: float
    grace: float
    cores: int
    nice: int
    max_result: int
    worker: str | None
    runs_worker: bool = False
    ask: tuple[str, ...] = ()
    control: str = "hold"
    files: bool = False  # clients are to list the files beside each result, too
