"""The inputs as spe.yaml names them, made into patterns: what lies there decides what a path is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ...config.document import Document
from ...config.inputs import GivenInput, InputSpec
from ...errors import ConfigError
from ..checks.names import at, there_are
from ..pattern import Pattern
from ..segments import Segment
from .pattern import InputPattern, Source, listed_name
from .template import free_marks, line_of, read_template
from .tree import is_glob
from .trees import Trees, under


def find_inputs(
    given: Sequence[GivenInput], trees: Trees, document: Document, known: Sequence[str]
) -> tuple[InputPattern, ...]:
    """Return the inputs, each checked as far as all sets have the same.

    `known`: names that a template may use. A folder with few files is each of its files. Raises
    ConfigError.
    """
    found: list[InputPattern] = []
    for one in given:
        with at(document, "inputs", one.place):
            found += _singles(_pattern(one, trees, known), trees)
    _check_names(found, trees, document)
    return tuple(found)


def _pattern(one: GivenInput, trees: Trees, known: Sequence[str]) -> InputPattern:
    made = _of_path(one, trees) if one.path else _of_spec(one, one.spec, trees, known)
    made = replace(made, place=("inputs", one.place))
    if one.name:
        name = Pattern.parse(one.name)
        return replace(made, name=one.name, naming=None if name.literal is not None else name)
    # What a template says is no path; its name is that of its file.
    if made.source in (Source.GLOB, Source.TEXT):
        return made
    path = made.pattern.literal
    if path is not None:
        return replace(made, name=made.name or _checked_name(path))
    # Each set has its own path, and its name with it.
    naming = made.pattern if listed_name(str(made.pattern)) == str(made.pattern) else None
    if naming is None:
        todo = "Write the inputs as a mapping: `NAME: {file: PATH}`."
        what = f"{made.pattern} has a parameter and is no plain path below this folder, so it has no name"
        raise ConfigError(what, todo=todo)
    return replace(made, name=str(made.pattern), naming=naming)


def _checked_name(path: str) -> str:
    """Return the name of a listed path. Raises ConfigError for this folder, and the one above."""
    name = listed_name(path)
    if name in ("", ".", ".."):
        what = f"the folder {path} of inputs has this sweep with its runs/ in it"
        raise ConfigError(what, todo="Name what tasks need of it: files, or folders in it.")
    return name


def _of_path(one: GivenInput, trees: Trees) -> InputPattern:
    """Return a path of a list as what it is: a file that is there, a pattern of names, a folder."""
    folder = trees.files.folder
    pattern = Pattern.parse(one.path)
    literal = pattern.literal
    if literal is None and not one.path.endswith("/"):
        one = replace(one, path=_as_folder(one.path, pattern, trees))
    if literal is not None and os.path.lexists(folder / literal):
        kind = Source.FOLDER if os.path.isdir(folder / literal) else Source.FILE
    elif any(is_glob(segment.text) for segment in pattern.segments if not segment.code):
        kind = Source.GLOB
    else:
        kind = Source.FOLDER if one.path.endswith("/") else Source.FILE
    path = pattern if kind is Source.GLOB else Pattern.parse(one.path.rstrip("/") or one.path)
    return InputPattern("", path, kind)


def _as_folder(path: str, pattern: Pattern, trees: Trees) -> str:
    """Return a path with parameters, with a slash where all that is there beside it are folders.

    `cases/{{ x }}` is a folder of each set where cases/ holds nothing but folders.
    """
    first = pattern.segments[0]
    above = trees.files.folder / (os.path.dirname(first.text) if not first.code else "")
    if len(pattern.segments) > 2 and any(
        "/" in one.text for one in pattern.segments[2:] if not one.code
    ):
        return path
    try:
        there = [one for one in os.scandir(above) if not one.name.startswith(".")]
    except OSError:
        return path
    return f"{path}/" if there and all(one.is_dir() for one in there) else path


def _of_spec(one: GivenInput, spec: InputSpec, trees: Trees, known: Sequence[str]) -> InputPattern:
    if spec.file is not None:
        return InputPattern("", Pattern.parse(spec.file), Source.FILE, copy=spec.copy)
    if spec.folder is not None:
        path = Pattern.parse(spec.folder.rstrip("/") or spec.folder)
        return InputPattern("", path, Source.FOLDER, copy=spec.copy)
    if spec.template is None:
        text = Pattern.parse(spec.text or "", spec.marks)
        _check_expressions(text, spec, known)
        return InputPattern("", text, Source.TEXT)
    if Pattern.parse(spec.template).literal is None:
        what = f"the path of the template {spec.template} has a parameter"
        raise ConfigError(what, todo="A template is one file; its text has the parameters.")
    text, mode = read_template(trees.files.folder, spec.template, spec.marks)
    _check_expressions(text, spec, known)
    name = "" if one.name else _checked_name(spec.template)
    return InputPattern(name, text, Source.TEXT, template=spec.template, mode=mode)


def _check_expressions(text: Pattern, spec: InputSpec, known: Sequence[str]) -> None:
    """Raise ConfigError for a name that is not known, in a text or in a template with its line."""
    for name in sorted(text.names - set(known)):
        where = f"{spec.template}:{line_of(text, name)}" if spec.template is not None else ""
        todo = there_are(name, known)
        if spec.marks is None:
            # Decks of other programs have {{ }} of their own.
            todo += f' If it is to stay so: `marks: "{free_marks(text)}"`.'
        raise ConfigError(f"{{{{ {name} }}}} is not defined", where=where, todo=todo)


def _singles(one: InputPattern, trees: Trees) -> Iterator[InputPattern]:
    """Yield an input, or each file of a tree that is the same for all sets and has few."""
    path = one.pattern.literal
    if not one.is_fixed or path is None:
        yield one
        return
    if one.is_file:
        trees.files.check(path, one.label)
    if not one.is_tree or trees.tree(one, path).is_packed:
        yield one
        return
    for file in trees.tree(one, path).listing.files:
        pattern = Pattern([Segment(False, file.path)])
        yield replace(one, name=under(one.name, file), pattern=pattern, source=Source.FILE)


def _check_names(found: Iterable[InputPattern], trees: Trees, document: Document) -> None:
    """Raise ConfigError when two inputs of all sets have one name, or one lies in the other."""
    names: dict[str, InputPattern] = {}
    for one in found:
        with at(document, *one.place):
            for name in fixed_names(one, trees):
                if name in names:
                    what = f"two inputs have the name {name}: {names[name].label} and {one.label}"
                    raise ConfigError(what, todo="Leave one of them out, or give it another name.")
                names[name] = one
    for name, one in names.items():
        for above in _folders_of(name):
            if above in names:
                with at(document, *one.place):
                    what = f"the input {above} is a file, and {name} would lie in it"
                    raise ConfigError(what, todo="Give one of them another name.")


def fixed_names(one: InputPattern, trees: Trees) -> Iterator[str]:
    """Yield the names of an input's files in each task, as far as all sets have the same."""
    path = one.pattern.literal
    if one.naming is not None:
        return
    if not one.is_tree:
        yield one.name
    elif path is not None:
        yield from (under(one.name, file) for file in trees.tree(one, path).listing.files)


def _folders_of(name: str) -> Iterator[str]:
    """Yield the folders in which a name lies."""
    parts = name.split("/")
    for count in range(1, len(parts)):
        yield "/".join(parts[:count])
