"""The documentation that comes with spe: the pages of docs/, which are data of the package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

from ..errors import UsageError
from ..record import record
from ..text import nearest

_HEADING = re.compile(r"(#+) (.+)")
_COMMENT = re.compile(r"<!-- .*? -->\n?")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_PROMISE = "After this page "


@record
class Section:
    """A heading of a page with all below it, as Markdown. A page of its own is one, too."""

    page: str
    heading: str
    level: int
    text: str  # with its heading

    @property
    def name(self) -> str:
        """Return the heading without its marks."""
        return self.heading.replace("`", "")

    @property
    def body(self) -> str:
        """Return the text below the heading, without the sections below it."""
        lines = self.text.splitlines()[1:]
        end = next((at for at, line in enumerate(lines) if _HEADING.match(line)), len(lines))
        return "\n".join(lines[:end]).strip()


def page_names() -> list[str]:
    """Return the names of all pages, without `.md`. Raises UsageError where they are missing."""
    try:
        found = [one.name for one in files("spe.docs").iterdir()]
    except (ModuleNotFoundError, FileNotFoundError):
        found = []
    names = sorted(name.removesuffix(".md") for name in found if name.endswith(".md"))
    if not names:
        todo = "Install spe again: its pages are a part of the package."
        raise UsageError("the documentation is not installed", todo=todo)
    return names


def read_page(name: str) -> str:
    """Return a page as Markdown. Raises UsageError, naming near ones, where there is none."""
    names = page_names()
    wanted = name.removesuffix(".md")
    found = next((one for one in names if one.lower() == wanted.lower()), "")
    if not found:
        near = nearest(wanted, names)
        hint = f"Did you mean {near}? " if near else ""
        raise UsageError(f"there is no page {name!r}", todo=f"{hint}`spe docs` lists them.")
    return _COMMENT.sub("", files("spe.docs").joinpath(f"{found}.md").read_text(encoding="utf-8"))


def promise(name: str) -> str:
    """Return in one sentence what a reader can do after a page."""
    text = " ".join(read_page(name).split())
    found = re.search(rf"{_PROMISE}(?:you )?(.*?[.])(?: |$)", text)
    return _LINK.sub(r"\1", found[1]) if found else ""


def sections(page: str) -> Iterator[Section]:
    """Yield all sections of a page, each with those below it."""
    lines = read_page(page).splitlines()
    heads = list(_heads(lines))
    for at, (start, level, heading) in enumerate(heads):
        ends = (line for line, other, _ in heads[at + 1 :] if other <= level)
        text = "\n".join(lines[start : next(ends, len(lines))]).strip()
        yield Section(page, heading, level, text + "\n")


def _heads(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """Yield (line, level, heading) of each heading; a `#` in a block of code is none."""
    in_code = False
    for at, line in enumerate(lines):
        if line.startswith("```"):
            in_code = not in_code
        found = None if in_code else _HEADING.match(line)
        if found:
            yield at, len(found[1]), found[2]
