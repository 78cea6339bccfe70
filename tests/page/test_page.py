"""The page as a person sees it, in a real browser; and what it says to who has no token."""

from __future__ import annotations

import http.client
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from .kit import Held

pytestmark = pytest.mark.browser


def status(url: str, path: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_page_shows_the_sweep_and_changes_while_it_runs(held: Held, browser: Any) -> None:
    from playwright.sync_api import expect

    problems: list[str] = []
    page = browser.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    page.goto(held.facts["page"])
    expect(page.get_by_role("heading", level=1)).to_have_text("held")
    expect(page.locator(".figures [data-see=running]")).to_have_text("3", timeout=60_000)
    expect(page.locator(".lead")).to_contain_text("0 of 3 sets done")
    held.let(1)
    expect(page.locator(".lead")).to_contain_text("1 of 3 sets done", timeout=60_000)
    held.let(3)
    expect(page.locator(".figures [data-see=failed]")).to_have_text("1", timeout=60_000)
    expect(page.locator("[data-see-failures]")).to_contain_text("exit code 4: no <b>licence</b>")
    assert page.locator("b", has_text="licence").count() == 0, "what a program writes is text, not markup"
    assert not problems
    page.close()


def test_while_it_is_paused_no_end_is_expected_and_before_the_first_set_ended_that_is_said(
    held: Held, browser: Any
) -> None:
    from playwright.sync_api import expect

    page = browser.new_page()
    page.goto(held.acting_page)
    expect(page.locator("main [data-part]").first).to_contain_text("No set has ended since this master began, ")
    assert page.locator(".history").count() == 0
    expect(page.locator("[data-see=left]")).to_have_text("not known yet")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-see=left]")).to_have_text("not while it is paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("[data-see=left]")).to_have_text("not known yet")
    held.let(1)
    expect(page.locator(".history rect").first).to_be_attached()
    page.close()


def test_what_a_running_set_prints_is_followed_live(held: Held, browser: Any, axe: str) -> None:
    from playwright.sync_api import expect

    page, where = browser.new_page(), urlsplit(held.facts["page"])
    page.goto(f"{where.scheme}://{where.netloc}/task/2?{where.query}")
    page.get_by_role("button", name="Follow its errors").click(timeout=60_000)
    expect(page.locator("#live")).to_have_text("set 2 has begun\n", timeout=60_000)
    page.evaluate(f"{axe}; 0")
    assert page.evaluate("async () => (await axe.run()).violations.map((v) => v.id)") == []
    page.close()


def test_stop_now_ends_what_runs(held: Held, browser: Any) -> None:
    from playwright.sync_api import expect

    page = browser.new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(held.acting_page)
    page.get_by_role("button", name="Stop", exact=True).click(timeout=60_000)
    expect(page.locator(".state")).to_contain_text("draining", timeout=60_000)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Stop now").click()
    expect(page.locator("#said")).to_contain_text("what runs is ended (3 sets)")
    expect(page.locator("#lost")).to_contain_text("The run has ended", timeout=60_000)
    assert held.process.wait(60) == 130
    page.close()


def test_the_page_says_when_the_master_is_gone_and_keeps_what_it_last_showed(held: Held, browser: Any) -> None:
    from playwright.sync_api import expect

    page = browser.new_page()
    page.goto(held.facts["page"])
    expect(page.locator(".figures [data-see=running]")).to_have_text("3", timeout=60_000)
    held.process.kill()
    expect(page.get_by_role("status")).to_contain_text("The master does not answer", timeout=60_000)
    expect(page.locator(".lead")).to_contain_text("0 of 3 sets done")
    page.close()


def test_a_page_that_was_open_while_the_master_was_killed_goes_on_with_the_new_one(held: Held, browser: Any) -> None:
    from playwright.sync_api import expect

    page, before = browser.new_page(), held.facts
    page.goto(held.acting_page)
    pause = page.get_by_role("button", name="Pause")
    expect(page.locator(".figures [data-see=running]")).to_have_text("3", timeout=60_000)
    expect(pause).to_be_enabled()
    idle = http.client.HTTPConnection(urlsplit(before["page"]).netloc, timeout=20)
    idle.request("GET", f"/?{urlsplit(before['page']).query}")
    idle.getresponse().read()  # a connection that is kept open, as browsers do
    held.process.kill()
    expect(page.locator("#lost")).to_contain_text("The master does not answer", timeout=60_000)
    expect(pause).to_be_disabled()
    held.kill_and_continue()
    assert held.facts["page"] == before["page"]
    expect(page.locator("#lost")).to_be_hidden(timeout=60_000)
    expect(pause).to_be_enabled()
    held.let(1)
    expect(page.locator(".lead")).to_contain_text("1 of 3 sets done", timeout=60_000)
    idle.close()
    page.close()


def test_where_another_program_has_taken_the_port_of_the_page_the_run_goes_on_with_another(held: Held) -> None:
    before = urlsplit(held.facts["page"])
    held.process.kill()
    held.process.wait(60)
    with socket.create_server((str(before.hostname), int(before.port or 0))):
        held.kill_and_continue()
        assert urlsplit(held.facts["page"]).port != before.port
        assert status(held.facts["page"], f"/?{before.query}") == 200


def test_without_its_token_the_page_says_nothing(held: Held) -> None:
    url, session = held.facts["page"], held.facts["session"]
    assert urlsplit(url).hostname == "127.0.0.1"
    paths = ("/", "/stream", "/hosts", "/page.css", "/nothing", "/?token=", "/?token=wrong", "/stream?token=wrong")
    for path in (*paths, f"/?token={session}"):
        assert status(url, path) == 403, path
    assert status(url, f"/?{urlsplit(url).query}") == 200
