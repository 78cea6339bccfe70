"""The names of one sweep held against each other: each pattern's names are known, no two things share one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..config.config import Config
from ..config.document import Document
from ..errors import ConfigError
from . import advice
from .recipe import Recipe

#: Columns of the tables that are there always.
COLUMNS = ("number", "host", "seconds", "attempts", "reason")


def check_names(recipe: Recipe, config: Config, document: Document) -> None:
    """Raise ConfigError for a name that nobody knows, or that two have."""
    known = (*recipe.names, "worker") if recipe.worker else recipe.names
    for path, pattern in recipe.patterns():
        with at(document, *path):
            check_known(pattern.names, known)
    for name in recipe.names:
        if fault := _parameter_fault(name, recipe.names.count(name)):
            raise ConfigError(fault, where=_place(name, config, document), todo="Rename the parameter.")
    for name in config.results:
        if fault := _result_fault(name, recipe, config):
            raise ConfigError(fault, where=document.where("results", name), todo="Rename the result.")


def check_known(names: frozenset[str], known: Sequence[str]) -> None:
    """Raise ConfigError, without a place, for the first name that is not known."""
    for name in sorted(names - set(known)):
        raise ConfigError(f"{{{{ {name} }}}} is not defined", todo=advice.there_are(name, known))


@contextmanager
def at(document: Document, *path: str) -> Iterator[None]:
    """Gives a ConfigError of its block the place of a key, unless it has one."""
    try:
        yield
    except ConfigError as error:
        if error.where:
            raise
        raise ConfigError(error.what, where=document.where(*path), todo=error.todo) from error


def _result_fault(name: str, recipe: Recipe, config: Config) -> str:
    if name in recipe.names:
        return f"{name} is the name of a parameter too"
    if name in COLUMNS:
        return f"a result can't be called {name}: the table has a column of that name"
    if name == "stdout" and config.results[name].source != "stdout":
        return "a result called stdout can only come from there"
    return ""


def _parameter_fault(name: str, times: int) -> str:
    if times > 1:
        return f"the parameter {name} comes from two places" + (" (repeat makes rep)" if name == "rep" else "")
    if name in COLUMNS:
        return f"a parameter can't be called {name}: the table has a column of that name"
    if name == "worker":
        return "a parameter can't be called worker: {{ worker }} is the name of the executable"
    return ""


def _place(name: str, config: Config, document: Document) -> str:
    spec = config.parameters
    for block, names in (("grid", spec.grid), ("zip", spec.zip)):
        if name in names:
            return document.where("parameters", block, name)
    return f"{spec.rows}:1" if isinstance(spec.rows, str) else document.where("parameters", "rows")
