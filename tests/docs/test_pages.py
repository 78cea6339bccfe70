"""The pages hold together: links lead somewhere, words are ours, every example has what an example needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(ROOT / "docs").glob("*.md"),
    *ROOT.glob("examples/*/README.md"),
]
EXAMPLES = sorted(path.parent for path in ROOT.glob("examples/*/spe.yaml"))
LINK = re.compile(r"\]\(([^)#]+)")
NOT_OURS = re.compile(r"\b(slave|node(?!\.js)|agent|executor)s?\b", re.IGNORECASE)
SSH_AGENT = re.compile(
    r"\b(ssh-agent|no agent|an agent|your agent|the agent|or agent|agent and|agent files?)\b", re.IGNORECASE
)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_uses_the_words_of_the_glossary(page: Path) -> None:
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        found = NOT_OURS.search(SSH_AGENT.sub("", line))
        assert found is None, f"{name(page)}:{number}: {found and found[0]}"


def test_the_glossary_has_every_word() -> None:
    words = re.findall(r"\*\*(\w+)\*\*", (ROOT / "docs" / "guide.md").read_text(encoding="utf-8").split("## Words")[1])
    assert words == [
        "master",
        "host",
        "client",
        "worker",
        "slot",
        "sweep",
        "task",
        "ticket",
        "session",
        "result",
        "validate",
        "collect",
    ]


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
