"""docs/hooks.md tells what is true: its examples run, its names and figures are those of the program."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from spe.hooks import hooks
from spe.hooks import process as hookprocess
from spe.model import Kind, Output, ResultSpec
from spe.results import extract
from spe.results.judge import BUILT_IN
from spe.results.table_files import Mode

PAGE = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text()
SENTENCES = " ".join(PAGE.split())  # a sentence may go over two lines


@pytest.mark.parametrize(
    "name", [*BUILT_IN, *Mode, *Kind, "task.number", "result.path(", "result.seconds", "spe collect"]
)
def test_every_name_is_on_the_page(name: str) -> None:
    assert f"`{name}" in PAGE or f"    {name}\n" in PAGE


def test_the_figures_of_the_page_are_those_of_the_program() -> None:
    assert f"A call has {hooks.LIMIT:g} seconds" in SENTENCES
    assert f"longer than {hooks.REGEX_LIMIT:g} seconds" in SENTENCES
    assert f"at most {extract.HEAD // 1024} kB" in SENTENCES
    assert f"most {extract.SEARCHED // 1024**2} MB" in SENTENCES
    assert f"{hookprocess.PRINTS // 1024} kB a call" in SENTENCES
    assert hooks.PATIENCE == 3 and "after three in a row" in SENTENCES


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    (tmp_path / "hooks.py").write_text("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)))

    async def run() -> list[str]:
        made = hooks.Hooks(tmp_path, [ResultSpec("energy", kind=Kind.FLOAT)], ["hooks.py:check"], ["hooks.py:gather"])
        await made.check_import()
        task = hooks.TaskView(17, {})
        views = [hooks.ResultView([Output("energy", value)]) for value in ("1.5", "-1.5")]
        for _ in range(2):  # as `spe collect` does
            await made.gather(task, views[1])
        said = [(await made.validate(task, view)).reason for view in views]
        await made.close()
        return said

    assert asyncio.run(run()) == ["the energy is positive", ""]
    assert [path.read_text() for path in (tmp_path / "energies").iterdir()] == ["-1.5\n"]
