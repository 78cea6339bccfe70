"""One sweep, checked: what `spe run` is going to do, from spe.yaml or from a command line.

It reads files (parameters, hosts, worker, inputs) and contacts nobody. Everything that can be known to be
wrong before anything runs is a ConfigError from here, or from the first pass over the parameters
(`sweep.parameters.check()`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from ..config import config
from ..config.config import Config, InputSpec
from ..config.document import Document, YamlMap
from ..config.parameter_names import name_fault
from ..config.sequences import parse_parameter_option
from ..errors import ConfigError, UsageError
from ..model import Host, ResultSpec, Work, Worker
from ..record import record
from ..results.table_files import text_mode
from ..text import clean_name
from ..version import __version__
from . import advice
from .folders import FILE, LINE, NAME, choose_for_file, choose_for_line
from .hosts import HostList, parse_hosts, read_hosts
from .identity import Identity
from .name_clashes import at, check_known, check_names
from .parameter_file import ParameterFile
from .parameters import Block, Grid, Inspector, Listed, Parameters
from .pattern import Condition, Pattern, split
from .program import part_of_worker
from .recipe import InputPattern, Recipe
from .segments import Segment
from .worker import find_worker

__all__ = ["Sweep", "from_command_line", "load"]


@record
class Sweep:
    """A checked plan. `parameters.check()` is the first pass over the sets, still to be done."""

    name: str
    folder: Path
    config: Config
    results: tuple[ResultSpec, ...]
    worker: Worker | None
    parameters: Parameters
    hosts: tuple[Host, ...]  # empty: this machine
    hosts_file: Path | None  # where they stand, if they have a file
    warnings: tuple[str, ...]
    recipe: Recipe = field(repr=False)
    identity: Identity = field(repr=False)
    line: tuple[tuple[str, ...], tuple[str, ...]] | None = None  # words and -p options of a sweep without a file
    folder_note: str = ""  # what to tell people about the folder that was chosen, see folders.py

    @property
    def made(self) -> str:
        """How it is made, in the words of folders.py."""
        if self.line:
            return LINE
        return NAME if self.config.name else FILE

    def work(self, values: Mapping[str, str]) -> Work:
        """What a client runs for a set; raises ConfigError, as when an input file has vanished."""
        return self.recipe.work(values)

    def key(self, values: Mapping[str, str]) -> bytes:
        """The identity of a set, 16 bytes; the program's content is not in it."""
        return self.identity.key(values)

    def older_key(self, values: Mapping[str, str]) -> bytes | None:
        """The identity that spe 0.1.0 gave a set; None where it is the same."""
        return self.identity.older_key(values)

    def program(self) -> dict[str, str]:
        """The files of today's program by name, with their SHA-256: what tickets record."""
        files = self.worker.files if self.worker else {}
        workers = {part_of_worker(platform): file.sha256 for platform, file in files.items()}
        return {**workers, **self.recipe.program_parts()}

    def plan_digest(self) -> str:
        """The same as long as the same sets with the same identities come in the same order; "" when that can't be told
        without going through them. It reads the parameter file."""
        common = self.identity.digest()
        return "" if common is None else f"{__version__} {common.hex()} {self.parameters.digest().hex()}"

    @property
    def validate(self) -> tuple[str, ...]:
        """The validations beside exit_zero, in the order of spe.yaml."""
        return self.config.validation

    @property
    def collect(self) -> tuple[str, ...]:
        """What is made of the results beside the table."""
        return self.config.collect

    def setup_for(self, platform: str) -> str | None:
        """The setup of spe.yaml for a platform; a host's own line stands above it."""
        return self.config.setup_for(platform)


def load(path: Path, settings: Mapping[str, Any] | None = None) -> Sweep:
    """The sweep of a spe.yaml, or of the folder that has one.

    `settings` are keys of spe.yaml as the command line gives them, such as {"hosts": "other.txt"}; a hosts
    file there is relative to the current folder.
    """
    path = path / "spe.yaml" if path.is_dir() else path
    if not path.exists():
        todo = "`spe init` writes one; `spe run -p x=1:10 -- PROGRAM '{{ x }}'` needs none."
        raise ConfigError("there is no such file", where=str(path), todo=todo)
    checked, document = config.read(path, settings)
    folder = path.absolute().parent
    sweep = _Builder(checked, document, folder).sweep()
    chosen = choose_for_file(folder, checked.name)
    return replace(sweep, name=chosen.name, folder_note=chosen.note)


