"""The sections of the documentation about a word: a command, an option, a key, a term, a message."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import click

from ..line.options import ALL
from ..text import nearest
from .catalogue import ALL_COMMANDS, DESTRUCTIVE, SUMMARY
from .lazy_group import every_command
from .pages import Section, page_names, read_page, sections
from .usage import OTHER_COMMANDS, OTHER_OPTIONS

_TERM = re.compile(r"^\| \*\*([a-z ]+)\*\* \| (.+) \|$", re.MULTILINE)
_SYNONYM = re.compile(r"^\| ([a-z, ]+) \| (.+) \|$", re.MULTILINE)
_ROW = re.compile(r"^\| `([^|]+)` \| (.+) \|$", re.MULTILINE)
_LEAST = 3  # words in a row that a message shares with what was asked
_MOST = 3  # messages or sections that are shown whole

_INNER = ("architecture", "measurements", "protocol")  # about spe itself, not about its use

Root = click.Group


def explain(word: str, root: Root) -> str:
    """Return what is known about a word, as Markdown; "" where nothing is."""
    asked = word.strip("` ").removeprefix("spe ")
    exact = [*_command(asked), *_option(asked, root), *_key(asked), *_term(asked)]
    exact = exact or [*_foreign(asked, root), *_page(asked)]
    found = exact or [*_option(f"--{asked}", root)] or [*_foreign(f"--{asked}", root)]
    found = found or _messages(asked) or _headings(asked) or _lines(asked)
    return "\n".join(found)


def near_words(word: str, root: Root) -> str:
    """Return the known word that is nearest to an unknown one; "" where none is near."""
    words = [*ALL_COMMANDS, *_options(root), *_keys(), *_terms(), *page_names()]
    return nearest(word, (one for one in words if one not in DESTRUCTIVE))


def known_words() -> list[str]:
    """Return the words that `spe help` surely knows, for completion: no command is loaded."""
    return sorted({*SUMMARY, *(one.flag for one in ALL), *_keys(), *_terms()})


def _found(section: Section) -> str:
    return f"*{section.page}*\n\n{section.text}"


def _command(word: str) -> Iterator[str]:
    if word in ALL_COMMANDS:
        yield from (_found(one) for one in sections("commands") if one.heading == f"spe {word}")


def _option(word: str, root: Root) -> Iterator[str]:
    """Yield which commands have an option, its key, and what the page of commands says of it."""
    usages = _options(root).get(word)
    if not usages:
        return
    for usage, commands in usages.items():
        yield f"{usage} ({', '.join(f'`spe {one}`' for one in commands)})\n"
    keys = [one.key for one in ALL if one.flag == word]
    if keys:
        yield from _key(keys[0])
        return
    for section in sections("commands"):
        for block in _blocks(section.body):
            if re.search(rf"`{re.escape(word)}\b", block) and not block.startswith("|"):
                yield f"*{section.page}, {section.name}*\n\n{block}\n"


def _blocks(text: str) -> list[str]:
    """Return the paragraphs and the items of lists of a text."""
    return re.split(r"\n\n|\n(?=- )", text)


def _options(root: Root) -> dict[str, dict[str, list[str]]]:
    """Return, by option, its usages, and which commands have each."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, command, context in every_command(root):
        for one in command.params:
            if isinstance(one, click.Option):
                usage = f"**`{usage_of(one, context)}`**: {one.help or ''}"
                for flag in one.opts:
                    found.setdefault(flag, {}).setdefault(usage, []).append(name)
    return found


def usage_of(option: click.Option, context: click.Context) -> str:
    """Return an option with its other names and its value: `-f, --file PATH`."""
    value = "" if option.is_flag or option.count else f" {option.make_metavar(context)}"
    return ", ".join(option.opts) + value


def _keys() -> dict[str, list[Section]]:
    """Return the sections of keys, by full name and by the last part of it."""
    found: dict[str, list[Section]] = {}
    for one in sections("spe.yaml"):
        if one.heading.startswith("`"):
            names = {one.name, one.name.rpartition(".")[2], one.name.replace(".NAME", "")}
            for name in names:
                found.setdefault(name, []).append(one)
    return found


def _key(word: str) -> Iterator[str]:
    known = _keys().get(word.removesuffix(":"), [])
    whole = [one for one in known if one.name == word.removesuffix(":")]
    yield from map(_found, whole or known)


