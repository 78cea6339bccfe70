"""The nouns of spe as records, dataclasses and enums; no behaviour beyond the facts that they carry.

The words are those of the glossary in docs/guide.md, one word for each thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .record import Word, record

# Seconds: longest time between the deaths of two hosts that one power cut may have caused.
ONE_CUT = 10.0
#: A result as SQLite computes with it: an int beyond 64 bits is a text, NaN and all that is no number are None.
Number = int | float | str | None


class Kind(Word):
    """Ways to read a result: the `as` of spe.yaml."""

    TEXT = "text"
    INT = "int"
    FLOAT = "float"
    JSON = "json"
    FILE = "file"
    FILES = "files"  # several files that match a pattern such as frames/*.png
    FOLDER = "folder"  # all files below a folder

    @property
    def is_path(self) -> bool:
        """True when the cell of the table is a path: what the program wrote is kept as it is."""
        return self in _PATHS

    @property
    def is_tree(self) -> bool:
        """True when a result has any number of files."""
        return self in TREES


#: Kinds of results that have any number of files.
TREES = frozenset({Kind.FILES, Kind.FOLDER})
_PATHS = TREES | {Kind.FILE}


@record
class ResultSpec:
    """A named result of spe.yaml: where it comes from and how it is read."""

    name: str
    # "stdout", or a path below the task's directory: of a file, of a folder, or a pattern of files.
    # Of spe.yaml it may have {{ parameters }}; config/result_sources.py fills them in for one set.
    source: str = "stdout"
    kind: Kind = Kind.TEXT
    regex: str | None = None  # the first group (or the whole match) is the value
    path: str | None = None  # dotted path into a JSON document
    minimum: float | None = None
    maximum: float | None = None

    @property
    def origin(self) -> str:
        """The name of what is kept for this result: its source, told apart by what lies there.

        `out` as a file and `out` as a folder are different things to keep.
        """
        return self.source + _ORIGINS.get(self.kind, "")


#: Behind the sources of trees. No file's name ends in a slash, and no source has two of them.
_ORIGINS = {Kind.FOLDER: "/", Kind.FILES: "//"}


@record
class WorkerFile:
    """An executable of the worker, for one platform."""

    path: Path
    md5: str
    sha256: str
    size: int


@record
class Worker:
    """The user's executable: one name, and a file for each platform.

    A platform is written `linux-x86_64`, `linux` or `any`.
    """

    name: str
    files: Mapping[str, WorkerFile]

    def for_platform(self, platform: str) -> WorkerFile | None:
        """Return the file for a platform like `linux-x86_64`, None when there is none.

        The nearest name wins: `linux-x86_64`, then `linux`, then `any`.
        """
        names = (platform, platform.partition("-")[0], "any")
        return next((self.files[name] for name in names if name in self.files), None)


@record
class ParameterSet:
    """A parameter set as its source gives it."""

    values: Mapping[str, str]
    line: int = 0  # line of the parameter file; 0 when the set is in none


@record
class Input:
    """A file that a task finds in its directory; the one named `stdin` feeds its standard input."""

    name: str
    content: bytes = b""
    sha256: str = ""  # digest of the content, where it is known already
    # A large input stays on the disk until a client asks for it: a sweep may have gigabytes of them.
    file: Path | None = None
    length: int = 0  # bytes of `file`, or of the archive
    mode: int = 0  # permissions of a task's file; 0: as the host makes files
    copy: bool = False  # each task's own file, which it may write, however large
    archive: Archive | None = None  # many files below `name`, unpacked once on each host
    origin: Path | None = None  # file here that has this content, if there is one

    @property
    def size(self) -> int:
        """Bytes of the content."""
        if self.file or self.archive:
            return self.length
        return len(self.content)


class Archive(Protocol):
    """Many files of one input, packed for the clients that unpack it once."""

    sha256: str

    def written(self) -> Path:
        """Return the archive on the disk. Raises SpeError when its files have changed."""
        ...

    def inputs(self) -> Iterable[Input]:
        """Yield its files one by one, for clients that know no archives."""
        ...


@record
class Work:
    """The program run of one task: its arguments, its input files and its own environment."""

    words: tuple[str, ...]
    inputs: tuple[Input, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@record
class Host:
    """A line of the hosts file. None leaves a value to ~/.ssh/config, the login or the machine."""

    name: str
    user: str | None = None
    port: int | None = None
    slots: int | None = None
    workdir: str | None = None
    python: str | None = None
    setup: str | None = None
    trust_workdir: bool = False  # accept a workdir that other users may write into
    origin: str = ""  # "hosts.txt:3", for messages

    @property
    def is_here(self) -> bool:
        """True for `localhost`: this machine, reached without SSH."""
        return self.name == "localhost"


HERE = Host("localhost")


class TaskState(Word):
    """States of a task. Only lifecycle.py moves it."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"  # by hand; it waits for `spe retry`


