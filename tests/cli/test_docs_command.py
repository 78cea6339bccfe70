"""`spe docs`: the pages come with spe, in each form in which it is installed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from .kit import Bench
from .tmux import window

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.stem for path in (ROOT / "docs").glob("*.md"))


def test_the_pages_are_listed_with_a_line_each(bench: Bench) -> None:
    lines = bench.start("docs").end().out.splitlines()
    assert [line.split()[0] for line in lines] == PAGES
    assert all(len(line.split()) > 4 and line.endswith(".") for line in lines), lines


@pytest.mark.parametrize("name", ["guide", "guide.md", "Guide"])
def test_a_page_goes_to_a_pipe_as_it_is(bench: Bench, name: str) -> None:
    done = bench.start("docs", name).end()
    assert done.code == 0 and done.out == (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")


def test_an_unknown_page_names_a_near_one(bench: Bench) -> None:
    done = bench.start("docs", "fialures").end()
    assert done.code == 2 and "there is no page 'fialures'" in done.err and "Did you mean failures?" in done.err


def test_a_page_on_a_terminal_goes_through_the_pager_in_lines_that_fit(bench: Bench) -> None:
    with window(bench, 60, "docs", "failures", PAGER="sed -n 1,15p") as shown:
        shown.wait_for("ended 0")
        text = shown.screen
        assert "Failures: what a message means" in text and "# Failures" not in text


def test_a_list_of_pages_on_a_terminal_has_a_line_each(bench: Bench) -> None:
    with window(bench, 60, "docs") as shown:
        shown.wait_for("ended 0")
        lines = shown.screen.split("\n\nended")[0].splitlines()
        assert [line.split()[0] for line in lines] == PAGES


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and a source distribution, made of a clean clone of what is here."""
    place = tmp_path_factory.mktemp("built")
    tree = place / "tree"
    tree.mkdir()
    words = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(words, capture_output=True, check=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if name.startswith(("tests/", "examples/", "bench/")) or not (ROOT / name).is_file():
            continue
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes((ROOT / name).read_bytes())
    # A process for each: a build changes the arguments of its process.
    builder = _builder(place)
    for what in ("sdist", "wheel"):
        code = f"import sys; from setuptools import build_meta; build_meta.build_{what}(sys.argv[1])"
        done = subprocess.run([*builder, "-c", code, str(place)], cwd=tree, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return place


def _builder(place: Path) -> list[str]:
    """A Python with the setuptools that pyproject.toml asks for."""
    import setuptools

    if int(setuptools.__version__.split(".")[0]) >= 77:
        return [sys.executable]
    python = str(place / "venv" / "bin" / "python")
    subprocess.run([sys.executable, "-m", "venv", str(place / "venv")], check=True)
    words = [python, "-m", "pip", "install", "-q", "setuptools>=77", "wheel"]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("needs setuptools 77, and pip cannot fetch it here")
    return [python]


@pytest.mark.slow
def test_the_wheel_and_the_source_have_all_pages(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        metadata = next(name for name in names if name.endswith("METADATA"))
        assert "Author: The spe developers" in packed.read(metadata).decode()
    assert sorted(Path(name).stem for name in names if name.startswith("spe/docs/")) == PAGES
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as packed:
        found = [name for name in packed.getnames() if "/docs/" in name and name.endswith(".md")]
    assert sorted(Path(name).stem for name in found) == PAGES


@pytest.mark.slow
def test_an_installed_wheel_shows_its_pages(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from spe.cli import main; import spe; main()"
    words = [sys.executable, "-c", code, "docs"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert [line.split()[0] for line in done.stdout.splitlines()] == PAGES, done.stderr
