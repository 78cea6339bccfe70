"""spe.yaml as a documented type: each key, its default, and what may stand there.

`read` gives the checked Config of a file; every complaint names file, line, key, what was found and what is
wanted. Each key has its section in docs/spe.yaml.md, held by a test. How a text becomes a value is keys.py and its kin;
what the keys mean together, and the files that they name, is sweep.py. Importing pydantic takes a while, so
only commands that need the configuration import this module.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, model_validator

from ..errors import ConfigError
from ..model import Kind, ResultSpec, Times
from . import names, values, yaml_file
from . import parameters as parameter_keys
from . import results as result_keys
from .values import Listen, StopAfter
from .yaml_file import Document

Flag = Annotated[bool, PlainValidator(values.flag)]
Text = Annotated[str, PlainValidator(values.text)]
Count = Annotated[int, PlainValidator(values.count)]
Seconds = Annotated[float, PlainValidator(values.seconds)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WorkerSpec(_Model):
    """The user's executable: one path, or one per platform, and its name where that is not clear."""

    name: Annotated[str | None, PlainValidator(names.file_name)] = None
    files: dict[str, str]

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return names.worker(value)


class ParametersSpec(_Model):
    """Where the parameter sets come from: blocks, combined as a product."""

    rows: Annotated[str | tuple[dict[str, str], ...] | None, PlainValidator(parameter_keys.rows)] = None
    grid: Annotated[dict[str, Sequence[str]], PlainValidator(parameter_keys.grid)] = {}
    zip: Annotated[dict[str, Sequence[str]], PlainValidator(parameter_keys.zipped)] = {}
    where: Annotated[str | None, PlainValidator(values.text)] = None
    repeat: Annotated[int | None, PlainValidator(values.count)] = None
    sample: Annotated[None, PlainValidator(parameter_keys.later)] = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return values.mapping_or("rows", value, "a parameter file, or rows, grid, zip, where, repeat")


class InputSpec(_Model):
    """One file that each task finds: its text, or the file whose bytes it has. Both are patterns."""

    text: Annotated[str | None, PlainValidator(values.text)] = None
    file: Annotated[str | None, PlainValidator(names.path)] = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return values.one_of(values.mapping_or("text", value, "a text, or {file: PATH}"), ("text", "file"))


class ResultEntry(_Model):
    """One named result: where it comes from and how it is read."""

    source: Annotated[str, PlainValidator(result_keys.source)] = Field("stdout", alias="from")
    kind: Annotated[Kind, PlainValidator(result_keys.kind)] = Field(Kind.TEXT, alias="as")
    regex: Annotated[str | None, PlainValidator(result_keys.regex)] = None
    path: Annotated[str | None, PlainValidator(values.text)] = None
    minimum: Annotated[float | None, PlainValidator(values.real)] = Field(None, alias="min")
    maximum: Annotated[float | None, PlainValidator(values.real)] = Field(None, alias="max")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return result_keys.result(value)

    @model_validator(mode="after")
    def _sensible(self) -> ResultEntry:
        result_keys.sensible(self.kind, self.regex, self.path, self.minimum, self.maximum)
        return self

    def spec(self, name: str) -> ResultSpec:
        """As the rest of spe knows it."""
        return ResultSpec(name, self.source, self.kind, self.regex, self.path, self.minimum, self.maximum)


class RetrySpec(_Model):
    """Attempts by the reason of the failure, where they differ from `attempts`."""

    exit: Annotated[dict[str, int], PlainValidator(values.by_code)] = {}
    signal: Annotated[dict[str, int], PlainValidator(values.by_code)] = {}
    timeout: Annotated[int | None, PlainValidator(values.count)] = None
    rejected: Annotated[int | None, PlainValidator(values.count)] = None
    missing: Annotated[int | None, PlainValidator(values.count)] = None
    start: Annotated[int | None, PlainValidator(values.count)] = None

    def attempts(self, kind: str) -> int | None:
        """The limit for a `Failure.kind` such as `exit:75` or `timeout`; None: as `attempts` says."""
        reason, _, code = kind.partition(":")
        if reason in ("exit", "signal"):
            table: dict[str, int] = getattr(self, reason)
            return table.get(code, table.get("any"))
        limit: int | None = getattr(self, reason, None) if reason in type(self).model_fields else None
        return limit