class TicketState(Word):
    """States of an attempt at a task. Only lifecycle.py moves it."""

    ISSUED = "issued"  # a client has it
    CHECKING = "checking"  # the result has arrived and is being validated
    ACCEPTED = "accepted"
    REJECTED = "rejected"  # the validation refused the result
    FAILED = "failed"  # the program failed, or ran out of time
    LOST = "lost"  # the host went silent; a late result is still accepted
    EXPIRED = "expired"  # another attempt won


@record
class Death:
    """The loss of a host: it died between `earliest` and `latest`, in monotonic seconds."""

    host: str
    earliest: float
    latest: float

    def is_of_one_cut(self, other: Death) -> bool:
        """Return whether one power cut may have caused both deaths, so that no task is to blame.

        True for different hosts that died within ONE_CUT seconds of each other.
        """
        apart = max(self.earliest - other.latest, other.earliest - self.latest)
        return self.host != other.host and apart <= ONE_CUT


@dataclass(slots=True)
class Task:
    """A parameter set of the sweep, held by the dispatch while it is waiting or running."""

    number: int
    values: Mapping[str, str]
    state: TaskState = TaskState.WAITING
    attempts: int = 0  # used up: failed and rejected ones, not lost ones
    lost: int = 0  # attempts that died with their host
    faults: dict[str, int] = field(default_factory=dict)  # kind of failure -> attempts used up
    tickets: list[int] = field(default_factory=list)  # live attempts
    past: list[int] = field(default_factory=list)  # attempts without a result, also lost ones
    shunned: set[str] = field(default_factory=set)  # hosts where an attempt failed
    refused: dict[str, set[str]] | None = None  # digest of a rejected result -> hosts that brought it
    key: bytes = b""  # identity of its inputs: only a task with this identity is handed out
    planned: bool = True  # known to be one of today's sets; only these are ever queued
    death: Death | None = None  # death of the host whose loss counted last
    redone: bool = False  # an earlier result is still stored, until a new one replaces it
    not_before: float = 0.0  # the next attempt begins no earlier (retry.after), monotonic seconds; 0: at any time


@dataclass(slots=True)
class Ticket:
    """An attempt at a task, from its handing out until a result, a failure or a loss ends it."""

    id: int
    task: int
    client: str
    host: str
    issued: float  # monotonic seconds of this master
    state: TicketState = TicketState.ISSUED
    word: float = 0.0  # last sign of life, monotonic seconds
    leased: bool = False  # the client sends heartbeats, so silence means that it is gone
    charged: bool = False  # has used up an attempt
    begun: float = 0.0  # latest time at which its program began, monotonic seconds; 0: unknown
    blamed: bool = False  # the loss counts against the task, which may have killed the host
    program: int | None = None  # number of its program in the store


class ClientState(Word):
    """States of a client, from its registration to its end.

    `…_CUT_OFF`: a connection that the client held open broke, and it has not been heard since.
    """

    SETTING_UP = "setting up"  # registered, has not asked for a task yet
    SETTING_UP_CUT_OFF = "setting up, cut off"
    AT_WORK = "at work"  # has asked for tasks, so its set-up went well
    AT_WORK_CUT_OFF = "at work, cut off"
    SENT_HOME = "sent home"  # was told that the sweep is over
    SENT_HOME_CUT_OFF = "sent home, cut off"
    GONE = "gone"  # said goodbye, or is known to have ended
    GONE_UNASKED = "gone before it asked"  # the set-up failed, or never ended

    @property
    def is_cut_off(self) -> bool:
        """True when the client may be dead: its next request clears this."""
        return self in _CUT_OFF

    @property
    def has_asked(self) -> bool:
        """True when the client has ever asked for tasks."""
        return self in _HAVE_ASKED

    @property
    def knows_the_end(self) -> bool:
        """True when the client need not be told that the sweep is over."""
        return self in _KNOW_THE_END

    @property
    def is_gone(self) -> bool:
        """True when the client has left."""
        return self in _GONE


