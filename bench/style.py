"""How the code reads, in figures: `python bench/style.py [FOLDER…]`, of master/ and client/ when nothing is said.

Each figure has the limit that the project keeps. `--show MEASURE` lists the places that count against it. `--draw 40`
prints forty comments at random, each with the code behind it, for a reader who judges whether they say why.
"""

from __future__ import annotations

import argparse
import ast
import io
import random
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LONG_LINE = 100
# Words with which a docstring opens that names no subject: what they stand for is nowhere before them.
PRONOUNS = re.compile(
    r"(he|her|his|how|it|its|many|none|nobody|of|one|others|she|so|some|somebody|such|that|their|them|these|they|this"
    r"|those|what|whatever|when|where|whether|which|who|whoever|whom|whose|why)\b",
    re.IGNORECASE,
)
BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.comprehension, ast.match_case)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Figures:
    """What was counted in some files, and where: measure -> places."""

    lines: int = 0
    long_lines: list[str] = field(default_factory=list)
    conditional_expressions: list[str] = field(default_factory=list)
    comments: int = 0
    fmt_skip: list[str] = field(default_factory=list)
    docstrings: int = 0
    function_docstrings: int = 0
    pronouns: list[str] = field(default_factory=list)
    function_pronouns: list[str] = field(default_factory=list)
    complexity: list[tuple[int, str]] = field(default_factory=list)
    classes: Counter[str] = field(default_factory=Counter)


def complexity(function: Function) -> int:
    """Return the cyclomatic complexity of one function: 1, and 1 for each branch and each further operand."""
    total = 1
    for node in ast.walk(function):
        if isinstance(node, BRANCHES):
            total += 1
        elif isinstance(node, ast.BoolOp):
            total += len(node.values) - 1
    return total


def opens_with_a_pronoun(docstring: str) -> bool:
    """Tell whether the first word of this docstring stands for a noun that is nowhere before it."""
    return PRONOUNS.match(docstring.lstrip("`")) is not None


def says_something(comment: str) -> bool:
    """Tell whether a comment is for readers: neither a word to a tool nor a heading such as `# -- hosts`."""
    return not comment.startswith(("# type:", "# noqa", "#!", "# -- "))


def comments_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and text of each comment."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def comment_blocks(file: Path) -> Iterator[str]:
    """Yield each comment of a file as people read it: its place, all of its lines, and the code behind it."""
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    found = [number for number, comment in comments_of(text) if says_something(comment)]
    for number in found:
        # A comment behind code is one by itself, and so is the first of several lines.
        if _is_comment(lines[number - 1]) and number > 1 and _is_comment(lines[number - 2]):
            continue
        last = number
        while _is_comment(lines[last - 1]) and last < len(lines):
            last += 1
        shown = "\n".join(f"    {line}" for line in lines[number - 1 : last])
        yield f"{file.relative_to(ROOT)}:{number}\n{shown}"


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def measure(file: Path, found: Figures) -> None:
    """Add to `found` what is to be counted in one file."""
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    name = str(file.relative_to(ROOT))
    for number, line in enumerate(text.splitlines(), 1):
        found.lines += 1
        if len(line) > LONG_LINE:
            found.long_lines.append(f"{name}:{number}")
    for number, comment in comments_of(text):
        if "fmt: skip" in comment:
            found.fmt_skip.append(f"{name}:{number}")
        elif says_something(comment):
            found.comments += 1
    for node in ast.walk(tree):
        if isinstance(node, ast.IfExp):
            found.conditional_expressions.append(f"{name}:{node.lineno}")
        if isinstance(node, ast.ClassDef):
            found.classes[node.name] += 1
        if isinstance(node, Function):
            found.complexity.append((complexity(node), f"{name}:{node.lineno} {node.name}"))
        if isinstance(node, Function | ast.ClassDef | ast.Module):
            _count_docstring(node, name, found)


def _count_docstring(node: Function | ast.ClassDef | ast.Module, file: str, found: Figures) -> None:
    docstring = ast.get_docstring(node)
    if docstring is None:
        return
    first_line = docstring.splitlines()[0]
    place = f"{file}:{getattr(node, 'lineno', 1)}  {first_line}"
    is_function = isinstance(node, Function)
    found.docstrings += 1
    found.function_docstrings += is_function
    if opens_with_a_pronoun(docstring):
        found.pronouns.append(place)
        if is_function:
            found.function_pronouns.append(place)


def share(part: int, whole: int) -> float:
    """Return how many per cent of `whole` the part is."""
    return 100 * part / max(1, whole)


def table(found: Figures) -> list[tuple[str, float, str, list[str]]]:
    """Return the measures as rows: name, figure, limit, places that count against it."""
    complex_ones = [place for value, place in sorted(found.complexity, reverse=True)[:40]]
    mean = sum(value for value, _ in found.complexity) / max(1, len(found.complexity))
    twice = [name for name, count in found.classes.items() if count > 1]
    return [
        ("lines", found.lines, "", []),
        ("pronouns", share(len(found.pronouns), found.docstrings), "< 2 % of docstrings", found.pronouns),
        (
            "function-pronouns",
            share(len(found.function_pronouns), found.function_docstrings),
            "< 2 % of functions' docstrings",
            found.function_pronouns,
        ),
        (
            "conditional-expressions",
            1000 * len(found.conditional_expressions) / max(1, found.lines),
            "< 12 per 1,000 lines",
            found.conditional_expressions,
        ),
        ("long-lines", share(len(found.long_lines), found.lines), f"< 2 % over {LONG_LINE}", found.long_lines),
        ("complexity", mean, "< 3 on average", complex_ones),
        ("comments", share(found.comments, found.lines), "5 to 12 per 100 lines", []),
        ("fmt-skip", len(found.fmt_skip), "none where keywords would do", found.fmt_skip),
        ("class-names-twice", len(twice), "both ends of the wire alone", twice),
    ]


def main() -> None:
    """Print the table, or the places of one measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="*", default=["master", "client"])
    parser.add_argument("--show", metavar="MEASURE")
    parser.add_argument("--draw", metavar="N", type=int)
    parser.add_argument("--seed", metavar="N", type=int, default=0)
    words = parser.parse_args()
    files = [file for folder in words.folders for file in _files(ROOT / folder)]
    if words.draw is not None:
        blocks = [block for file in files for block in comment_blocks(file)]
        print("\n\n".join(random.Random(words.seed).sample(blocks, words.draw)))
        return
    found = Figures()
    for file in files:
        measure(file, found)
    for name, figure, limit, places in table(found):
        if words.show is None:
            print(f"{name:24} {figure:10.2f}   {limit}")
        elif words.show == name:
            print("\n".join(places))


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


if __name__ == "__main__":
    main()
