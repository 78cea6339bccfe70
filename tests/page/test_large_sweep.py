"""The page of a sweep of 100,000 sets on eight real hosts, in a real browser. Its tests open the gate in turn."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from waiting import wait_until

from .large_sweep import SETS, LargeSweep, Wire, energy

pytestmark = [pytest.mark.browser, pytest.mark.lab, pytest.mark.slow]
LAB_HOSTS = 8
PATHS = ["", "hosts", "tasks", "task/7", "task/50000", "results", "next", "log", "nowhere"]
PICTURES = os.environ.get("SPE_PICTURES")  # a folder: the pictures for the documents are put there
SOON = 60_000  # milliseconds that the page may take to show what is so


@pytest.fixture
def page(browser: Any, sweep: LargeSweep) -> Iterator[Any]:
    """A page that complains of nothing, and asks nobody but the master."""
    made = browser.new_page(viewport={"width": 1280, "height": 900})
    troubles: list[str] = []
    made.on("pageerror", lambda error: troubles.append(str(error)))
    made.on("console", lambda line: troubles.append(line.text) if line.type in ("error", "warning") else None)
    made.on("request", lambda request: None if "//127.0.0.1:" in request.url else troubles.append(request.url))
    made.on("dialog", lambda dialog: dialog.accept())
    yield made
    made.close()
    assert not [text for text in troubles if not any(known in text for known in ("ERR_", "400", "404", "409"))]


def expect(what: Any) -> Any:
    from playwright.sync_api import expect as expected

    return expected(what)


def figure(page: Any, name: str) -> Any:
    return page.locator(f".figures [data-see={name}]")


def shown(page: Any) -> int:
    """How many sets are done, by the page."""
    expect(figure(page, "done")).not_to_have_text("–")
    return int(str(figure(page, "done").text_content()).replace(",", ""))


def test_the_overview_moves_with_the_sweep(sweep: LargeSweep, page: Any) -> None:
    page.goto(sweep.url())
    expect(page.get_by_role("heading", level=1)).to_have_text("sweep")
    expect(figure(page, "done")).to_have_text("57", timeout=2 * SOON)
    expect(figure(page, "failed")).to_have_text("3", timeout=SOON)
    expect(page.locator(".lead")).to_contain_text("57 of 100,000 sets done")
    expect(page.locator(".state")).to_have_text("▶ running")
    expect(page.locator("[data-see=hosts]")).to_have_text("8 up", timeout=SOON)
    expect(page.locator("[data-see-failures]")).to_contain_text("exit code 3: no <b>licence</b> for set 47")
    sweep.open_gate(80)
    expect(figure(page, "done")).to_have_text("76", timeout=SOON)
    expect(figure(page, "failed")).to_have_text("4", timeout=SOON)
    expect(page.locator(".history rect").first).to_be_attached(timeout=SOON)
    expect(page.locator("[data-see=left]")).to_contain_text(" to ")
    assert page.locator("b", has_text="licence").count() == 0, "what a program writes is text, not markup"


def test_the_hosts_show_what_runs_in_each_slot_and_who_did_what_when(sweep: LargeSweep, page: Any) -> None:
    page.goto(sweep.url("hosts"))
    rows = page.locator("[data-see-hosts] tr")
    expect(rows).to_have_count(8)
    expect(page.locator("[data-see-hosts] .s-up")).to_have_count(8)
    expect(page.locator(".slots a")).to_have_count(16, timeout=SOON)
    first = min(int(number) for number in page.locator(".slots a").all_text_contents())
    assert first == 81, "all before it have ended"
    sweep.open_gate(100)
    expect(page.locator(".slots a", has_text=re.compile("^81$"))).to_have_count(0, timeout=SOON)
    expect(page.locator(".timeline .t-issued").first).to_be_attached(timeout=SOON)
    assert page.locator(".timeline .t-failed").count() >= 3
    page.get_by_role("link", name="h03").click()
    expect(page.get_by_role("heading", name="Timeline of h03")).to_be_visible()
    titles = page.locator(".timeline title").all_text_contents()
    assert titles and all(" on h03: " in title for title in titles)


def test_tasks_are_filtered_sorted_and_paged_on_the_master(sweep: LargeSweep, page: Any) -> None:
    page.goto(sweep.url())
    expect(figure(page, "failed")).to_have_text("5", timeout=SOON)  # the table of the sets does not move
    page.goto(sweep.url("tasks"))
    body = page.locator("main tbody tr")
    expect(page.locator(".pages")).to_contain_text(f"1 to 50 of {SETS:,}")
    page.get_by_role("link", name="Next 50").click()
    expect(body.first).to_contain_text("51")
    page.get_by_label("State").select_option("failed")
    page.get_by_role("button", name="Show").click()
    expect(body).to_have_count(5)
    expect(body.first).to_contain_text("exit code 3")
    page.get_by_role("link", name="all", exact=True).click()
    where = page.get_by_label("Only where")
    where.fill("x > 99990 and x != 99995")
    where.press("Enter")
    expect(body).to_have_count(9)
    expect(body.last).to_contain_text("100000")
    page.goto(sweep.url("tasks", state="done"))
    page.get_by_role("link", name="seconds").click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("seconds")
    page.get_by_role("link", name="seconds").click()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("seconds")
    host = str(body.first.locator("td").nth(3).text_content())
    page.get_by_label("Host").select_option(host)
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(f"host={host}"))
    assert {row.locator("td").nth(3).text_content() for row in body.all()} == {host}
    where.fill("colour = red")
    where.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("there is no column colour. There are: number")


def test_a_task_tells_all_about_itself_and_its_file_can_be_kept(sweep: LargeSweep, page: Any) -> None:
    page.goto(sweep.url("task/7"))
    expect(page.locator(".lead")).to_have_text("✕ failed")
    expect(page.get_by_label("Command line")).to_have_text("./work 7 plain")
    expect(page.locator(".attempt pre")).to_have_text("no <b>licence</b> for set 7\n")
    expect(page.locator(".attempt")).to_contain_text("Exit code3")
    page.goto(sweep.url("task/8"))
    with page.expect_download() as kept:
        page.locator("a[download]").click()
    assert Path(kept.value.path()).read_text() == f"energy = {energy(8)}\n"
    page.goto(sweep.url("task/99999999"))
    expect(page.locator("main")).to_contain_text("there is no task 99999999")


def drawn_anew(page: Any, first: Callable[[], None]) -> list[str]:
    """What the master draws of a task's page says from now on which look it is; `first`: before the first of them."""
    drawn: list[str] = []

    def answer(route: Any) -> None:
        if not drawn:
            first()
        answer = route.fetch()
        drawn.append(answer.text())
        route.fulfill(response=answer, body=answer.text().replace("Parameters", f"Parameters, look {len(drawn)}"))

    page.route("**/task/*part=1*", answer)
    return drawn