def from_command_line(
    words: Sequence[str],
    options: Sequence[str],
    folder: Path,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Sweep:
    """The sweep of `spe run -p OPTION … -- WORDS`: words that a shell has split, each a pattern.

    Without a name it is called after the program: `simulate` for ./simulate, `simulate-2` for another command of it.
    """
    if not words or not words[0]:
        raise UsageError("there is no command", todo="Write it after --: spe run -p x=1:10 -- ./prog '{{ x }}'")
    chosen = choose_for_line(folder.absolute(), words, name)
    given = {"name": chosen.name, "command": " ".join(words), **(settings or {})}
    if options:
        given["parameters"] = {"grid": _grid(options)}
    document = Document("command line", YamlMap())
    checked, _ = config.check(document, given)
    sweep = _Builder(checked, document, folder.absolute(), words).sweep()
    return replace(sweep, line=(tuple(words), tuple(options)), folder_note=chosen.note)


def _grid(options: Sequence[str]) -> dict[str, Sequence[str]]:
    grid: dict[str, Sequence[str]] = {}
    for option in options:
        try:
            name, values = parse_parameter_option(option)
        except ValueError as error:
            raise UsageError(str(error), where=f"-p {option}", todo="Write it like -p x=1:10 or -p y=a,b .") from error
        if fault := name_fault(name) or (name in grid and f"the name {name} is there twice"):
            raise UsageError(fault, where=f"-p {option}", todo="Give each parameter once, under a name of its own.")
        grid[name] = values if isinstance(values, Sequence) and not isinstance(values, list) else tuple(values)
    return grid


class _Builder:
    """Makes one sweep; holds what its steps share."""

    def __init__(self, config: Config, document: Document, folder: Path, words: Sequence[str] | None = None) -> None:
        self.config, self.document, self.folder, self.shell_words = config, document, folder, words
        self.name = config.name or clean_name(folder.name)
        self.warnings: list[str] = []

    def sweep(self) -> Sweep:
        blocks = self._blocks()
        words = self._words()
        worker, words = self._worker(words)
        recipe = self._recipe(words, worker, tuple(name for block in blocks for name in block.names))
        check_names(recipe, self.config, self.document)
        parameters = self._parameters(blocks, recipe)
        self.warnings += advice.about(recipe, parameters, self.config, self.document)
        text_mode(self.config.collect)  # at most one of them
        hosts = self._hosts()
        return Sweep(
            name=self.name,
            folder=self.folder,
            config=self.config,
            results=self.config.result_specs(),
            worker=worker,
            parameters=parameters,
            hosts=hosts.hosts,
            hosts_file=self._hosts_file(),
            warnings=(*self.warnings, *hosts.warnings),
            recipe=recipe,
            identity=Identity(recipe),
        )

    def _blocks(self) -> list[Block]:
        spec, blocks = self.config.parameters, list[Block]()
        if isinstance(spec.rows, str):
            self._check_there(self.folder / spec.rows, spec.rows, "parameters")
            blocks.append(ParameterFile(self.folder / spec.rows, spec.rows))
        elif spec.rows:
            lines = [self.document.line("parameters", "rows", i) for i in range(len(spec.rows))]
            names = tuple(spec.rows[0])
            blocks.append(Listed(names, [tuple(row[name] for name in names) for row in spec.rows], lines))
        if spec.grid:
            blocks.append(Grid(tuple(spec.grid), tuple(spec.grid.values())))
        if spec.zip:
            blocks.append(Listed(tuple(spec.zip), list(zip(*spec.zip.values(), strict=True))))
        if spec.repeat:
            blocks.append(Grid(("rep",), (tuple(map(str, range(1, spec.repeat + 1))),)))
        return blocks

    def _parameters(self, blocks: list[Block], recipe: Recipe) -> Parameters:
        spec = self.config.parameters
        where = None
        if spec.where is not None:
            with at(self.document, "parameters", "where"):
                where = Condition(spec.where)
                check_known(where.names, recipe.names)
        inspector = Inspector(
            whole=recipe.examine,
            quick=recipe.quick_examination(),
            characters=recipe.characters,
            first=lambda values: advice.about_first(values, recipe, self.config, self.document),
        )
        source = spec.rows if isinstance(spec.rows, str) else self.document.name
        return Parameters(blocks, where, source, inspector)

    def _words(self) -> list[Pattern]:
        with at(self.document, "command"):
            words = self._split()
            if not words or words[0].literal == "":
                raise ConfigError("the command has no program", todo="Write it like ./simulate --seed {{ seed }}.")
            return words

    def _split(self) -> list[Pattern]:
        given = [self.config.command] if self.shell_words is None else list(self.shell_words)
        if self.config.shell:
            return [Pattern.parse(" ".join(given))]
        return split(given[0]) if self.shell_words is None else [Pattern.parse(word) for word in given]

    def _worker(self, words: list[Pattern]) -> tuple[Worker | None, list[Pattern]]:
        if spec := self.config.worker:
            only = Path(next(iter(spec.files.values()))).name if len(spec.files) == 1 else None
            where = {p: self.document.where("worker", *([p] if len(spec.files) > 1 else [])) for p in spec.files}
            return find_worker(spec.name or only or self.name, spec.files, self.folder, where), words
        path = words[0].literal
        if self.config.shell or path is None or "/" not in path or path.startswith("/"):
            return None, words
        worker = find_worker(Path(path).name, {"any": path}, self.folder, {"any": self.document.where("command")})
        return worker, [Pattern([Segment(False, f"./{worker.name}")]), *words[1:]]  # a name is text, also one with {{

    def _recipe(self, words: list[Pattern], worker: Worker | None, names: tuple[str, ...]) -> Recipe:
        inputs = tuple(self._input(name, one) for name, one in self.config.inputs.items())
        env = {}
        for name, text in self.config.env.items():
            with at(self.document, "env", name):
                env[name] = Pattern.parse(text)
        shown = worker.name if worker else None
        recipe = Recipe(tuple(words), inputs, env, self.folder, names, self.config.shell, shown)
        for one in inputs:
            with at(self.document, "inputs", one.name):
                self._check_input(one, recipe)
        recipe.find_programs()
        return recipe

    def _input(self, name: str, spec: InputSpec) -> InputPattern:
        with at(self.document, "inputs", name):
            text = spec.file if spec.file is not None else spec.text
            return InputPattern(name, Pattern.parse(text or ""), spec.file is not None)

    def _check_input(self, one: InputPattern, recipe: Recipe) -> None:
        if one.name == recipe.worker:
            raise ConfigError("an input has the name of the worker", todo="Give it another name.")
        if one.is_file and one.pattern.literal is not None:
            recipe.files.check(one.pattern.literal, one.name)

    def _hosts(self) -> HostList:
        hosts = self.config.hosts
        if hosts is None:
            return HostList(())
        if isinstance(hosts, str) and (path := self._hosts_file()):
            self._check_there(path, hosts, "hosts")
            return read_hosts(path, hosts)
        return parse_hosts((self.document.where("hosts", number), line) for number, line in enumerate(hosts))

    def _hosts_file(self) -> Path | None:
        base = Path() if "hosts" in self.document.overridden else self.folder
        return base / self.config.hosts if isinstance(self.config.hosts, str) else None

    def _check_there(self, path: Path, written: str, key: str) -> None:
        if not os.path.exists(path):
            todo = "Mend the path; a list of hosts is written [lab1, lab2]." if key == "hosts" else "Mend the path."
            raise ConfigError(f"the file {written} is not there", where=self.document.where(key), todo=todo)


def run_folder(sweep: Sweep) -> Path:
    """runs/<name>/ of a sweep."""
    return sweep.folder / "runs" / sweep.name
