"""Checks of the program: what no host could start, found before any task is handed out."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...config.config import Config
from ...config.document import Document
from ...errors import ConfigError
from ...model import Host, Worker
from ..pattern import Pattern
from ..program import INTERPRETER, SHELL, is_executable
from ..recipe import Recipe
from .shell_words import shell_words, text_of_shell

_HEAD = 4096  # bytes of a file that are looked at
# The first line of a script by the suffix of its name.
_INTERPRETERS = {
    ".py": "python3",
    ".sh": "bash",
    ".R": "Rscript",
    ".jl": "julia",
    ".pl": "perl",
    ".rb": "ruby",
    ".js": "node",
    ".lua": "lua",
    ".m": "octave",
}
# Lines of a script that only one language has. A shell has a program called `import`, too.
_LANGUAGES = {
    "python3": re.compile(
        r'(?m)^(?:import \w[\w., ]*$|import \w[\w.]* as \w|from \w[\w.]* import |def \w+\(.*:|"""|@\w)'
    ),
    "Rscript": re.compile(r"(?m)^(?:library\(|suppress\w+\(|\w+ <- )"),
    "perl": re.compile(r"(?m)^use (?:strict|warnings)\b"),
    "julia": re.compile(r"(?m)^using [A-Z]"),
}
_EXPRESSION = re.compile(r"\{\{.*?\}\}")
_MARK = b"\xef\xbb\xbf"
_CONTROL = re.compile(rb"[\0-\x06\x0e-\x1a\x1c-\x1f]")  # bytes that no text has


class ProgramCheck:
    """The checks of one sweep's program."""

    def __init__(
        self, recipe: Recipe, worker: Worker | None, config: Config, document: Document
    ) -> None:
        self.recipe, self.worker, self.config, self.document = recipe, worker, config, document

    def mistakes(self) -> Iterator[ConfigError]:
        """Yield what makes every task fail."""
        for path, where in self._started():
            head = _head(path)
            yield from _no_script(path, where, head)
            yield from _dos_first_line(path, where, head)
        for path, where in self._read_by_shells():
            if b"\r\n" in _head(path):
                yield _dos(path, where)

    def _started(self) -> Iterator[tuple[Path, str]]:
        """Yield the files that hosts start by their path, and where they are named."""
        if self.worker is None:
            return
        if self.recipe.runs_worker:
            for platform, file in self.worker.files.items():
                yield file.path, self._where_worker(platform)

    def _where_worker(self, platform: str) -> str:
        if self.config.worker is None:
            return self.document.where("command")
        # As it is written: one path has no platform.
        if len(self.config.worker.files) == 1:
            return self.document.where("worker")
        return self.document.where("worker", platform)

    def _read_by_shells(self) -> Iterator[tuple[Path, str]]:
        """Yield the files that a shell of the command reads as its program."""
        names = [os.path.basename(word.literal or "") for word in _all_words(self.recipe)]
        found = [name for name in names if INTERPRETER.fullmatch(name)]
        # Where other interpreters are about, it is not known whose file it is: they do not mind.
        if not found or not all(SHELL.fullmatch(name) for name in found):
            return
        for name in sorted(self.recipe.scripts_read()):
            yield from self._file(name)

    def _file(self, name: str) -> Iterator[tuple[Path, str]]:
        """Yield the file that tasks have under this name, where that is one for all of them."""
        if self.worker is not None and name == self.worker.name:
            for platform, file in self.worker.files.items():
                yield file.path, self._where_worker(platform)
        if name in self.recipe.fixed:
            place = next((one.place for one in self.recipe.inputs if one.name == name), ("inputs",))
            yield self.recipe.folder / self.recipe.fixed[name], self.document.where(*place)


def _no_script(path: Path, where: str, head: bytes) -> Iterator[ConfigError]:
    """Yield the mistake of a text that does not begin with `#!`: a kernel starts no such file."""
    if head.startswith(b"#!") or _CONTROL.search(head):
        return
    what = f"{path.name} is neither a binary nor a script that begins with #!"
    todo = f"Write as its first line: {_first_line(path, head)}"
    if not head:
        what, todo = (
            f"{path.name} is empty: no host can start it",
            "Write the program, or a script with a #! line.",
        )
    elif head.removeprefix(_MARK).lstrip().startswith(b"#!"):
        what = f"{path.name} has something before its #!, so no host finds its interpreter"
        todo = "Remove the byte order mark or the blanks before it."
    yield ConfigError(what, where=where, todo=todo)


