"""The page of a run that is over, in a real browser: plots, files, images, the timeline; read only."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from . import ended_kit
from .ended_kit import DONE, SETS, at

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATHS = ["", "hosts", "tasks", "task/7", "task/72", "results", "log", "nowhere"]
FORMS = [
    {"form": "lines", "y": "energy", "x": "x", "by": "cfl"},
    {"form": "histogram", "y": "energy", "by": "mesh"},
    {"form": "heat", "y": "cfl", "x": "x", "by": "energy"},
    {"form": "dots", "y": "energy", "x": "mesh", "by": "number", "logy": "1"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("over")
    ended_kit.make(made)
    return made


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with ended_kit.served(folder) as found:
        yield found


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that complains of nothing, and asks nobody but the server."""
    made = browser.new_page(viewport={"width": 1280, "height": 900})
    troubles: list[str] = []
    made.on("pageerror", lambda error: troubles.append(str(error)))
    made.on("console", lambda line: troubles.append(line.text) if line.type in ("error", "warning") else None)
    made.on("request", lambda one: None if re.match("http://127.0.0.1:|data:", one.url) else troubles.append(one.url))
    yield made
    made.close()
    assert not [text for text in troubles if not any(known in text for known in ("400", "404", "ERR_"))]


def expect(what: Any) -> Any:
    from playwright.sync_api import expect as expected

    return expected(what)


def test_the_overview_of_a_run_that_is_over_has_its_numbers(address: str, page: Any) -> None:
    page.goto(address)
    expect(page.locator(".state")).to_have_text("■ over")
    expect(page.locator(".lead")).to_contain_text(f"{DONE} of {SETS} sets done")
    expect(page.locator(".figures [data-see=failed]")).to_have_text(str(SETS - DONE))
    expect(page.locator("main")).to_contain_text("4 × <i>diverged</i>")
    expect(page.locator("main")).not_to_contain_text("Expected to end")
    assert page.locator(".history rect").count() > 0
    assert page.get_by_role("link", name="Next").count() == 0 and page.locator("[data-act]").count() == 0


def test_a_task_says_what_it_ran_and_why_it_failed(address: str, page: Any) -> None:
    page.goto(at(address, "task/7"))
    expect(page.get_by_label("Command line")).to_have_text("./work 1 0.4 coarse 1")
    page.goto(at(address, "tasks", state="failed"))
    expect(page.locator("main tbody tr")).to_have_count(4)
    page.locator("main tbody th a").first.click()
    expect(page.locator(".attempt pre")).to_have_text("<i>diverged</i>\n")


def test_means_are_lines_with_a_band_for_each_group_and_can_be_saved(address: str, page: Any) -> None:
    page.goto(at(address, "results"))
    for name, choice in {"form": "lines of means", "y": "energy", "x": "x", "by": "cfl"}.items():
        page.locator(f"select[name={name}]").select_option(choice)
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".plot polyline").first).to_be_attached()
    assert page.locator(".plot polyline").count() == 4, "two lines, and two in the key"
    assert page.locator(".plot .band").count() == 2
    expect(page.locator("figcaption")).to_contain_text(f"Mean of energy over x, by cfl, {DONE} sets.")
    width_of = "document.querySelector(`main ${one}`).clientWidth"
    widths = page.evaluate(f"() => ['table', '.plot svg'].map((one) => {width_of})")
    assert abs(widths[0] - widths[1]) < 2, "one plot as wide as the table"
    kinds = {"SVG": b"<svg", "CSV": b"cfl,x,mean of energy", "PNG": b"\x89PNG\r\n\x1a\n"}
    for kind, begin in kinds.items():
        role = "button" if kind == "PNG" else "link"
        with page.expect_download() as kept:
            page.get_by_role(role, name=kind).click()
        assert kept.value.suggested_filename == f"over mean of energy over x, by cfl.{kind.lower()}"
        data = Path(kept.value.path()).read_bytes()
        assert data.startswith(begin) and len(data) > 100
    width, height = (int.from_bytes(data[place : place + 4], "big") for place in (16, 20))
    assert width > 2 * 1000 and height > 2 * 300, "fine enough for a slide"


def test_the_wish_stays_while_the_table_is_sorted_and_filtered(address: str, page: Any) -> None:
    page.goto(at(address, "results", **FORMS[2]))
    expect(page.locator(".plot rect:not(.shade)")).to_have_count(12)
    page.get_by_label("Only where").fill("x <= 2")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".plot rect:not(.shade)")).to_have_count(4)
    page.get_by_role("link", name="energy").click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("energy")
    expect(page.locator(".plot rect:not(.shade)")).to_have_count(4)
    page.get_by_role("link", name="all", exact=True).click()
    expect(page.locator(".plot rect:not(.shade)")).to_have_count(12)