def test_what_is_drawn_anew_while_the_mouse_is_pressed_loses_no_click(sweep: LargeSweep, page: Any) -> None:
    def press() -> None:
        page.locator("a[download]").hover()
        page.mouse.down()

    drawn = drawn_anew(page, press)
    page.goto(sweep.url("task/8"))
    wait_until(lambda: page.wait_for_timeout(20) or len(drawn) > 2, "it asks again for what it did not show")
    with page.expect_download() as kept:
        page.mouse.up()
    assert kept.value.suggested_filename.startswith("8-")
    expect(page.locator("main h2").first).to_contain_text("Parameters, look", timeout=SOON)


def test_what_somebody_copies_from_stays_until_he_lets_it_go_and_follows_then(sweep: LargeSweep, page: Any) -> None:
    heading = page.locator("main h2").first
    drawn = drawn_anew(
        page, lambda: page.evaluate("getSelection().selectAllChildren(document.querySelector('main h2'))")
    )
    page.goto(sweep.url("task/8"))
    wait_until(lambda: page.wait_for_timeout(20) or len(drawn) > 2, "it asks again for what it did not show")
    expect(heading).to_have_text("Parameters")
    page.evaluate("getSelection().removeAllRanges()")
    expect(heading).to_contain_text("Parameters, look", timeout=SOON)


@pytest.mark.parametrize("leave", ["pressing the right button", "going to another window"])
def test_a_press_that_never_ends_holds_up_nothing(sweep: LargeSweep, page: Any, leave: str) -> None:
    def press() -> None:
        page.locator("main h1").hover()
        page.mouse.down(button="right" if "right" in leave else "left")
        if "window" in leave:
            page.evaluate("dispatchEvent(new Event('blur'))")

    drawn_anew(page, press)
    page.goto(sweep.url("task/8"))
    expect(page.locator("main h2").first).to_contain_text("Parameters, look", timeout=SOON)


def test_a_task_that_runs_shows_its_end_without_a_reload(sweep: LargeSweep, page: Any) -> None:
    page.goto(sweep.url("tasks", state="running"))
    number = int(str(page.locator("main tbody th a").first.text_content()))
    page.goto(sweep.url(f"task/{number}"))
    expect(page.locator(".lead")).to_have_text("▶ running")
    sweep.open_gate(number + 20)
    expect(page.locator(".lead")).to_have_text(re.compile("done|failed"), timeout=SOON)