def _terms() -> dict[str, str]:
    """Return the words of the glossary, and those that it replaces, each with its meaning."""
    text = read_page("guide").partition("\n## Words\n")[2]
    found = dict(_TERM.findall(text))
    for words, meaning in _SYNONYM.findall(text.partition("### Words that we do not use")[2]):
        found |= dict.fromkeys(words.split(", "), f"spe's word is {meaning}")
    return found


def _term(word: str) -> Iterator[str]:
    meaning = _terms().get(word.lower())
    if meaning:
        yield f"**{word.lower()}**: {meaning}\n"


def _foreign(word: str, root: Root) -> Iterator[str]:
    """Yield what does here what an option or a command of another tool does."""
    for known, explained in ((OTHER_OPTIONS, _option), (OTHER_COMMANDS, _about)):
        meant = known.get(word)
        if meant:
            yield f"`{word}` is a word of other tools; here it is {meant}.\n"
            yield from explained(meant.split()[0], root)
            return


def _about(word: str, root: Root) -> Iterator[str]:
    yield from ()


def _page(word: str) -> Iterator[str]:
    if word.removesuffix(".md") in page_names():
        yield next(iter(sections(word.removesuffix(".md")))).body + "\n"
        yield f"`spe docs {word}` shows all of the page.\n"


def _messages(asked: str) -> list[str]:
    """Return the paragraphs about the messages that share most words in a row with what was asked."""
    words = _words(asked)
    least = min(_LEAST, len(words))
    scored = [(_shared(words, _words(message)), text) for message, text in _told_messages()]
    best = max((score for score, _ in scored), default=0)
    if not words:
        return []
    if best < least:
        # Not in a row: all of them are there.
        return _first([text for message, text in _told_messages() if {*words} <= {*_words(message)}])
    return _first([text for score, text in scored if score == best])


def _first(found: list[str]) -> list[str]:
    """Return the first texts, and how many more there are."""
    more = len(found) - _MOST
    rest = [f"… and {more} more; ask with more words.\n"] if more > 0 else []
    return [*found[:_MOST], *rest]


def _told_messages() -> Iterator[tuple[str, str]]:
    """Yield (message, what the page says) for each message of failures.md."""
    for section in sections("failures"):
        message = ""
        lines: list[str] = []
        for block in [*section.body.split("\n\n"), "**`"]:
            if block.startswith("**`") and message:
                yield message, f"*failures, {section.name}*\n\n" + "\n\n".join(lines) + "\n"
            if block.startswith("**`"):
                message, lines = block, []
            lines.append(block)
        for message, meaning in _ROW.findall(section.body):
            yield message, f"*failures, {section.name}*\n\n**`{message}`**\n\n{meaning}\n"


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9_.-]*[a-z0-9_]", text.lower())


def _shared(words: list[str], others: list[str]) -> int:
    """Return how many words in a row two texts share at most."""
    best = 0
    for start in range(len(words)):
        for place in range(len(others)):
            count = 0
            while (
                start + count < len(words)
                and place + count < len(others)
                and words[start + count] == others[place + count]
            ):
                count += 1
            best = max(best, count)
    return best


def _headings(asked: str) -> list[str]:
    """Return the sections whose heading has the words that were asked."""
    has: Callable[[str], object] = re.compile(rf"\b{re.escape(asked)}\b", re.IGNORECASE).search
    found = [one for page in page_names() for one in sections(page) if has(one.name)]
    if len(found) <= 1:
        return [_found(one) for one in found]
    lines = [f"- {one.name} (`spe docs {one.page}`)" for one in found]
    return ["\n".join(lines) + "\n"]


def _lines(asked: str) -> list[str]:
    """Return the paragraphs, items and rows of tables that have the words that were asked."""
    has = re.compile(rf"(?<![\w-]){re.escape(asked)}(?![\w-])", re.IGNORECASE).search
    found = []
    for page in [one for one in page_names() if one not in _INNER]:
        for section in sections(page):
            parts = [row for block in _blocks(section.body) for row in _rows(block)]
            found += [f"*{page}, {section.name}*\n\n{part.strip()}\n" for part in parts if has(part)]
    return _first(found)


def _rows(block: str) -> list[str]:
    return block.split("\n") if block.startswith("|") else [block]
