"""A checked sweep: everything that a run knows of it before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from ..config.config import Config
from ..config.result_sources import ResultSources
from ..errors import ConfigError
from ..line.one_liner import OneLiner
from ..model import Host, ResultSpec, Work, Worker
from ..record import record
from ..software.software import Sources
from ..version import __version__
from .folders import FILE, LINE, NAME
from .identity import Identity
from .parameters import Parameters
from .program import part_of_worker
from .recipe import Recipe


@record
class Sweep:
    """A checked plan. `parameters.check()`, the first pass over the sets, is still to be done."""

    name: str
    folder: Path
    config: Config
    results: tuple[ResultSpec, ...]
    worker: Worker | None
    parameters: Parameters
    hosts: tuple[Host, ...]  # empty: this machine
    hosts_file: Path | None  # file in which the hosts stand, if there is one
    warnings: tuple[str, ...]
    # Mistakes in the program that make every task fail; nothing runs then, unless `--anyway`.
    mistakes: tuple[ConfigError, ...]
    recipe: Recipe = field(repr=False)
    identity: Identity = field(repr=False)
    sources: ResultSources = field(repr=False)  # the results, to be filled for one set
    line: OneLiner | None = None  # the command line of a sweep without a file
    software: Sources = Sources()  # what comes along with the program
    folder_note: str = ""  # sentence for people about the chosen folder, see folders.py

    @property
    def made(self) -> str:
        """Return how the sweep is made, in the words of folders.py."""
        if self.line:
            return LINE
        if self.config.name:
            return NAME
        return FILE

    def work(self, values: Mapping[str, str]) -> Work:
        """Return what a client runs for a set.

        Raises ConfigError, as when an input file has vanished.
        """
        return self.recipe.work(values)

    def results_of(self, values: Mapping[str, str]) -> tuple[ResultSpec, ...]:
        """Return the results of a set, with its values in the patterns of `from`."""
        if not self.sources.patterns:
            return self.results
        return self.sources.of(self.recipe.scope(values))

    def key(self, values: Mapping[str, str]) -> bytes:
        """Return the identity of a set, 16 bytes. The program's content is not in it."""
        return self.identity.key(values)

    def older_key(self, values: Mapping[str, str]) -> bytes | None:
        """Return the identity that spe 0.1.0 gave a set; None where it is the same."""
        return self.identity.older_key(values)

    def program(self) -> dict[str, str]:
        """Return the files of today's program by name, with their SHA-256: what tickets record."""
        parts = {}
        if self.worker:
            for platform, file in self.worker.files.items():
                parts[part_of_worker(platform)] = file.sha256
        return {**parts, **self.recipe.program_parts(), **self.software.program_parts()}

    def plan_digest(self) -> str:
        """Return a digest: equal as long as the same sets with the same identities come in the same
        order.

        "" when that can't be told without going through the sets. The parameter file is read.
        """
        common = self.identity.digest()
        if common is None:
            return ""
        # With the version: another spe may read the same file in another way.
        return f"{__version__} {common.hex()} {self.parameters.digest().hex()}"

    @property
    def validate(self) -> tuple[str, ...]:
        """Return the validations beside exit_zero, in the order of spe.yaml."""
        return self.config.validation

    @property
    def collect(self) -> tuple[str, ...]:
        """Return the names of what is made of the results: the table and its kin, and hooks."""
        return self.config.collect

    def setup_for(self, platform: str) -> str | None:
        """Return the setup of spe.yaml for a platform. A host's own line stands above it."""
        return self.config.setup_for(platform)


def run_folder(sweep: Sweep) -> Path:
    """Return runs/<name>/ of a sweep."""
    return sweep.folder / "runs" / sweep.name