def test_what_cannot_be_drawn_is_a_sentence_above_the_table(address: str, page: Any) -> None:
    page.goto(at(address, "results", y="mesh", x="x"))
    expect(page.locator(".notice[role=status]").last).to_contain_text("No plot: mesh is text, such as 'coarse'")
    assert page.locator("main tbody tr").count() == 50
    page.goto(at(address, "results", y="nothing"))
    expect(page.locator("main")).to_contain_text("No plot: there is no column nothing. There are: number")
    assert page.request.get(at(address, "plot.svg", y="mesh")).status == 400


def test_files_are_linked_and_images_shown(address: str, page: Any) -> None:
    page.goto(at(address, "results"))
    row = page.locator("main tbody tr").first
    image = row.locator("img").first
    expect(image).to_have_attribute("alt", "picture of task 1")
    # In one step: an open page draws its part anew once its stream has begun.
    look = "const one = document.querySelector('main tbody img'); one.scrollIntoView(); return one.naturalWidth === 1;"
    page.wait_for_function(f"() => {{ {look} }}")
    with page.expect_download() as kept:
        image.click()
    assert kept.value.suggested_filename == "1-p.png"
    with page.expect_download() as kept:
        row.get_by_role("link", name="t <1>.txt").click()
    assert Path(kept.value.path()).read_text() == "trace"
    row.get_by_role("link", name="2 files").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Task 1")
    answer = page.request.get(at(address, "task/1/file/trace", show="1"))
    assert answer.headers["content-type"] == "application/octet-stream", "only images are shown"
    assert "attachment" in answer.headers["content-disposition"]


def handed_out_in(folder: Path, url: str) -> int:
    """How many attempts were handed out in the time that an address of the timeline names."""
    words = parse_qs(urlsplit(url).query)
    begin, end = float(words["begin"][0]), float(words["end"][0])
    with sqlite3.connect(folder / "runs" / "over" / "sweep.db") as db:
        found = db.execute("SELECT count(*) FROM tickets WHERE issued BETWEEN ? AND ?", (begin, end)).fetchone()
    return int(found[0])


def test_the_timeline_is_zoomed(folder: Path, address: str, page: Any) -> None:
    page.goto(at(address, "hosts"))
    expect(page.locator("[data-see-hosts] tr")).to_have_count(1)
    expect(page.locator("[data-see-hosts] tr")).to_contain_text(f"{DONE}")
    expect(page.locator("[data-see-hosts] .s-ended")).to_have_text("■ ended")
    every = page.locator(".timeline rect[class]").count()
    assert every >= SETS
    page.get_by_role("link", name="Zoom in").click()
    page.wait_for_url(re.compile("begin="))
    some = page.locator(".timeline rect[class]").count()
    # On a busy machine nothing may have run in the middle of this second.
    assert some < every and (some > 0 or handed_out_in(folder, page.url) == 0)
    for name in ("Later", "Earlier", "Zoom out", "All of it"):
        page.get_by_role("link", name=name).click()
    expect(page.locator(".timeline rect[class]")).to_have_count(every)
    page.goto(at(address, "hosts", begin="5", end="6"))
    expect(page.locator("main")).to_contain_text("Nothing ran from 1970")
    page.goto(at(address, "hosts", begin="nan", end="inf"))
    expect(page.locator(".timeline rect[class]")).to_have_count(every)


def test_nobody_acts_on_a_run_that_is_over(address: str, page: Any) -> None:
    for path in ("act", "sets", "ask"):
        assert page.request.post(at(address, path), data={"do": "stop"}).status == 404
    assert page.request.get(address.partition("?")[0]).status == 403
    assert page.request.get(address.partition("?")[0] + "?token=").status == 403


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_page_is_readable_by_all_on_a_phone_and_on_a_wall(
    address: str, browser: Any, axe: str, scheme: str
) -> None:
    page = browser.new_page(color_scheme=scheme)
    for query in [*({"path": path} for path in PATHS), *({"path": "results", **form} for form in FORMS)]:
        path = query.pop("path")
        page.goto(at(address, path, **query))
        expect(page.locator(".state")).to_have_text("■ over")
        for width in (1920, 360) if scheme == "light" else (360, 1920):  # axe looks at the last one
            page.set_viewport_size({"width": width, "height": 900})
            wide = page.evaluate("() => document.documentElement.scrollWidth")
            assert wide <= width, f"{path} {query} is wider than {width}"
        page.evaluate(f"{axe}; 0")
        found = page.evaluate("async () => (await axe.run()).violations.map((v) => [v.id, v.nodes.map((n) => n.html)])")
        assert found == [], f"{path} {query} at {width}, {scheme}"
    page.close()