def _first_line(path: Path, head: bytes) -> str:
    interpreter = _INTERPRETERS.get(path.suffix) or _language(head)
    return f"#!/usr/bin/env {interpreter}"


def _language(head: bytes) -> str:
    """Return the interpreter of a script by its first lines; bash where these do not tell."""
    text = head.decode("utf-8", "replace")
    return next((name for name, line in _LANGUAGES.items() if line.search(text)), "bash")


def _dos_first_line(path: Path, where: str, head: bytes) -> Iterator[ConfigError]:
    """Yield the mistake of a `#!` line that ends with a carriage return: the interpreter's name has it."""
    line = head.partition(b"\n")[0]
    # perl takes a carriage return behind its options.
    if line.startswith(b"#!") and line.endswith(b"\r") and not re.search(rb"perl\S* ", line):
        yield _dos(path, where)


def _dos(path: Path, where: str) -> ConfigError:
    return ConfigError(
        f"{path.name} has the line ends of Windows, which shells and #! lines take for a part of the words",
        where=where,
        todo=f"Mend it: `sed -i 's/\\r$//' {shlex.quote(_shown(path))}`",
    )


def _shown(path: Path) -> str:
    """Return a path as it is written below the current folder."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _all_words(recipe: Recipe) -> list[Pattern]:
    """Return the words of the command, those of a shell's text one by one."""
    at = 0 if recipe.shell else text_of_shell(recipe.words)
    words = [*recipe.words]
    if at is not None:
        words[at : at + 1] = shell_words(recipe.words[at])
    return words


# -- the first word


def no_slash(recipe: Recipe, hosts: Sequence[Host], config: Config) -> tuple[str, str, bool] | None:
    """Return (what, todo, certain) for a first word without a slash that is a program in this folder.

    Not certain: a setup or an environment may bring a program of that name.
    """
    name = recipe.words[0].literal
    if not name or recipe.shell or "/" in name or shutil.which(name):
        return None
    path = recipe.folder / name
    if not path.is_file() or not (is_executable(path) or path.suffix in _INTERPRETERS):
        return None
    what = f"{name} is a file here, but a command without a slash is looked for in the PATH of the hosts"
    todo = f"Write ./{name}"
    if not os.access(path, os.X_OK):
        todo += f", and run `chmod +x {shlex.quote(name)}`"
    may_come = config.setup or config.venv or config.container or any(host.setup for host in hosts)
    return what, f"{todo}; `--anyway` runs all the same.", not may_come


def unknown_here(recipe: Recipe, hosts: Sequence[Host]) -> str:
    """Return a warning about a first word that is no program of this machine, where all tasks run.

    No error: a login shell may have another PATH. "" where there is nothing to say.
    """
    name = recipe.words[0].literal
    if not name or recipe.shell or "/" in name or "PATH" in recipe.env:
        return ""
    if shutil.which(name) or (recipe.folder / name).exists():
        return ""
    if any(one.name != "localhost" or one.setup for one in hosts):
        return ""
    return f"there is no program {name} in the PATH of this shell"


# To give these as words of their own would leave them to the shell in which spe is started.
_OPERATOR = re.compile(r"[|&;<>()$`*]")


def check_one_word(words: Sequence[Pattern], folder: Path, is_line: bool) -> None:
    """Raise ConfigError, without a place, for a command that is one word with blanks in it."""
    if len(words) != 1 or not any(" " in one.text for one in words[0].segments if not one.code):
        return
    text = str(words[0])
    # The name of a file may have blanks, also where it is the hosts' file.
    if text.startswith("/") or os.path.exists(folder / text):
        return
    what = f"the command is one word, {text!r}: no program has such a name"
    todo = "Remove the quotes around the whole, or write `shell: true` to have a shell split it."
    if is_line:
        quoted = _EXPRESSION.sub(r"'\g<0>'", text)
        todo = "With `--shell` a shell on the host reads it."
        if not _OPERATOR.search(_EXPRESSION.sub("", text)):
            todo = f"Give each word by itself: -- {quoted} ; or with `--shell` a shell on the host reads it."
    raise ConfigError(what, todo=todo)
