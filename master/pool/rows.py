"""Records of the farm, one for each kind of row in its registry. Nothing here knows a database.

Times are seconds since 1970 by the farm's clock. Durations in the ledger are monotonic seconds.
"""

from __future__ import annotations

from ..record import Word, record


class Role(Word):
    """What a user may do."""

    MEMBER = "member"
    ADMIN = "admin"


class JobState(Word):
    """Where a job is in its life."""

    WAITING = "waiting"  # it holds no slot
    PENDING = "pending"  # it has a grant, and its master or its first client is being started
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """True when the job asks for nothing any more."""
        return self in (JobState.FINISHED, JobState.CANCELLED)


@record
class UserRow:
    """A user. used: decayed slot-seconds as of used_at. groups, also: names divided by blanks."""

    name: str
    role: Role = Role.MEMBER
    share: float = 1.0
    used: float = 0.0
    used_at: float = 0.0
    enabled: bool = True
    groups: str = ""
    also: str = ""
    mail: str = ""
    digest: bool = True


@record
class TokenRow:
    """A token of a user on one host of his. sha256: of the token, which is stored nowhere."""

    sha256: str
    user: str
    host: str
    until: float


@record
class HostRow:
    """A host of the farm. most: slots that jobs may use of its `slots`. only: users, by blanks.

    owner: who lends it; "" for hosts of the administrator. reason: why it is not vacant.
    """

    name: str
    slots: int
    most: int
    memory: int = 0
    gpus: int = 0
    only: str = ""
    owner: str = ""
    active: bool = True
    info: str = ""
    platform: str = ""
    boot: str = ""
    heard: float = 0.0
    reason: str = ""


@record
class JobRow:
    """A job. place: the host of its delegate, boot: that host's boot ID then.

    licences: "NAME:N …". hosts, exclude: names divided by blanks. time: expected seconds of a task,
    0 for unknown. outcome: one sentence at its end.
    """

    id: int
    owner: str
    name: str
    place: str
    boot: str = ""
    labels: str = ""
    group: str = ""
    info: str = ""
    priority: int = 64
    cores: int = 1
    memory: int = 0
    gpus: float = 0.0
    licences: str = ""
    hosts: str = ""
    exclude: str = ""
    time: float = 0.0
    state: JobState = JobState.WAITING
    sets: int = 0
    done: int = 0
    failed: int = 0
    submitted: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    outcome: str = ""
    mail: str = ""
    sweep: int = 0  # the standing sweep of a single command; 0 for a job with a folder of its own
    set: int = 0  # its number there


@record
class GrantRow:
    """A grant of which the master has not yet confirmed a newer one: what it may hold on a host."""

    job: int
    epoch: int
    number: int
    host: str
    slots: int


@record
class LedgerRow:
    """Slots of a job on a host from `since` until `until`; until is 0 while it lasts.

    heard: when it was last brought up to date. seconds: how long it lasted, by a clock that does
    not jump.
    """

    id: int
    job: int
    host: str
    slots: int
    gpus: float
    since: float
    until: float
    heard: float
    seconds: float
    price: float


@record
class HistoryRow:
    """What happened to a job or a host."""

    id: int
    at: float
    job: int
    host: str
    state: str
    text: str


@record
class LicenceRow:
    """How many licences of a name there are."""

    name: str
    total: int


@record
class SettingRow:
    """A setting of the farm, as text."""

    name: str
    value: str


Row = (
    UserRow
    | TokenRow
    | HostRow
    | JobRow
    | GrantRow
    | LedgerRow
    | HistoryRow
    | LicenceRow
    | SettingRow
)
