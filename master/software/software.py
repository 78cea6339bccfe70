"""The software that a sweep brings along, as one host gets it: environment, image, prepared folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..model import Host
from ..record import record
from .host_python import HostPython

if TYPE_CHECKING:  # most sweeps bring nothing along, and start without these
    from .build import Build, BuildFile
    from .container import ContainerSource
    from .prepare import PrepareSource
    from .roll_call import RollCall
    from .venv import VenvSource, Wheels

DOWNLOADS = 1800.0  # seconds for wheels or an image to be downloaded, sent and installed
SOFTWARE = "software"  # the folder in runs/<name>/ that keeps the wheels


@record
class Made:
    """A build that a host was told to make, as people are told of it."""

    shown: str
    size: int  # bytes that travel to each home
    host_kind: str  # the Python or the platform that it is for; "" where it is the same for all


@record
class Sources:
    """The `venv:`, `container:` and `prepare:` of spe.yaml, checked."""

    venv: VenvSource | None = None
    container: ContainerSource | None = None
    prepare: PrepareSource | None = None

    def __bool__(self) -> bool:
        return bool(self.venv or self.container or self.prepare)

    @property
    def longest(self) -> float:
        """Seconds that a host may take beyond a usual start."""
        downloads = DOWNLOADS if self.venv or self.container else 0.0
        return downloads + (self.prepare.timeout if self.prepare else 0.0)

    def program_parts(self) -> dict[str, str]:
        """Return digests by the names under which tickets record them."""
        parts = {}
        if self.venv:
            parts[f"venv {self.venv.written}"] = self.venv.digest
        if self.container:
            parts[f"container {self.container.written}"] = self.container.file.sha256
        if self.prepare:
            parts["prepare command"] = self.prepare.digest
        return parts


class Software:
    """Makes the builds of each host, and knows their files. Lives as long as the run."""

    def __init__(
        self,
        sources: Sources,
        folder: Path,
        files_to_prepare: Callable[[str], Sequence[BuildFile]],
        hosts: Sequence[Host] = (),
        tell: Callable[[str], None] = lambda paragraph: None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Keep wheels below `folder`. `files_to_prepare` returns the files for a platform.

        `hosts`: those of the run. `tell` shows the user what keeps hosts from working, `say` what
        goes on.
        """
        self._hosts = hosts
        self._sources = sources
        self._wheels: Wheels | None = None
        self._roll_call: RollCall | None = None
        if sources.venv:
            self._wheels, self._roll_call = _with_venv(sources.venv, folder, say, tell)
        if self._roll_call:
            self._roll_call.hosts = lambda: self.hosts
        self._files_to_prepare = files_to_prepare
        self._files: dict[str, Path] = {}  # of builds that hosts were told of, by their SHA-256
        self.making: dict[str, tuple[Made, ...]] = {}  # client -> what it was told to make
        self.failed: dict[str, str] = {}  # host -> why its latest client could not make a build
        self.unfinished: set[str] = set()  # clients for which the sweep was over before they were ready

    def __bool__(self) -> bool:
        return bool(self._sources)

    def expect(self, hosts: Callable[[], Collection[str]]) -> None:
        """Wait with the first answer for the hosts that `hosts` returns: they may still come."""
        if self._roll_call:
            self._roll_call.expected = hosts

    def was_told(self, host: str, fault: str) -> bool:
        """Return True once for the fault of a host that the user has read already."""
        return self._roll_call is not None and self._roll_call.was_told(host, fault)

    async def builds(
        self, client: str, host: str, python: HostPython, platform: str, setup: str
    ) -> list[Build]:
        """Return the builds of a client's host in the order in which they are made.

        Raises SpeError when the host cannot have one of them.
        """
        self.failed.pop(host, None)
        found: list[Build] = []
        if self._roll_call:
            found.append(await self._roll_call.build(host, python))
        elif self._wheels:
            found.append(await self._wheels.build(python))
        if self._sources.container:
            found.append(self._sources.container.build())
        if self._sources.prepare:
            made_with = " ".join([platform, setup, *(one.key for one in found)])
            files = self._files_to_prepare(platform)
            found.append(self._sources.prepare.build(files, made_with))
        for one in found:
            self._files |= {file.sha256: file.path for file in one.files}
        kinds = {"venv": python.shown, "prepare": platform}
        self.making[client] = tuple(
            Made(one.shown, sum(file.size for file in one.files), kinds.get(one.kind, ""))
            for one in found
        )
        return found

    @property
    def without(self) -> set[str]:
        """Return the names of the hosts that cannot have wheels, and so make nothing."""
        return self._roll_call.without if self._roll_call else set()

    @property
    def stage(self) -> str:
        """Return what goes on before hosts can make anything, for people; "" for nothing."""
        if self._wheels and self._wheels.downloading:
            pythons = "; ".join(self._wheels.downloading)
            return f"{self._wheels.source.shown}: downloading wheels for {pythons}"
        if self._roll_call and self._roll_call.is_open:
            count = f"{len(self._roll_call.described)} of {len(self.hosts)}"
            return f"asking hosts which Python they have: {count} have answered"
        return ""

    @property
    def hosts(self) -> set[str]:
        """Return the names of the hosts of the run, of which some may share a home."""
        return {host.name for host in self._hosts}

    def file(self, sha256: str) -> Path | None:
        """Return the file with this checksum, if it belongs to a build."""
        return self._files.get(sha256)


def _with_venv(
    source: VenvSource, folder: Path, say: Callable[[str], None], tell: Callable[[str], None]
) -> tuple[Wheels, RollCall | None]:
    """Return the wheels of an environment, and what asks all hosts for their Python first."""
    from .roll_call import RollCall
    from .venv import Wheels

    wheels = Wheels(source, folder, say)
    return wheels, None if source.is_archive else RollCall(wheels, tell)  # one archive is for all hosts