_CUT_OFF = frozenset(
    {ClientState.SETTING_UP_CUT_OFF, ClientState.AT_WORK_CUT_OFF, ClientState.SENT_HOME_CUT_OFF}
)
_GONE = frozenset({ClientState.GONE, ClientState.GONE_UNASKED})
_KNOW_THE_END = _GONE | {ClientState.SENT_HOME, ClientState.SENT_HOME_CUT_OFF}
_HAVE_ASKED = frozenset(ClientState) - {
    ClientState.SETTING_UP,
    ClientState.SETTING_UP_CUT_OFF,
    ClientState.GONE_UNASKED,
}


@dataclass(slots=True)
class Client:
    """A registered client: a process of ours (or of somebody else) on a host."""

    id: str
    host: str
    platform: str
    slots: int
    cores: int  # cores of the host
    since: float  # time of the registration, monotonic seconds
    word: float  # last sign of life, monotonic seconds
    pings: bool = False
    state: ClientState = ClientState.SETTING_UP
    has_had_tasks: bool = False
    was_killed: bool = False  # its end was no goodbye of its own
    newest: int = 0  # the highest ticket that was handed to it; the answer may have been lost
    received: int = 0  # the highest ticket that it is known to have
    # None in these three: the client does not report the figure.
    load: float | None = None  # load of the host that others cause
    memory: float | None = None  # used share of its host's memory, 0 to 1
    disk: float | None = None  # used share of the disk where its tasks work, 0 to 1


@record
class Licence:
    """A licence that each task takes: `takes` of the `of` that there are."""

    name: str
    takes: int
    of: int

    @property
    def tasks(self) -> int:
        """The number of tasks that the licences are enough for at a time."""
        return self.of // self.takes


@record
class Failure:
    """The failure of an attempt: `kind` is matched by `retry`, `reason` is the sentence for people."""

    kind: str  # "exit:75", "signal:9", "timeout", "rejected", "missing", "start", "other"
    reason: str
    exit_code: int | None = None
    stderr: str = ""
    files: str | None = None  # files in its directory, as leftovers.py writes them


@record
class Output:
    """An accepted result of a task, as it is stored.

    `value` is the cell of the table. The bytes lie in `raw`, or in `file` (below runs/<name>/) when
    they are many or the result is a file; see `is_tree` for several files. Both are None when the
    bytes are the value and one newline in UTF-8: most results are, and are not stored twice.
    `number` is the value of `as: int` and `as: float` as the database computes with it
    (numerals.py).
    """

    name: str
    value: str
    raw: bytes | None = None
    file: str | None = None
    size: int = 0
    number: Number = None

    @property
    def is_tree(self) -> bool:
        """True for files and folders: `file` is the folder, `raw` the list of what is in it.

        results/trees.py writes and reads the list.
        """
        return self.file is not None and self.raw is not None

    @property
    def content(self) -> bytes:
        """What the program wrote, of an output without a file; the value is a part or the whole."""
        if self.raw is None:
            return self.value.encode() + b"\n"
        return self.raw


@record
class Times:
    """A limit like `3x`: a multiple of the median time of the finished attempts."""

    factor: float


@record
class Usage:
    """Resources used by an attempt: wall, user and system time in seconds, peak memory in bytes.

    0 where unknown. `read` and `written` are bytes that its processes moved from and to storage,
    None where the system does not tell.
    """

    wall: float = 0.0
    user: float = 0.0
    system: float = 0.0
    memory: int = 0
    read: int | None = None
    written: int | None = None


class Note(str):
    """A sentence for the user that also carries its subject for programs."""

    kind: str
    host: str

    def __new__(cls, text: str, kind: str = "note", host: str = "") -> Note:
        """Make a note: `kind` is one word for programs, `host` the machine that the text speaks of."""
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
    software: bool = False  # clients are to ask for an environment, an image or a prepared folder
    files: bool = False  # clients are to list the files beside each result, too
    keep_failed: int = 0  # bytes of the files that are kept of a failed set; 0: none
