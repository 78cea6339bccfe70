"""Plots of many columns: plotly's JavaScript comes from the installed package, in a page that is a sandbox."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from needs import need
from spe.errors import UsageError
from spe.plot import many
from spe.store.listing import Listing, TaskFilter
from spe.store.reader import Reader

from . import ended_kit
from .ended_kit import DONE, at

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need(many.has_plotly(), "needs plotly: pip install plotly")
    made = tmp_path_factory.mktemp("over")
    ended_kit.make(made)
    return made


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with ended_kit.served(folder) as found:
        yield found


@pytest.mark.parametrize("form", ["matrix", "parallel"])
def test_many_columns_are_drawn_with_nothing_from_the_internet(
    address: str, browser: Any, form: str
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    asked, troubles = list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(at(address, "results"))
    page.get_by_role("link", name="many columns").click()
    page.locator("select[name=form]").select_option(form)
    page.locator("select[name=by]").select_option("energy")
    page.get_by_role("checkbox", name="mesh").check()
    page.get_by_role("button", name="Show").click()
    page.wait_for_selector("#many .main-svg", state="attached", timeout=60_000)
    words = " ".join(page.locator("#many text").all_text_contents())
    assert "mesh" in words and "energy" in words and "coarse" in words
    assert f"{DONE} sets" in str(page.locator("main").text_content())
    page.set_viewport_size({"width": 360, "height": 900})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert not [url for url in asked if not re.match("http://127.0.0.1:|data:|blob:", url)] and not troubles
    page.close()


def test_the_page_that_plotly_draws_is_a_sandbox_and_no_other_page_is_looser(address: str, browser: Any) -> None:
    page = browser.new_page()
    policy = page.request.get(at(address, "many")).headers["content-security-policy"]
    assert policy.startswith("sandbox ") and "allow-same-origin" not in policy
    assert "unsafe" not in page.request.get(at(address, "results")).headers["content-security-policy"]
    page.goto(at(address, "many"))
    reached = page.evaluate("(url) => fetch(url).then(() => true, () => false)", at(address, ""))
    assert reached is False, "its scripts read nothing else of the site"
    page.close()


def test_bad_input_is_one_sentence(address: str, browser: Any) -> None:
    page = browser.new_page()
    for column, sentence in (("nothing", "there is no column nothing"), ("x", "1 columns are chosen. Choose 2 to 12.")):
        page.goto(at(address, "many", column=column))
        assert sentence in str(page.locator("[role=alert]").text_content())
    page.close()


def test_texts_are_places_of_parallel_coordinates_and_no_markup_ends_the_data(folder: Path) -> None:
    with Reader(folder / "runs" / "over") as reader:
        listing = Listing(reader)
        assert many.offered(listing)[:4] == ["x", "cfl", "rep", "energy"] and "picture" not in many.offered(listing)
        wanted = TaskFilter(with_row=True)
        figure, count = many.drawn(listing, many.ManyForm.PARALLEL, ["x", "mesh"], "mesh", wanted)
        with pytest.raises(UsageError, match="no set has a row"):
            many.drawn(listing, many.ManyForm.MATRIX, ["x", "mesh"], "", TaskFilter(with_row=True, among=[]))
    mesh = figure["data"][0]["dimensions"][1]
    assert count == DONE and mesh["ticktext"] == ["coarse", "fine"] and set(mesh["values"]) == {0.0, 1.0}
    assert figure["data"][0]["line"]["color"] == mesh["values"] and json.dumps(figure)


def test_without_plotly_the_line_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    assert not many.has_plotly()
    with pytest.raises(UsageError) as refused:
        many.script()
    assert refused.value.todo == "pip install 'spe[plot]'"