def test_without_javascript_plots_tables_and_timeline_are_there(address: str, browser: Any) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(at(address, "results", **FORMS[0]))
    assert page.locator(".plot polyline").count() == 4 and page.locator("main tbody tr").count() == 50
    assert not page.get_by_role("button", name="PNG").is_visible(), "it could do nothing"
    page.goto(at(address, "hosts"))
    assert page.locator(".timeline rect[class]").count() >= SETS
    page.close()


def test_a_copy_on_a_disk_that_cannot_be_written_is_served_and_left_as_it_is(
    folder: Path, tmp_path: Path, page: Any
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder / "runs" / "over", copy)
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    with ended_kit.served(tmp_path, "copy") as address:
        for path in ("", "results", "hosts"):
            page.goto(at(address, path))
            expect(page.locator(".state")).to_have_text("■ over")
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


def kept_csv(page: Any, plot: Any) -> Path:
    with page.expect_download() as kept:
        plot.get_by_role("link", name="CSV").click()
    return Path(kept.value.path())


def fits(page: Any, least: float = 11) -> None:
    """Each drawing has the width that is there, and so letters of the size of the page; no label lies on another."""
    drawings = "[...document.querySelectorAll('.plot svg, .timeline')]"
    page.wait_for_function(
        f"() => {drawings}.every((one) => Math.abs(one.viewBox.baseVal.width - one.clientWidth) < 2)"
    )
    rows = page.evaluate(
        f"() => {drawings}.map((svg) => [...svg.querySelectorAll('text')]"
        ".map((text) => text.getBoundingClientRect()).filter((box) => box.width > box.height || box.height < 25)"
        ".map((box) => [box.top, box.left, box.right, box.height]))"
    )
    for boxes in rows:
        assert min(height for *_, height in boxes) >= least
        for (top, _, right, _), (other, left, _, _) in pairwise(sorted(boxes)):
            assert top != other or right <= left + 1


def test_texts_across_do_not_lie_on_each_other_at_any_width(address: str, page: Any) -> None:
    page.goto(at(address, "results", y="energy", x="trace", where="x <= 2"))
    for width in (1280, 360, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        fits(page)
        assert page.locator(".plot text", has_text="files").count() > 1
    for form in FORMS:
        page.goto(at(address, "results", **form))
        page.set_viewport_size({"width": 360, "height": 900})
        fits(page)


def test_what_is_wider_than_a_phone_fades_at_its_end_until_it_is_scrolled_there(address: str, page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 900})
    page.goto(at(address, "hosts"))
    expect(page.locator(".timeline rect[class]").first).to_be_attached()
    fits(page, least=9)
    page.goto(at(address, "results", y="energy", x="x"))
    fits(page)
    table = page.get_by_label("Table of results")
    expect(table).to_have_class(re.compile(r"\bmore\b"))
    expect(page.get_by_label("Plot", exact=True)).not_to_have_class(re.compile(r"\bmore\b"))
    assert "linear-gradient" in table.evaluate("(one) => getComputedStyle(one).maskImage")
    table.evaluate("(one) => one.scrollTo(one.scrollWidth, 0)")
    expect(table).not_to_have_class(re.compile(r"\bmore\b"))
    cut = "(one) => [...one.querySelectorAll('td.n')].filter((cell) => cell.scrollWidth > cell.clientWidth).length"
    assert table.evaluate(cut) == 0, "no number is cut"


def test_a_histogram_has_no_column_across_and_all_columns_have_the_names_of_conditions(
    address: str, page: Any
) -> None:
    page.goto(at(address, "results"))
    across = page.locator("select[name=x]")
    for form, is_on in (("heat map", True), ("histogram", False), ("lines of means", True), ("histogram", False)):
        page.locator("select[name=form]").select_option(form)
        (expect(across).to_be_enabled if is_on else expect(across).to_be_disabled)()
    page.get_by_role("button", name="Show").click()
    expect(page.locator("figcaption")).to_contain_text("Histogram of energy")
    expect(across).to_be_disabled()
    heads = [text.strip(" ▲\n") for text in page.locator("main thead th").all_text_contents()]
    assert heads == ["number", "x", "cfl", "mesh", "rep", "energy", "picture", "trace", "frames", "host", "seconds",
                     "attempts"]  # fmt: skip
    page.get_by_label("Only where").fill("x in [1, 2] and attempts == 1 or cfl > x")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("main tbody tr")).to_have_count(24)


