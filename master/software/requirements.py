"""Requirements files, read as pip reads them, before anything runs.

Which files an environment is made of has to be known for its digest, and a file that pip is never
going to read should be told at once, not as a fault of each host after its start.
"""

from __future__ import annotations

import codecs
import os
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..errors import ConfigError
from ..record import record

_COMMENT = re.compile(r"(^|\s+)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_INCLUDES = ("-r", "-c", "--requirement", "--constraint")
_CODING = re.compile(r"#.*?coding[:=]\s*([-\w.]+)")
# `./NAME.whl`, or `NAME @ file:///PATH/NAME.whl`
_WHEEL = re.compile(r"(?:[\w.\[\],-]+\s*@\s*)?(?:file://)?([^\s:#;]+\.whl)\b")
_ADDRESS_OR_PATH = re.compile(r"://|^[./~]|[/\\]|\.(?:whl|zip|tar\.\w+|tgz)\b")
_PASSWORD = re.compile(r"//[^/@\s]*@")
# The first key of a file of conda, of which the comment lines are left out.
_CONDA = re.compile(r"^(?:name|channels|dependencies|prefix)\s*:")
_TOML = re.compile(r"^\[[\w.\"'-]+\]$")
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufffd]")
PACK = "conda pack -n NAME -o env.tar.gz"


@record
class Line:
    """A line of a requirements file: comments are gone, variables filled in, continuations joined."""

    file: Path
    number: int  # of its first line in the file
    written: str  # without the values of variables
    text: str

    @property
    def requirement(self) -> str:
        """Return what stands before its options."""
        words = self.text.split(" ")
        options = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
        return " ".join(words[:options]).strip()

    @property
    def included(self) -> Path | None:
        """The requirements file here that it includes by -r or -c."""
        if self.requirement:
            return None
        try:
            words = shlex.split(self.text)
        except ValueError:  # pip is going to say what is wrong with its quotes
            return None
        name = _option(words)
        if not name or ("://" in name and not name.startswith("file:")):
            return None
        if name.startswith("file:"):
            return Path(unquote(urlsplit(name).path))
        return self.file.parent / name


def _option(words: list[str]) -> str:
    """Return the value of the first option that includes a file; "" without one."""
    for at, word in enumerate(words):
        for option in _INCLUDES:
            if word == option:
                return "".join(words[at + 1 : at + 2])
            begin = f"{option}=" if option.startswith("--") else option
            if word.startswith(begin):
                return word.removeprefix(begin)
    return ""


def lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a requirements file and of those that it includes. Raises OSError."""
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop(0)
        if file in seen:
            continue
        seen.add(file)
        for line in _lines(file):
            yield line
            included = line.included
            if included:
                waiting.append(included)


def files(path: Path) -> Iterator[Path]:
    """Yield a requirements file, those that it includes, and the wheels here that they name.

    Raises OSError.
    """
    seen = [path]
    yield path
    for line in lines(path):
        for found in filter(None, (line.included, _wheel(line, path.parent))):
            if found not in seen:
                seen.append(found)
                yield found


def values(path: Path) -> str:
    """Return the requirements that variables change, as they are filled in; without passwords."""
    changed = (line for line in lines(path) if line.requirement and line.text != line.written)
    return "\n".join(_PASSWORD.sub("//", line.requirement) for line in changed)


def check(path: Path, written: str) -> None:
    """Raise ConfigError, without a place, for a file that pip cannot read. Raises OSError.

    `written`: the name of `path` in spe.yaml.
    """
    parse, invalid = _parser()
    for line in lines(path):
        here = written if line.file == path else str(line.file)
        where = f"{here}:{line.number}"
        if _NO_TEXT.search(line.text):
            raise ConfigError(f"{here} is not a text file", todo=_todo(written))
        if _CONDA.match(line.text):
            raise _of_conda(here)
        if _TOML.match(line.text):
            what = f"{where}: {here} is no requirements file: {line.text!r} begins a section"
            raise ConfigError(what, todo=_todo(written))
        requirement = line.requirement
        if not requirement or _ADDRESS_OR_PATH.search(requirement.split(";")[0]):
            continue  # options, and what pip alone can judge
        try:
            parse(requirement)
        except invalid as error:
            reason = str(error).splitlines()[0]
            what = f"{where}: {_cut(requirement)!r} names no package: {reason}"
            raise ConfigError(what, todo=_todo(written)) from error


def _of_conda(name: str) -> ConfigError:
    todo = f"Pack the environment (`{PACK}`) and write `venv: env.tar.gz`. Or name a file that pip "
    todo += "reads: a package in each line, such as numpy==1.26.4."
    return ConfigError(f"{name} is an environment file of conda, which pip cannot read", todo=todo)


def _todo(written: str) -> str:
    return f"Write one package in each line of {written}, such as numpy or numpy==1.26.4."


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def _parser() -> tuple[Callable[[str], object], type[Exception]]:
    """Return pip's own parser of a requirement, and its error. Without pip: one that takes all."""
    try:
        from pip._vendor.packaging import requirements
    except ImportError:
        return str, ValueError
    return requirements.Requirement, requirements.InvalidRequirement


def _wheel(line: Line, folder: Path) -> Path | None:
    """Return the wheel here that a line names. pip runs in `folder`, that of the first file."""
    found = _WHEEL.match(line.requirement)
    if found is None or not (folder / found[1]).is_file():
        return None
    return folder / found[1]


def _lines(file: Path) -> Iterator[Line]:
    joined, begun = "", 0
    for number, line in enumerate(_text(file.read_bytes()).splitlines(), 1):
        is_comment = _COMMENT.match(line) is not None
        begun = begun or number
        joined += f" {line}" if is_comment else line
        if line.endswith("\\") and not is_comment:
            joined = joined.strip("\\")
            continue
        yield from _line(file, begun, joined)
        joined, begun = "", 0
    yield from _line(file, begun, joined)


def _line(file: Path, number: int, joined: str) -> Iterator[Line]:
    written = _COMMENT.sub("", joined).strip()
    if written:
        yield Line(file, number, written, _VARIABLE.sub(_value, written))


def _value(found: re.Match[str]) -> str:
    return os.environ.get(found[1]) or found[0]  # as pip: one that is not set stays as it is


def _text(data: bytes) -> str:
    """Return the text of a file, in the encoding that its first two lines may name."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(mark):
            return data.removeprefix(mark).decode(encoding, "replace")
    for first in data.split(b"\n")[:2]:
        named = _CODING.match(first.decode("ascii", "replace"))
        if named:
            try:
                return data.decode(named[1], "replace")
            except LookupError:
                break
    return data.decode("utf-8", "replace")


