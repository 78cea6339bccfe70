"""An engineer's study ends in the hands of a colleague, who has nothing of the engineer's but two files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from cli.kit import Bench

from .kit import energy_sweep, without_rocrate


@pytest.mark.browser
def test_a_colleague_reads_the_report_offline_and_repeats_the_run(tmp_path: Path, browser: Any, axe: str) -> None:
    mail = tmp_path / "mail"
    mail.mkdir()
    _the_engineers_part(tmp_path / "engineer", mail)
    assert not (tmp_path / "engineer").exists()
    _read_offline(mail / "report.html", browser, axe)
    colleague = Bench(tmp_path / "colleague")
    try:
        _repeat(colleague, mail / "pi.zip", without_rocrate(tmp_path))
    finally:
        colleague.close()


def _the_engineers_part(root: Path, mail: Path) -> None:
    """The run, handed in as a report and a zip; then all that the engineer has is gone."""
    bench = Bench(root)
    try:
        energy_sweep(bench).run()
        bench.ok("report", "-o", str(mail / "report.html"))
        bench.ok("export", "--program", "--inputs", "--author", "E. Engineer", "-o", str(mail / "pi.zip"))
    finally:
        bench.close()
    shutil.rmtree(root)


def _read_offline(report: Path, browser: Any, axe: str) -> None:
    for width in (1280, 360):
        context = browser.new_context(offline=True, viewport={"width": width, "height": 800})
        page = context.new_page()
        mistakes: list[str] = []
        page.on("console", lambda message, found=mistakes: found.append(message.text))
        page.on("requestfailed", lambda request, found=mistakes: found.append(request.url))
        page.goto(report.as_uri())
        for heading in ("Summary", "Methods", "Plots", "Table", "Failures", "Hosts", "Versions"):
            assert page.get_by_role("heading", name=heading, exact=True).is_visible(), heading
        assert page.get_by_text("3 of 4 sets done, 1 failed").first.is_visible()
        assert page.get_by_text("no convergence").first.is_visible()
        # A caption as wide as its table would go on beyond the edge of a phone.
        right = "e => e.getBoundingClientRect().right"
        edges = page.evaluate(f"[...document.querySelectorAll('caption span')].map({right})")
        assert edges and max(edges) <= width
        page.evaluate(axe)
        assert page.evaluate("axe.run().then(found => found.violations.map(one => one.id))") == []
        assert mistakes == []
        if width == 1280:
            assert page.pdf(format="A4").startswith(b"%PDF")
        context.close()


def _repeat(colleague: Bench, path: Path, environment: dict[str, str]) -> None:
    shutil.copy(path, colleague.folder / "pi.zip")
    done = colleague.spe("replay", "pi.zip", **environment)
    assert done.code == 0, done
    assert "4 sets compared: all are the same" in done.err
    again = Bench(colleague.root / "changed")
    shutil.copy(path, again.folder / "pi.zip")
    again.open_gate()  # behind it the program gives another result for set 2
    try:
        differs = again.spe("replay", "pi.zip", **environment)
    finally:
        again.close()
    assert differs.code == 1, differs
    assert "energy: 2.5 then, 2.51 now" in differs.out