def test_two_runs_stand_side_by_side_on_the_same_axes(folder: Path, tmp_path: Path, page: Any) -> None:
    runs = tmp_path / "runs"
    for name in ("over", "other", "without"):
        shutil.copytree(folder / "runs" / "over", runs / name)
    with sqlite3.connect(runs / "other" / "sweep.db") as connection:
        connection.execute("UPDATE outputs SET number = number * 10 WHERE name = 'energy'")
    connection.close()
    with sqlite3.connect(runs / "without" / "sweep.db") as connection:
        connection.execute("UPDATE meta SET value = '[\"picture\"]' WHERE key = 'results'")
    connection.close()
    with ended_kit.served(tmp_path, "over") as address:
        page.goto(at(address, "results", **FORMS[0]))
        page.locator("select[name=beside]").select_option("other")
        page.get_by_role("button", name="Show").click()
        expect(page.locator(".plot svg")).to_have_count(2)
        # In one step: an open page draws its part anew once its stream has begun.
        here, there = page.evaluate(
            "() => [...document.querySelectorAll('.plot svg')].map((one) => "
            "[[...one.querySelectorAll('text')].map((text) => text.textContent), one.getBoundingClientRect()])"
        )
        assert here[0] == there[0], "the same axes"
        assert here[1]["y"] == there[1]["y"] and here[1]["right"] <= there[1]["left"], "side by side"
        expect(page.get_by_role("heading", name="Table of over")).to_be_visible()
        kinds = {"SVG": b"<svg", "CSV": b"cfl,x,mean of energy", "PNG": b"\x89PNG\r\n\x1a\n"}
        second = page.locator(".plot").last
        for kind, begin in kinds.items():
            with page.expect_download() as kept:
                second.get_by_role("button" if kind == "PNG" else "link", name=kind).click()
            assert kept.value.suggested_filename == f"other mean of energy over x, by cfl.{kind.lower()}"
            assert Path(kept.value.path()).read_bytes().startswith(begin)
        values = [float(row.split(",")[2]) for row in Path(kept_csv(page, second)).read_text().splitlines()[1:]]
        assert min(values) > 20, "the numbers of the other run"
        fits(page)
        page.set_viewport_size({"width": 360, "height": 900})
        fits(page)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
        for name, sentence in (("without", "there is no column energy"), ("../over", "")):
            page.goto(at(address, "results", **FORMS[0], beside=name))
            expect(page.locator(".plot svg")).to_have_count(1)
            assert sentence in str(page.locator("main").text_content())


def test_a_run_of_another_folder_is_compared_only_if_the_command_line_names_it(
    folder: Path, tmp_path: Path, page: Any
) -> None:
    here, there, secret = (tmp_path / one / "runs" / "over" for one in ("here", "there", "secret"))
    for run in (here, there, secret):
        shutil.copytree(folder / "runs" / "over", run)
    with ended_kit.served(tmp_path / "here", "over", "--beside", "../there/runs/over") as address:
        page.goto(at(address, "results", **FORMS[0]))
        page.locator("select[name=beside]").select_option(str(there))
        page.get_by_role("button", name="Show").click()
        expect(page.locator(".plot svg")).to_have_count(2)
        page.set_viewport_size({"width": 360, "height": 900})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
        for path in (str(secret), "../../secret/runs/over", "../there/runs/over", f"{there}/../../../secret/runs/over"):
            page.goto(at(address, "results", **FORMS[0], beside=path))
            expect(page.locator(".plot svg")).to_have_count(1)


def test_what_changes_in_the_database_is_followed(folder: Path, tmp_path: Path, page: Any) -> None:
    shutil.copytree(folder / "runs" / "over", tmp_path / "runs" / "over")
    with ended_kit.served(tmp_path, "over") as address:
        page.goto(address)
        expect(page.locator(".figures [data-see=failed]")).to_have_text("4")
        with sqlite3.connect(tmp_path / "runs" / "over" / "sweep.db") as connection:
            connection.execute("UPDATE tasks SET state = 'waiting' WHERE state = 'failed'")
        connection.close()
        expect(page.locator(".figures [data-see=waiting]")).to_have_text("4", timeout=30_000)
