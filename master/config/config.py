"""spe.yaml as a documented type: each key, its default, and what may stand there.

`read` gives the checked Config of a file. Every complaint names file, line, key, what was found and
what is wanted. Each key has its section in docs/spe.yaml.md, held by a test. How a text becomes a
value is decided in values.py, names.py, parameters.py and results.py; what the keys mean together,
and the files that they name, in sweep/sweep.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..model import Kind, Licence, ResultSpec, Times
from ..record import record
from . import names, values
from . import parameters as parameter_keys
from . import results as result_keys
from .document import Document, YamlMap
from .inputs import GivenInput, inputs
from .keys import Faults, Missing, block, entries, key, read_block
from .notify.recipients import Recipient, recipients
from .parameters import Axis
from .samples import SampleSpec, sample
from .values import Listen, StopAfter, WrongValue

MOST_SHOWN = 5  # complaints in one message; the rest is counted


@record
class WorkerSpec:
    """The user's executable: one path, or one per platform, and its name where that is not clear."""

    name: str | None = key(names.file_name, None)
    files: dict[str, str] = key(dict, {})  # platform -> path; checked by names.worker


@record
class ParametersSpec:
    """The source of the parameter sets: blocks, combined as a product."""

    rows: str | tuple[dict[str, str], ...] | None = key(parameter_keys.rows, None)
    grid: dict[str, Axis] = key(parameter_keys.grid, {})
    zip: dict[str, Axis] = key(parameter_keys.grid, {})  # equally many of each: they go in step
    where: str | None = key(values.text, None)
    repeat: int | None = key(values.count, None)
    sample: SampleSpec | None = key(sample, None)


@record
class ResultEntry:
    """A named result: where it comes from and how it is read."""

    source: str = key(result_keys.source, "stdout", name="from")
    kind: Kind = key(result_keys.kind, Kind.TEXT, name="as")
    regex: str | None = key(result_keys.regex, None)
    path: str | None = key(values.text, None)
    minimum: float | None = key(values.real, None, name="min")
    maximum: float | None = key(values.real, None, name="max")

    def check(self) -> None:
        """Raise WrongValue for keys that exclude each other."""
        result_keys.sensible(
            self.source, self.kind, self.regex, self.path, self.minimum, self.maximum
        )

    def spec(self, name: str) -> ResultSpec:
        """Return this result, under its name, as the rest of spe knows it."""
        return ResultSpec(
            name,
            self.source.removesuffix("/"),
            self.kind,
            self.regex,
            self.path,
            self.minimum,
            self.maximum,
        )


@record
class RetrySpec:
    """Attempts by the reason of the failure, where they differ from `attempts`."""

    exit: dict[str, int] = key(values.by_exit_code, {})
    signal: dict[str, int] = key(values.by_signal, {})
    timeout: int | None = key(values.count, None)
    rejected: int | None = key(values.count, None)
    missing: int | None = key(values.count, None)
    start: int | None = key(values.count, None)
    after: float = key(values.seconds, 0.0)  # seconds before the next attempt; doubled each time

    def attempts(self, kind: str) -> int | None:
        """Return the limit for a failure such as `exit:75`; None where `attempts` decides."""
        reason, _, code = kind.partition(":")
        if reason in ("exit", "signal"):
            table: dict[str, int] = getattr(self, reason)
            return table.get(code, table.get("any"))
        limit: int | None = getattr(self, reason) if reason in _COUNTED else None
        return limit


_COUNTED = ("timeout", "rejected", "missing", "start")  # kinds of failure with a limit of their own


def _short_parameters(value: Any) -> Any:
    return values.mapping_or("rows", value, "a parameter file, or rows, grid, zip, where, repeat")


# The blocks of Config, each with its short form.
_worker = block(WorkerSpec, names.worker)
_parameters = block(ParametersSpec, _short_parameters)
_result = block(ResultEntry, result_keys.result, ResultEntry.check)
_retry = block(RetrySpec)


