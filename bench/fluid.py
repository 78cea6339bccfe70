"""How fluid the page is with many hosts: the frames that a real browser draws while 200 hosts of four slots work.

    python bench/fluid.py [CLIENTS] [TASKS] [SECONDS A TASK]

The hosts are pretended by the simulator of clients.py in this process, the page is looked at by a headless Chromium
(`pip install playwright`, and a chromium on the PATH). A page that keeps up draws a frame every 17 ms.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import threading
from typing import Any
from urllib.parse import urlsplit

from clients import Crowd, registered
from master_kit import Server, many_files, master
from measure import scratch
from playwright.sync_api import sync_playwright

SLOTS, LOOK = 4, 8.0  # seconds for each page
PAGES = ("", "hosts", "tasks")
FRAMES = """seconds => new Promise(done => {
    const gaps = [], end = performance.now() + 1000 * seconds;
    let last = performance.now();
    const next = now => {
        gaps.push(now - last);
        last = now;
        if (now < end) requestAnimationFrame(next); else done(gaps);
    };
    requestAnimationFrame(next);
})"""


def main(count: int = 200, tasks: int = 10_000, seconds: float = 3.0) -> None:
    many_files()
    with scratch() as folder, master(folder, f"command: /bin/true\nparameters: {{repeat: {tasks}}}\n") as server:
        working = threading.Thread(target=lambda: asyncio.run(work(server, count, seconds)), daemon=True)
        working.start()
        page = str(json.loads((server.runs / "master.json").read_text())["page"])
        print(f"{count} hosts of {SLOTS} slots, {tasks} tasks of {seconds:g} s")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            for name in PAGES:
                look(browser, page, name)
            browser.close()
        Crowd.ending = True


async def work(server: Server, count: int, seconds: float) -> None:
    """All hosts take tasks and bring their results, until the end of this process."""
    for client in await registered(Crowd(server, SLOTS, seconds), count, True):
        client.ask()
    while not Crowd.ending:
        await asyncio.sleep(0.2)


def look(browser: Any, page: str, name: str) -> None:
    """One page for a while: how evenly it draws."""
    opened = browser.new_page()
    address = urlsplit(page)
    opened.goto(address._replace(path=f"/{name}").geturl())
    opened.wait_for_load_state("load")
    opened.evaluate(FRAMES, 1.0)  # the first picture is another matter
    gaps = sorted(opened.evaluate(FRAMES, LOOK))
    half, most = gaps[len(gaps) // 2], gaps[int(0.95 * len(gaps))]
    print(
        f"{name or 'overview':9} {len(gaps) / LOOK:.0f} frames a second; half of them within {half:.0f} ms, "
        f"95 % within {most:.0f} ms, the longest took {gaps[-1]:.0f} ms",
        flush=True,
    )
    opened.close()


if __name__ == "__main__":
    main(*(kind(given) for kind, given in zip((int, int, float), sys.argv[1:], strict=False)))