class Config(_Model):
    """spe.yaml. The names are its keys, but for `validate`, which is `validation` here."""

    name: Annotated[str | None, PlainValidator(names.folder_name)] = None
    command: Annotated[str, PlainValidator(values.command)]
    shell: Flag = False
    worker: WorkerSpec | None = None
    parameters: ParametersSpec = ParametersSpec()
    inputs: Annotated[dict[str, InputSpec], names.names(names.file_path)] = {}
    results: Annotated[dict[str, ResultEntry], names.names(result_keys.result_name)] = {
        "stdout": ResultEntry.model_validate({})
    }
    validation: Annotated[tuple[str, ...], PlainValidator(result_keys.validators)] = Field((), alias="validate")
    collect: Annotated[tuple[str, ...], PlainValidator(result_keys.collectors)] = ("table",)
    timeout: Annotated[float | Times, PlainValidator(values.timeout)] = 0.0
    attempts: Count = 3
    retry: RetrySpec = RetrySpec()
    stop_after: Annotated[StopAfter | None, PlainValidator(values.stop_after)] = None
    once: Flag = False
    ping: Seconds = 30.0
    grace: Seconds = 180.0
    max_load: Annotated[float | None, PlainValidator(values.positive)] = None
    tls: Flag = True
    ask: Annotated[tuple[str, ...], PlainValidator(values.words)] = ("ls", "ps", "du", "cat", "tail", "head")
    control: Annotated[str, PlainValidator(values.control)] = "hold"
    hosts: Annotated[str | tuple[str, ...] | None, PlainValidator(names.hosts)] = None
    cores: Count = 1
    nice: Annotated[int, PlainValidator(values.nice)] = 10
    env: Annotated[dict[str, str], PlainValidator(names.env)] = {}
    setup: Annotated[dict[str, str], PlainValidator(names.by_platform)] = {}
    listen: Annotated[Listen, PlainValidator(values.listen)] = Listen(None, 0)
    listen_page: Annotated[Listen | None, PlainValidator(values.listen)] = None
    max_result: Annotated[int, PlainValidator(values.size)] = 10_000_000_000
    keep_output: Annotated[bool, PlainValidator(result_keys.keep_output)] = False  # True: all of stdout and stderr
    delete_client: Flag = True
    delete_worker: Flag = True

    def setup_for(self, platform: str) -> str | None:
        """The setup of a platform, looked up as `linux-x86_64`, then `linux`, then `any`."""
        return names.for_platform(self.setup, platform)

    def result_specs(self) -> tuple[ResultSpec, ...]:
        """The results in the order of the file."""
        return tuple(entry.spec(name) for name, entry in self.results.items())


def read(path: Path, settings: Mapping[str, Any] | None = None) -> tuple[Config, Document]:
    """The checked content of spe.yaml, and its document to say where a key stands.

    `settings` are keys that the command line gives; they stand above the file's.
    """
    return check(yaml_file.read(path), settings)


def check(document: Document, settings: Mapping[str, Any] | None = None) -> tuple[Config, Document]:
    """The Config in a document; all complaints at once, as one ConfigError."""
    given = {key: value for key, value in document.data.items() if key not in document.data.empty}
    if isinstance(parameters := given.get("parameters"), yaml_file.YamlMap):
        given["parameters"] = {key: value for key, value in parameters.items() if key not in parameters.empty}
    document.overridden.update(settings or ())
    try:
        return Config.model_validate(given | dict(settings or {})), document
    except ValidationError as error:
        raise _complaint(_sorted(error.errors(), document)) from None


def _sorted(errors: Sequence[Any], document: Document) -> list[ConfigError]:
    """The complaints in the order of the file; a missing command is none if one is there, only misspelt."""
    found = [_translated(one, document) for one in sorted(errors, key=lambda one: document.line(*one["loc"]))]
    misspelt = any(one.todo == "Did you mean command?" for one in found)
    return [one for one in found if not (misspelt and one.what == _NO_COMMAND)]


_NO_COMMAND = "there is no command"


def _complaint(found: list[ConfigError], most: int = 5) -> ConfigError:
    if len(found) == 1:
        return found[0]
    lines = [f"{one.what}. {one.todo}".rstrip() for one in found[:most]]
    rest = [f"{one.where}: {line}" for one, line in zip(found[1:most], lines[1:], strict=True)]
    more = [f"and {len(found) - most} more"] if len(found) > most else []
    return ConfigError("\n".join([lines[0], *rest, *more]), where=found[0].where)


def _translated(error: Any, document: Document) -> ConfigError:
    path: list[str | int] = [step for step in error["loc"] if step != "[key]"]
    where = document.where(*path)
    if error["type"] == "extra_forbidden":
        return _unknown(str(path[-1]), _known(path[:-1]), where)
    if error["type"] == "missing":
        what = _NO_COMMAND if path == ["command"] else f"there is no {path[-1]}"
        return ConfigError(what, where=document.where(*path[:-1]), todo="Write `command: ./PROGRAM {{ NAME }}`.")
    fault = error.get("ctx", {}).get("error")
    if isinstance(fault, values.Wanted):
        return ConfigError(fault.what, where=document.where(*path, *fault.path), todo=fault.todo)
    return ConfigError(f"found {values.shown(error['input'])}: {error['msg']}", where=where)


def _unknown(key: str, known: Sequence[str], where: str) -> ConfigError:
    near = difflib.get_close_matches(key, known, 1, 0.6)
    todo = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
    return ConfigError(f"unknown key {key!r}", where=where, todo=todo)


_MODELS: dict[str, type[BaseModel]] = {
    "worker": WorkerSpec,
    "parameters": ParametersSpec,
    "inputs": InputSpec,
    "results": ResultEntry,
    "retry": RetrySpec,
}


def _known(path: Sequence[str | int]) -> list[str]:
    """The keys that may stand at a path."""
    model = _MODELS.get(str(path[0]), Config) if path else Config
    return [info.alias or name for name, info in model.model_fields.items()]