def test_results_are_sorted_filtered_and_drawn(sweep: LargeSweep, page: Any) -> None:
    page.goto(sweep.url("results", x="x"))
    expect(page.locator(".plot circle").nth(80)).to_be_attached()
    page.get_by_role("link", name="energy").click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("energy")
    page.get_by_role("link", name="energy").click()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("energy")
    energies = page.locator("main tbody td:nth-child(4)").all_text_contents()
    assert len(energies) == 50
    assert energies == sorted(energies, key=float, reverse=True)
    page.get_by_label("Only where").fill("x <= 3")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("main tbody tr")).to_have_count(3)
    expect(page.locator(".plot circle")).to_have_count(3)


def test_what_comes_next_stands_in_its_order(sweep: LargeSweep, page: Any) -> None:
    page.goto(sweep.url("next"))
    numbers = [int(text) for text in page.locator("main tbody th").all_text_contents()]
    assert len(numbers) == 100 and numbers == sorted(numbers)
    assert f"of {SETS // 1000 - 1}," in str(page.locator("[data-part] p").first.text_content())


def test_who_may_only_read_finds_no_control(sweep: LargeSweep, page: Any) -> None:
    for path in ("", "hosts", "task/7"):
        page.goto(sweep.url(path))
        expect(page.locator(".state")).to_have_text("▶ running")
        assert page.locator("[data-act], [data-add]").count() == 0
        assert sweep.acting not in page.content()
    assert page.request.post(sweep.url("act"), data={"do": "pause"}).status == 403


def act(sweep: LargeSweep, verb: str) -> None:
    """What `spe pause` and `spe resume` do."""
    with urlopen(sweep.url("act", acting=True), json.dumps({"do": verb}).encode(), timeout=30) as answer:
        assert answer.status == 200


def test_every_control_does_what_it_says(sweep: LargeSweep, page: Any) -> None:
    page.goto(sweep.url(acting=True))
    said, state = page.locator("#said"), page.locator(".state")
    page.get_by_role("button", name="Pause").click()
    expect(said).to_contain_text("the sweep is paused")
    expect(state).to_contain_text("paused")
    expect(page.get_by_role("button", name="Pause")).to_be_disabled()
    page.get_by_role("button", name="Resume").click()
    expect(state).to_have_text("▶ running")
    page.get_by_role("button", name="Retry failed").click()
    expect(said).to_contain_text("again")
    page.goto(sweep.url("hosts", acting=True))
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="h02"))
    row.get_by_role("button", name="Bench").click()
    expect(row).to_contain_text("benched")
    row.get_by_role("button", name="Use").click()
    expect(row).to_contain_text("✓ up")
    page.get_by_role("button", name="Drain h08").click()
    expect(page.get_by_role("row").filter(has_text="h08")).to_contain_text(re.compile("drained|gone"))
    page.get_by_label("Another host").fill("h01")
    page.get_by_role("button", name="Add").click()
    expect(said).to_contain_text("Not done: h01: already a host")
    page.goto(sweep.url("task/50000", acting=True))
    expect(page.locator("main .reasons")).to_contain_text("h08 is drained by hand")
    expect(page.locator("main .reasons")).to_contain_text("other sets wait before it")
    for verb in ("pause", "resume"):
        act(sweep, verb)
        paused = expect(page.locator("main .reasons"))
        (paused.to_contain_text if verb == "pause" else paused.not_to_contain_text)("is paused", timeout=SOON)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("main .lead")).to_contain_text("cancelled", timeout=SOON)
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("main .lead")).to_contain_text("waiting", timeout=SOON)
    page.goto(sweep.url("log"))
    for event in ("paused", "the sweep goes on", "h02 gets nothing new"):
        expect(page.locator("[data-see-notes]")).to_contain_text(event)


def test_a_note_is_enough_for_what_the_master_draws_to_follow(sweep: LargeSweep, page: Any) -> None:
    """What changes and changes back between two looks of the stream is in no change of the document."""
    page.add_init_script(
        "const add = EventSource.prototype.addEventListener;"
        "EventSource.prototype.addEventListener = function (kind, does) {"
        "  if (kind !== 'change') add.call(this, kind, does);"
        "};"
    )
    page.goto(sweep.url("task/50000"))
    reasons = page.locator("main .reasons")
    for verb in ("pause", "resume"):
        act(sweep, verb)
        (expect(reasons).to_contain_text if verb == "pause" else expect(reasons).not_to_contain_text)(
            "is paused", timeout=SOON
        )


def test_why_a_set_waits_is_told_from_memory_and_not_from_what_was_last_written(sweep: LargeSweep, page: Any) -> None:
    blockers = sweep.folder / "runs" / "sweep" / "session" / "blockers.json"
    act(sweep, "pause")
    wait_until(lambda: "is paused" in blockers.read_text(encoding="utf-8"), "`spe why` says it, too")
    blockers.unlink()
    page.goto(sweep.url("task/50000"))
    expect(page.locator("main .reasons")).to_contain_text("is paused")
    act(sweep, "resume")
    wait_until(blockers.exists, "it is written again")