@record
class Config:
    """spe.yaml. The fields are its keys, but for `validate`, which is `validation` here."""

    name: str | None = key(names.folder_name, None)
    command: str = key(values.command)
    shell: bool = key(values.flag, False)  # no shell reads a value unless the user asks for one
    worker: WorkerSpec | None = key(_worker, None)
    parameters: ParametersSpec = key(_parameters, ParametersSpec())
    separator: str | None = key(values.separator, None)  # None: by the parameter file's name
    inputs: tuple[GivenInput, ...] = key(inputs, ())
    results: dict[str, ResultEntry] = key(
        entries(result_keys.result_name, _result), {"stdout": ResultEntry()}
    )
    validation: tuple[str, ...] = key(result_keys.validators, (), name="validate")
    collect: tuple[str, ...] = key(result_keys.collectors, ("table",))
    timeout: float | Times = key(values.timeout, 0.0)  # seconds of one attempt; 0: none
    attempts: int = key(
        values.count, 3
    )  # attempts that may fail; attempts lost with a host do not count
    retry: RetrySpec = key(_retry, RetrySpec())
    stop_after: StopAfter | None = key(values.stop_after, None)
    stop_alike: int = key(values.any_count, 20)  # first attempts that fail alike; 0: never
    at_once: int | None = key(values.count, None)  # running tasks over all hosts; None: any number
    licences: tuple[Licence, ...] = key(values.licences, ())
    delay: float = key(values.seconds, 0.0)  # between two starts, over all hosts
    order: str = key(values.order, "longest")  # or as given: which waiting sets begin first
    once: bool = key(values.flag, False)  # no second copy at the end: the program has side effects
    ping: float = key(values.seconds, 30.0)  # seconds between two heartbeats; 0: none
    grace: float = key(values.seconds, 180.0)  # seconds that clients wait for a silent master
    max_load: float | None = key(values.positive, None)  # times the cores; None: whatever the load
    tls: bool = key(values.flag, True)  # only where the master listens on the network
    # Programs that look and change nothing: `spe ask` runs them on hosts.
    ask: tuple[str, ...] = key(values.words, ("ls", "ps", "du", "cat", "tail", "head"))
    control: str = key(values.control, "hold")  # `poll` where a network cuts silent requests
    hosts: str | tuple[str, ...] | None = key(names.hosts, None)
    cores: int = key(values.count, 1)  # slots that one task takes
    nice: int = key(values.nice, 10)  # programs stand back for people at the host
    env: dict[str, str] = key(names.env, {})
    setup: dict[str, str] = key(names.by_platform, {})
    venv: str | None = key(names.path, None)  # a requirements file, or an environment as .tar.gz
    container: str | None = key(names.path, None)  # an image for apptainer or singularity
    prepare: str | None = key(
        values.command, None
    )  # a shell command, once a home, before all tasks
    prepare_timeout: float = key(values.seconds, 1800.0)
    keep_venv: bool = key(values.flag, False)  # what venv and container put on hosts stays there
    keep_prepared: bool = key(values.flag, False)
    listen: Listen = key(values.listen, Listen(None, 0))  # address at which clients find the master
    listen_page: Listen | None = key(values.listen, None)  # None: a free port of 127.0.0.1
    max_result: int = key(values.size, 10_000_000_000)  # bytes of one result
    keep_failed: int = key(result_keys.keep_failed, 0)  # bytes of the files of a failed set
    keep_output: bool = key(result_keys.keep_output, False)  # True: all of stdout and stderr
    delete_client: bool = key(values.flag, True)
    delete_worker: bool = key(values.flag, True)
    notify: tuple[Recipient, ...] = key(recipients, ())  # who is told of the end, and of trouble

    def setup_for(self, platform: str) -> str | None:
        """Return the setup of a platform, looked up as `linux-x86_64`, then `linux`, then `any`."""
        return names.for_platform(self.setup, platform)

    def result_specs(self) -> tuple[ResultSpec, ...]:
        """Return the results in the order of the file."""
        return tuple(entry.spec(name) for name, entry in self.results.items())


def read(
    path: Path,
    settings: Mapping[str, Any] | None = None,
    options: Mapping[tuple[str | int, ...], str] | None = None,
) -> tuple[Config, Document]:
    """Return the checked content of spe.yaml, and its document, which says where a key stands.

    `settings` are keys that the command line gives; they stand above the file's. `options`: the
    option that gave each of them.
    """
    from .yaml_file import read as read_file  # late: it loads PyYAML

    return check(read_file(path), settings, options)


def check(
    document: Document,
    settings: Mapping[str, Any] | None = None,
    options: Mapping[tuple[str | int, ...], str] | None = None,
) -> tuple[Config, Document]:
    """Return the Config in a document. Raises one ConfigError with all complaints."""
    document.options = options or {}
    # A key without a value counts as not given: people leave keys empty to fill them in later.
    given = _filled_in(document.data)
    parameters = given.get("parameters")
    # One level deeper only here: below other keys an empty one is a mistake worth a word.
    if isinstance(parameters, YamlMap):
        given["parameters"] = _filled_in(parameters)
    document.overridden.update(settings or ())
    try:
        return read_block(Config, given | dict(settings or {})), document
    except Faults as faults:
        raise _complaint(_sorted(faults.found, document), document) from None


def _filled_in(data: YamlMap) -> dict[str, Any]:
    """Return the keys that have a value."""
    return {key: value for key, value in data.items() if key not in data.empty}


def _sorted(faults: Sequence[WrongValue], document: Document) -> list[WrongValue]:
    """Return the faults in the order of the file.

    A missing command is left out where a key looks like a misspelt `command`: it is one mistake.
    """
    found = sorted(faults, key=lambda one: document.line(*one.path))
    # A misspelt key is told with the hint, and then the missing one says nothing more.
    misspelt = any(one.todo == "Did you mean command?" for one in found)
    return [one for one in found if not (misspelt and isinstance(one, Missing))]


def _complaint(faults: Sequence[WrongValue], document: Document) -> ConfigError:
    """Return one error for all faults: the first as a whole, some with their places, and a count of
    more.
    """
    found = [_translated(one, document) for one in faults]
    if len(found) == 1:
        return found[0]
    first = found[0]
    # The error itself has a place for one: those of the others stand in its text.
    lines = [_in_one_line(first)]
    lines += [f"{one.where}: {_in_one_line(one)}" for one in found[1:MOST_SHOWN]]
    if len(found) > MOST_SHOWN:
        lines.append(f"and {len(found) - MOST_SHOWN} more")
    return ConfigError("\n".join(lines), where=first.where)


def _in_one_line(error: ConfigError) -> str:
    """Return what is wrong and what to do about it."""
    return f"{error.what}. {error.todo}".rstrip()


def _translated(fault: WrongValue, document: Document) -> ConfigError:
    """Return the error of one fault, with its place in the file."""
    if isinstance(fault, Missing):
        where = document.where(*fault.path[:-1])
        todo = "Write `command: ./PROGRAM {{ NAME }}`."
        if fault.path[:2] == ("parameters", "sample"):
            todo = "Write it like sample: {method: sobol, n: 64, space: {x: [0, 1]}}."
        return ConfigError(fault.what, where=where, todo=todo)
    return ConfigError(fault.what, where=document.where(*fault.path), todo=fault.todo)
