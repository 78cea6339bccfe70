"""A checked sweep: what `spe run` is going to do, from spe.yaml or from a command line.

This module reads files (parameters, hosts, worker, inputs) and contacts nobody. Everything that can
be known to be wrong before anything runs is a ConfigError from here, or from the first pass over
the parameters (`sweep.parameters.check()`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config import config
from ..config.config import Config, WorkerSpec
from ..config.document import Document, YamlMap
from ..config.parameters import Axis, Glob
from ..config.result_sources import ResultSources
from ..errors import ConfigError, UsageError
from ..line.one_liner import OneLiner, Place
from ..model import Worker
from ..results.table_files import text_mode
from ..software.software import Sources
from ..text import clean_name
from .checks.files_here import FilesHere
from .checks.names import at, check_interpreter, check_known, check_names
from .checks.programs import ProgramCheck, check_one_word, no_slash, unknown_here
from .checks.shell_values import ShellValues
from .checks.warnings import warnings
from .folders import choose_for_file, choose_for_line
from .hosts import HostList, parse_hosts, read_hosts
from .identity import Identity
from .inputs.files import InputFiles
from .inputs.globs import matched_inputs, matching_files
from .inputs.listing import find_inputs
from .inputs.trees import Trees
from .parameters import Inspector, Parameters
from .pattern import Pattern, Values, split
from .plan import Sweep, run_folder
from .program_files import find_worker
from .recipe import Recipe
from .segments import Segment
from .sources.blocks import Block, Grid, Listed
from .sources.json_lines import SUFFIXES as JSON_LINES
from .sources.json_lines import JsonLines
from .sources.parameter_file import ParameterFile
from .sources.samples import sampled
from .where.condition import Condition

__all__ = ["Sweep", "from_command_line", "load", "run_folder"]


def load(
    path: Path,
    settings: Mapping[str, Any] | None = None,
    options: Mapping[Place, str] | None = None,
) -> Sweep:
    """Return the sweep of a spe.yaml, or of the folder that has one.

    `settings` are keys of spe.yaml as the command line gives them, such as {"hosts": "other.txt"};
    `options` are the options that gave them, for messages. A hosts file there is relative to the
    current folder.
    """
    if path.is_dir():
        path = path / "spe.yaml"
    if not path.exists():
        todo = "`spe init` writes one; `spe run -p x=1:10 -- PROGRAM '{{ x }}'` needs none."
        raise ConfigError("there is no such file", where=str(path), todo=todo)
    checked, document = config.read(path, settings, options)
    folder = path.absolute().parent
    sweep = _Builder(checked, document, folder).sweep()
    chosen = choose_for_file(folder, checked.name)
    return replace(sweep, name=chosen.name, folder_note=chosen.note)


def from_command_line(line: OneLiner, folder: Path, name: str | None = None) -> Sweep:
    """Return the sweep of `spe run OPTIONS -- WORDS`: words that a shell has split, each a pattern.

    Without a name it is called after the program: `simulate` for ./simulate, `simulate-2` for
    another command of it.
    """
    if not line.words or not line.words[0]:
        raise UsageError(
            "there is no command", todo="Write it after --: spe run -p x=1:10 -- ./prog '{{ x }}'"
        )
    # Before the checks, because the name of the folder is the name of the sweep, and checked with it.
    in_shell = bool(line.settings.get("shell"))
    chosen = choose_for_line(folder.absolute(), line.words, name, in_shell)
    document = Document("command line", YamlMap())
    # The command is there for messages alone: the words that the shell made are used as they are.
    given = {"name": chosen.name, "command": " ".join(line.words), **line.settings}
    checked, _ = config.check(document, given, line.options)
    sweep = _Builder(checked, document, folder.absolute(), line.words).sweep()
    return replace(sweep, line=line, folder_note=chosen.note)


class _Builder:
    """Makes one sweep, and holds what the steps of that share."""

    def __init__(
        self, config: Config, document: Document, folder: Path, words: Sequence[str] | None = None
    ) -> None:
        self.config = config
        self.document = document
        self.folder = folder
        self.shell_words = words
        self.name = config.name or clean_name(folder.name)
        self.warnings: list[str] = []
        self.globs: dict[str, Sequence[str]] = {}  # parameters whose values are files

    def sweep(self) -> Sweep:
        """Return the sweep. Raises ConfigError at the first thing that is wrong."""
        blocks = self._blocks()
        words = self._words()
        worker, words = self._worker(words)
        recipe = self._recipe(
            words, worker, tuple(name for block in blocks for name in block.names)
        )
        # Before the sets are read: a wrong name makes every set wrong.
        sources = self._sources()
        check_names(recipe, sources, self.config, self.document)
        parameters = self._parameters(blocks, recipe, sources)
        self.warnings += warnings(recipe, parameters, sources, self.config, self.document)
        text_mode(self.config.collect)  # raises when several of them are asked for
        hosts = self._hosts()
        mistakes = self._mistakes(recipe, worker, hosts)
        return Sweep(
            name=self.name,
            folder=self.folder,
            config=self.config,
            results=sources.specs,
            worker=worker,
            parameters=parameters,
            hosts=hosts.hosts,
            hosts_file=self._hosts_file(),
            warnings=(*self.warnings, *hosts.warnings),
            mistakes=mistakes,
            recipe=recipe,
            identity=Identity(recipe),
            sources=sources,
            software=self._software(),
        )

    def _mistakes(
        self, recipe: Recipe, worker: Worker | None, hosts: HostList
    ) -> tuple[ConfigError, ...]:
        """Return what is wrong with the program; add a warning for what only may be wrong."""
        mistakes = [*ProgramCheck(recipe, worker, self.config, self.document).mistakes()]
        if found := no_slash(recipe, hosts.hosts, self.config):
            what, todo, is_certain = found
            where = self.document.where("command")
            if is_certain:
                mistakes.append(ConfigError(what, where=where, todo=todo))
            else:
                self.warnings.append(f"{where}: {what}; {todo}")
        brings = self.config.setup or self.config.venv or self.config.container
        if not brings and (text := unknown_here(recipe, hosts.hosts)):
            self.warnings.append(f"{self.document.where('command')}: {text}")
        return tuple(mistakes)

    def _blocks(self) -> list[Block]:
        """Return the blocks of parameters, in the order in which they vary: the slowest first."""
        spec = self.config.parameters
        blocks = self._rows(spec.rows)
        if spec.grid:
            grid = {name: self._values("grid", name, one) for name, one in spec.grid.items()}
            blocks.append(Grid(tuple(grid), tuple(grid.values())))
        if spec.zip:
            blocks.append(self._zipped(spec.zip))
        if spec.sample:
            with at(self.document, "parameters", "sample"):
                blocks.append(sampled(spec.sample))
        if spec.repeat:
            # Repetitions are a parameter like others, so each has an identity of its own.
            blocks.append(Grid(("rep",), (tuple(map(str, range(1, spec.repeat + 1))),)))
        return blocks

    def _zipped(self, spec: Mapping[str, Axis]) -> Block:
        """Return the block of `zip:`, whose names have equally many values."""
        found = {name: self._values("zip", name, one) for name, one in spec.items()}
        first, *others = found
        for name in others:
            if len(found[name]) != len(found[first]):
                what = f"{first} has {len(found[first])} values, {name} has {len(found[name])}"
                where = self.document.where("parameters", "zip", name)
                raise ConfigError(what, where=where, todo="Give both as many: they go in step.")
        return Listed(tuple(found), list(zip(*found.values(), strict=True)))

    def _values(self, block: str, name: str, axis: Axis) -> Sequence[str]:
        """Return the values of one name; those of a glob are the files that match."""
        if not isinstance(axis, Glob):
            return axis
        with at(self.document, "parameters", block, name):
            self.globs[name] = matching_files(self.folder, axis.pattern)
            return self.globs[name]

    def _rows(self, rows: str | Sequence[Mapping[str, str]] | None) -> list[Block]:
        """Return the block of `rows:`, a parameter file or rows of spe.yaml; none without the key."""
        if isinstance(rows, str):
            self._check_there(self.folder / rows, rows, "parameters")
            if Path(rows).suffix.lower() not in JSON_LINES:
                return [ParameterFile(self.folder / rows, rows, self.config.separator)]
            if self.config.separator is None:
                return [JsonLines(self.folder / rows, rows)]
            raise ConfigError(
                "JSON lines have no separator",
                where=self.document.where("separator"),
                todo="Remove it; a file of cells has another suffix, such as .csv.",
            )
        if self.config.separator is not None:
            raise ConfigError(
                "there is no parameter file",
                where=self.document.where("separator"),
                todo="Name it by `parameters: FILE`, or remove `separator:`.",
            )
        if not rows:
            return []
        # With their lines, because warnings and errors about a set name the line where it stands.
        lines = [self.document.line("parameters", "rows", i) for i in range(len(rows))]
        names = tuple(rows[0])
        return [Listed(names, [tuple(row[name] for name in names) for row in rows], lines)]

    def _sources(self) -> ResultSources:
        """Return the results with the patterns among their sources."""
        specs = self.config.result_specs()
        patterns = {}
        for spec in specs:
            with at(self.document, "results", spec.name, "from"):
                pattern = Pattern.parse(spec.source)
            if pattern.literal is None:
                patterns[spec.name] = pattern
        return ResultSources(specs, patterns)

    def _parameters(
        self, blocks: list[Block], recipe: Recipe, sources: ResultSources
    ) -> Parameters:
        """Return the stream of sets, with the checks that each of them needs."""

        def examine_results(values: Values) -> None:
            for name, error in sources.faults(recipe.scope(values)):
                where = self.document.where("results", name, "from")
                raise ConfigError(error.what, where=where, todo=error.todo)

        quick = recipe.quick_examination()
        inspector = Inspector(
            whole=_both(recipe.examine, examine_results) if sources.patterns else recipe.examine,
            quick=_both(quick, examine_results) if sources.patterns else quick,
            characters=recipe.characters,
            words=(
                lambda: FilesHere(recipe, sources, self.config, self.document),
                lambda: ShellValues(recipe, self.document, self.globs),
            ),
        )
        # Messages about sets name the parameter file, else spe.yaml.
        source = self.document.name
        rows = self.config.parameters.rows
        if isinstance(rows, str):
            source = rows
        return Parameters(blocks, self._where(recipe), source, inspector)

    def _where(self, recipe: Recipe) -> Condition | None:
        """Return the condition of `where:`, of which all names are parameters."""
        text = self.config.parameters.where
        if text is None:
            return None
        # jinja itself would notice an unknown name only when the first set is read.
        with at(self.document, "parameters", "where"):
            where = Condition(text)
            check_known(where.names, recipe.names)
        return where

    def _words(self) -> list[Pattern]:
        """Return the words of the command as patterns."""
        with at(self.document, "command"):
            words = self._split()
            if not words or words[0].literal == "":
                raise ConfigError(
                    "the command has no program", todo="Write it like ./simulate --seed {{ seed }}."
                )
            if not self.config.shell:
                check_one_word(words, self.folder, self.shell_words is not None)
            return words

    def _split(self) -> list[Pattern]:
        """Return the command split into words, or as one word for a shell."""
        if self.config.shell:
            # The shell on the host splits it, after the values are filled in.
            words = self.shell_words or [self.config.command]
            return [Pattern.parse(" ".join(words))]
        if self.shell_words is None:
            return split(self.config.command)
        # The user's shell has split it already; to split again would break words with spaces.
        return [Pattern.parse(word) for word in self.shell_words]

    def _worker(self, words: list[Pattern]) -> tuple[Worker | None, list[Pattern]]:
        """Return the worker, and the command as it runs in the task's directory.

        Without `worker:` it is the program of the command, where that is a path below the sweep's
        folder.
        """
        if self.config.worker:
            return self._named_worker(self.config.worker), words
        path = self._program_of_sweep(words[0])
        if path is None:
            return None, words
        where = {"any": self.document.where("command")}
        worker = find_worker(Path(path).name, {"any": path}, self.folder, where)
        # A segment, not a pattern to be parsed: a name that holds `{{` is still text.
        return worker, [Pattern([Segment(False, f"./{worker.name}")]), *words[1:]]

    def _program_of_sweep(self, first: Pattern) -> str | None:
        """Return the path of the command's program, if it is one below the sweep's folder.

        None for a program of the hosts: a name that PATH knows there, or an absolute path.
        """
        path = first.literal
        if path is None:
            return None
        with at(self.document, "command"):
            check_interpreter(path, self.folder)
        if self.config.shell:
            return None
        if "/" not in path or path.startswith("/"):
            return None
        return path

    def _named_worker(self, spec: WorkerSpec) -> Worker:
        """Return the worker under the key `worker`."""
        name = spec.name
        if len(spec.files) > 1:
            # Files of several platforms have names of their own, and the task needs one for all.
            where = {platform: self.document.where("worker", platform) for platform in spec.files}
        else:
            ((platform, path),) = spec.files.items()
            where = {platform: self.document.where("worker")}
            name = name or Path(path).name
        return find_worker(name or self.name, spec.files, self.folder, where)

    def _recipe(
        self, words: list[Pattern], worker: Worker | None, names: tuple[str, ...]
    ) -> Recipe:
        """Return the patterns of the command, the inputs and the environment, checked."""
        trees = Trees(InputFiles(self.folder))
        known = (*names, "worker") if worker else names
        inputs = find_inputs(self.config.inputs, trees, self.document, known)
        inputs += matched_inputs(self.globs, inputs, trees)
        for one in inputs:
            if worker and one.name == worker.name:
                with at(self.document, *one.place):
                    what = "an input has the name of the worker"
                    raise ConfigError(what, todo="Give it another name.")
        return Recipe(
            words=tuple(words),
            inputs=inputs,
            env=self._env(),
            folder=self.folder,
            names=names,
            shell=self.config.shell,
            worker=worker.name if worker else None,
            trees=trees,
        )

    def _env(self) -> dict[str, Pattern]:
        """Return the patterns of the environment."""
        env = {}
        for name, text in self.config.env.items():
            with at(self.document, "env", name):
                env[name] = Pattern.parse(text)
        return env

    def _software(self) -> Sources:
        """Return what comes along with the program: environment, image, command to prepare."""
        config = self.config
        if config.venv is config.container is config.prepare is None:
            return Sources()
        from ..software.container import find_container  # late: most sweeps bring nothing along
        from ..software.prepare import PrepareSource
        from ..software.venv import find_venv

        venv = container = prepare = None
        if config.venv is not None and config.container is not None:
            raise ConfigError(
                "a container brings its own environment: venv: and container: exclude each other",
                where=self.document.where("container"),
                todo="Leave one of them out.",
            )
        if config.venv is not None:
            with at(self.document, "venv"):
                venv = find_venv(config.venv, self.folder, config.keep_venv)
        if config.container is not None:
            with at(self.document, "container"):
                container = find_container(config.container, self.folder, config.keep_venv)
        if config.prepare is not None:
            prepare = PrepareSource(config.prepare, config.prepare_timeout, config.keep_prepared)
        return Sources(venv, container, prepare)

    def _hosts(self) -> HostList:
        """Return the hosts of the hosts file or of the list.

        The list is empty where all work is done on this machine.
        """
        path = self._hosts_file()
        if path is not None:
            written = str(self.config.hosts)
            self._check_there(path, written, "hosts")
            return read_hosts(path, written)
        lines = self.config.hosts or ()
        return parse_hosts(
            (self.document.where("hosts", at), line) for at, line in enumerate(lines)
        )

    def _hosts_file(self) -> Path | None:
        """Return the path of the hosts file.

        One of the command line is relative to the current folder.
        """
        if not isinstance(self.config.hosts, str):
            return None
        # From the current folder: the shell completes the path there.
        if "hosts" in self.document.overridden:
            return Path(self.config.hosts)
        return self.folder / self.config.hosts

    def _check_there(self, path: Path, written: str, key: str) -> None:
        """Raise ConfigError for a file that is not there."""
        if not os.path.exists(path):
            todo = "Mend the path."
            if key == "hosts":
                todo = "Mend the path; a list of hosts is written [lab1, lab2]."
            raise ConfigError(
                f"the file {written} is not there", where=self.document.where(key), todo=todo
            )


def _both(
    first: Callable[[Values], None] | None, second: Callable[[Values], None]
) -> Callable[[Values], None]:
    """Return one check of a set that makes two."""

    def examine(values: Values) -> None:
        if first is not None:
            first(values)
        second(values)

    return examine
