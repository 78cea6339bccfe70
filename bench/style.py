"""How the code reads, in figures: `python bench/style.py [FOLDER…]`, of master/ and client/ when nothing is said.

Each figure has the limit that the project keeps. `--show MEASURE` lists the places that count against it.
"""

from __future__ import annotations

import argparse
import ast
import io
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


def comments_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and text of each comment."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


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
        elif not comment.startswith(("# type:", "# noqa", "#!")):
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
    words = parser.parse_args()
    found = Figures()
    for folder in words.folders:
        path = ROOT / folder
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            measure(file, found)
    for name, figure, limit, places in table(found):
        if words.show is None:
            print(f"{name:24} {figure:10.1f}   {limit}")
        elif words.show == name:
            print("\n".join(places))


if __name__ == "__main__":
    main()
