"""The pages hold together: links lead somewhere, words are ours, every example has what an example needs."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "bench" / "README.md",
    *(ROOT / "docs").glob("*.md"),
    *ROOT.glob("examples/*/README.md"),
]
EXAMPLES = sorted(path.parent for path in ROOT.glob("examples/*/spe.yaml"))
LINK = re.compile(r"\]\(([^)#]+)")
NOT_OURS_HEADING = "### Words that we do not use"
WIDTH = 120
STILL_LONG: set[str] = set()  # pages whose long lines wait to be wrapped
WORDS = """
    master host client guard hand slot worker program platform session
    sweep run set identity task attempt ticket copy straggler input original result report
    accepted rejected failed lost expired retry evidence
    dispatch board lease ping grace prefetch black_hole suspect bench probe drain fleet
    order note stream hook validate collect
    farm job delegate grant
"""
SSH_AGENT = re.compile(
    r"\b(ssh-agent|no agent|an agent|your agent|the agent|or agent|agent and|agent files?)\b", re.IGNORECASE
)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_to_a_heading_leads_to_a_heading(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", " ".join(page.read_text(encoding="utf-8").split()))
    assert [link for link in links if link[1] not in anchors(page.parent / link[0] if link[0] else page)] == []


def glossary() -> str:
    return (ROOT / "docs" / "guide.md").read_text(encoding="utf-8").split("\n## Words\n")[1]


def forbidden() -> list[str]:
    """The words in the first column of the last table of the guide."""
    rows = re.findall(r"^\| ([^|]+) \|", glossary().split(NOT_OURS_HEADING)[1], re.MULTILINE)
    return [word for row in rows[1:] for word in row.split(", ") if set(word) != {"-"}]


def test_the_list_of_forbidden_words_is_read() -> None:
    assert {"slave", "node", "agent", "executor", "work unit"} <= set(forbidden())


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_uses_no_synonym_that_the_guide_forbids(page: Path) -> None:
    not_ours = re.compile(rf"\b({'|'.join(forbidden())})(?!\.js)s?\b", re.IGNORECASE)
    text = page.read_text(encoding="utf-8").split(NOT_OURS_HEADING)[0]
    for number, line in enumerate(text.splitlines(), 1):
        found = not_ours.search(SSH_AGENT.sub("", line))
        assert found is None, f"{name(page)}:{number}: {found and found[0]}"


def test_the_glossary_has_every_word() -> None:
    rows = re.findall(r"^\| \*\*([a-z ]+)\*\* \|", glossary(), re.MULTILINE)
    assert [word.replace(" ", "_") for word in rows] == WORDS.split()


def names_in_the_code() -> set[str]:
    """The words of all names of files, classes, functions, fields and commands: `find_stragglers` has two."""
    found = set()
    for path in [*(ROOT / "master").rglob("*.py"), *(ROOT / "client").rglob("*.py")]:
        found.add(path.stem)
        for item in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(item, ast.ClassDef):
                found.add(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", item.name))
                fields = [line for line in item.body if isinstance(line, ast.Assign | ast.AnnAssign)]
                found |= {one.id for line in fields for one in ast.walk(line) if isinstance(one, ast.Name)}
            elif isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(item.name)
    return {part.lower() for one in found for part in (one, *one.split("_"))}


def test_each_word_of_the_glossary_is_a_name_in_the_code() -> None:
    names = names_in_the_code()
    forms = {word: {word, f"{word}s", f"{word.removesuffix('e')}ing"} for word in WORDS.split()}
    assert [word for word, known in forms.items() if not known & names] == []


def test_the_code_uses_no_synonym_that_the_guide_forbids() -> None:
    others = {"agent", "node"}  # SSH's agent, a node of YAML
    names = names_in_the_code() - others
    assert [word for word in forbidden() if {word.replace(" ", "_"), f"{word}s"} & names] == []


@pytest.mark.parametrize("page", [page for page in PAGES if name(page) not in STILL_LONG], ids=name)
def test_every_line_of_a_page_is_short(page: Path) -> None:
    """A line that is a single word, such as a link, cannot be wrapped and may be longer."""
    lines = page.read_text(encoding="utf-8").splitlines()
    long = [number for number, line in enumerate(lines, 1) if len(line) >= WIDTH and " " in line.strip("-*> ")]
    assert long == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_line_inside_a_paragraph_turns_into_a_list(page: Path) -> None:
    """Markdown takes a line that begins with `1.` for a list, also where a sentence was only wrapped there."""
    item = re.compile(r"([-*+]|\d+[.)]) ")
    other = re.compile(r"$|[ |#]|```")
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [b for a, b in pairwise(lines) if item.match(b) and not item.match(a) and not other.match(a)] == []


def test_the_two_commands_of_the_readme_are_one_line_each() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert "    python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/spe run" in lines
    assert "    tests/run" in lines
    assert (ROOT / "tests" / "run").stat().st_mode & 0o111


@pytest.mark.parametrize("folder", EXAMPLES, ids=name)
def test_every_example_has_a_page_a_test_and_a_line_in_the_readme(folder: Path) -> None:
    assert (folder / "README.md").read_text(encoding="utf-8").startswith(f"# {folder.name}: ")
    assert (ROOT / "tests" / "examples" / f"test_{folder.name}.py").exists()
    assert f"(examples/{folder.name})" in (ROOT / "README.md").read_text(encoding="utf-8")
