"""docs/protocol.md names every route, key, status and parameter that there is."""

from __future__ import annotations

import re
from pathlib import Path

import spe.wire.body
import spe.wire.files
import spe.wire.guard
import spe.wire.intake
import spe.wire.query
import spe.wire.records
import spe.wire.routes
from doors import clients_routes

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
SENTENCES = " ".join(PAGE.split())  # a sentence may go over two lines
REQUESTS = PAGE.split("## All requests")[1].split("\n## ")[0]


def source(module: object) -> str:
    return Path(str(module.__file__)).read_text(encoding="utf-8")  # type: ignore[attr-defined]


READERS = "".join(map(source, (spe.wire.routes, spe.wire.guard, spe.wire.query, spe.wire.files)))


def routes() -> dict[str, set[str]]:
    """From the door itself: path and methods."""
    return {path: set(methods) for path, methods in clients_routes().items()}


def test_every_route_is_in_the_table_with_its_methods() -> None:
    found = routes()
    assert {"/config", "/ping", "/worker", "/task", "/complete", "/failed", "/results", "/bye", "/file"} <= set(found)
    for path, methods in found.items():
        (row,) = [row for row in REQUESTS.splitlines() if re.search(rf" ?{path}\?", row)]
        assert all(f"`{method}" in row for method in methods - {"HEAD"}), (path, methods, row)


def test_the_table_has_no_route_that_is_not_there() -> None:
    assert set(re.findall(r"(/\w+)\?", REQUESTS)) == set(routes())


def test_every_key_of_the_configuration_is_documented() -> None:
    code = source(spe.wire.records)
    body = code[code.index("def config(") : code.index("def digest(")]
    keys = set(re.findall(r'"(\w+)=', body))
    assert {"DeleteWorker", "Ping", "Setup", "MD5"} <= keys
    section = PAGE.split("## `GET /config`")[1].split("\n## ")[0]
    assert keys == set(re.findall(r"^\| `(\w+)` \|", section, re.M))


def test_every_line_of_a_record_is_documented() -> None:
    code = source(spe.wire.records)
    keys = set(re.findall(r"(?:\"|\\n|head\})(\w+)=\{", code[code.index("def _input(") :]))
    assert {"Ticket", "Timeout", "CommandLine", "Task", "Env", "File", "Length", "SHA256", "Name"} <= keys
    section = PAGE.split("## `GET /task`")[1].split("\n## ")[0]
    for key in keys:
        assert re.search(rf"^    {key}=", section, re.M), key


def test_every_parameter_that_the_master_reads_is_documented() -> None:
    found = set(re.findall(r"query\.get(?:all)?\(\"(\w+)\"", READERS))
    found |= set(re.findall(r"query\.(?:short_text|number|measurement|remark)\(request, \"(\w+)\"", READERS))
    assert {"sessionID", "client", "extra", "pings", "wait"} <= found
    for name in found:
        assert re.search(rf"[?&]{name}=", REQUESTS), name


def test_every_status_that_the_master_gives_is_documented() -> None:
    text = READERS + source(spe.wire.body)
    found = set(re.findall(r"(?:_text\(|short_answer\(|BodyRefused\(|status = )(\d{3})", text))
    assert {"200", "204", "205", "400", "403", "404", "405", "413", "415", "503"} - {"200"} <= found
    for status in found:
        assert f"**{status}**" in PAGE, status


def test_every_side_part_is_documented() -> None:
    for name in spe.wire.intake.SIDE_PARTS:
        assert re.search(rf"^\| .*`{name}`.* \|", PAGE, re.M), name


def test_the_numbers_of_the_page_are_those_of_the_master() -> None:
    from spe.desk import desk
    from spe.dispatch import scheduler
    from spe.runner import goodbye

    assert f"(1 to {spe.wire.routes.MAX_COUNT}, default 1)" in SENTENCES
    assert f"({spe.wire.query.MAX_TICKETS} at most)" in SENTENCES
    assert f"({spe.wire.query.MAX_WAIT:.0f} at most)" in SENTENCES
    assert f"up to {desk.HOLD:.0f} s while" in SENTENCES
    assert f"({spe.wire.records.BY_DIGEST} bytes)" in SENTENCES
    assert f"at least {goodbye.TOLD_LEAST:.0f} and at most {goodbye.TOLD_MOST:.0f} seconds" in SENTENCES
    assert f"over {spe.wire.body.MAX_PARTS} parts" in SENTENCES
    assert f"the last {spe.wire.intake.SIDE_LIMIT // 1024} kB" in SENTENCES
    assert f"over {spe.wire.query.MAX_TEXT} characters" in SENTENCES
    assert "`3 × Ping + 5`" in SENTENCES and scheduler.lease(10) == 35