def test_a_lost_connection_is_told_and_caught_up_with(sweep: LargeSweep, page: Any) -> None:
    wire = Wire(sweep.facts["page"])
    page.goto(wire.url)
    expect(figure(page, "waiting")).not_to_have_text("–")
    before = figure(page, "done").text_content()
    wire.cut()
    expect(page.locator("#lost")).to_contain_text("The master does not answer", timeout=SOON)
    sweep.open_gate(700)
    expect(figure(page, "done")).to_have_text(str(before))
    wire.mend()
    expect(page.locator("#lost")).to_be_hidden(timeout=SOON)
    wait_until(lambda: shown(page) > int(str(before)), "it catches up")
    caught_up = shown(page)
    page.reload()
    expect(figure(page, "done")).not_to_have_text("–")
    assert shown(page) >= caught_up
    wire.close()


def test_all_can_be_done_with_the_keyboard(sweep: LargeSweep, page: Any) -> None:
    page.goto(sweep.url())
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.goto(sweep.url())
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_role("navigation").get_by_role("link", name="Hosts")).to_be_focused()
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "one sees where one is"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hosts")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_page_is_readable_by_all_on_a_phone_and_on_a_wall(
    sweep: LargeSweep, browser: Any, axe: str, scheme: str
) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(sweep.url("tasks", state="running"))
    running = f"task/{page.locator('main tbody th a').first.text_content()}"
    for place, path in enumerate([*PATHS, running]):
        page.goto(sweep.url(path, acting=path in ("", "hosts") or path.startswith("task")))
        expect(page.locator(".state")).to_have_text("▶ running")
        ground = page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor")
        assert (min(map(int, re.findall(r"\d+", ground))) > 128) is (scheme == "light")
        for width in sorted((360, 1920), reverse=(place % 2 == 0) is (scheme == "light")):  # axe looks at the last one
            page.set_viewport_size({"width": width, "height": 900})
            wide = page.evaluate("() => document.documentElement.scrollWidth")
            assert wide <= width, f"{path or 'overview'} is wider than {width}"
        page.evaluate(f"{axe}; 0")
        found = page.evaluate("async () => (await axe.run()).violations.map((v) => [v.id, v.nodes.map((n) => n.html)])")
        assert found == [], f"{path or 'overview'} at {width}, {scheme}"
    page.close()


def test_no_page_lets_foreign_code_run(sweep: LargeSweep, page: Any) -> None:
    for path in [*PATHS, "page.js"]:
        answer = page.request.get(sweep.url(path))
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy, path
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert not re.search(r"<script(?! src)|\son\w+=|style=", answer.text()) or path == "page.js", path


def test_stop_ends_the_sweep_and_the_page_says_so(sweep: LargeSweep, page: Any, browser: Any) -> None:
    if PICTURES:
        take_pictures(sweep, browser, Path(PICTURES))
    page.goto(sweep.url(acting=True))
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator("#said")).to_contain_text("nothing new is begun")
    if not PICTURES:  # after them the gate is open, and what runs ends before anybody has looked
        expect(page.locator(".state")).to_contain_text("draining")
    sweep.open_gate(SETS)
    expect(page.locator("#lost")).to_contain_text("The run has ended", timeout=SOON)
    sweep.process.wait(60)


def take_pictures(sweep: LargeSweep, browser: Any, folder: Path) -> None:
    """For README and docs."""
    folder.mkdir(parents=True, exist_ok=True)
    sweep.open_gate(SETS)
    page = browser.new_page()
    page.goto(sweep.url())
    wait_until(lambda: shown(page) > 3000, "there is something to see")
    page.close()
    for name, path, scheme, width, height in [
        ("overview", "", "light", 1000, 620), ("hosts", "hosts", "dark", 1000, 720),
        ("tasks", "tasks", "light", 1000, 560), ("results", "results", "light", 1000, 640),
        ("task", "task/7", "dark", 1000, 560), ("phone", "", "dark", 360, 640),
    ]:  # fmt: skip
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.goto(sweep.url(path, **({"x": "x"} if path == "results" else {})))
        expect(page.locator(".state")).to_have_text("▶ running")
        page.wait_for_function(  # drawn once more, at the width of the window
            "() => [...document.querySelectorAll('.plot svg, .timeline')]"
            ".every((one) => Math.abs(one.viewBox.baseVal.width - one.clientWidth) < 2)"
        )
        page.screenshot(path=folder / f"page-{name}.png")
        page.close()
