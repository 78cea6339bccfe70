"""What the page is made of, without a browser: conditions, tables of the store, drawings."""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest
from spe.errors import UsageError
from spe.model import TaskState
from spe.page import drawing
from spe.page.formats import clock
from spe.page.table_query import Wish
from spe.store import listing
from spe.store.conditions import ColumnCondition, parse
from spe.store.listing import Listing, TaskFilter
from spe.store.reader import Reader
from spe.store.store import NewSet, Store
from spe.table import asked_for
from spe.table.selection import Selection, Wanted
from spe.text import seconds, volume

NAMES = ["number", "seconds", "a b", "x", "energy"]


def test_conditions_are_read_as_people_write_them() -> None:
    assert parse("x = 5", NAMES) == [ColumnCondition("x", "=", "5")]
    assert parse(' x<=5 AND "a b" ~ "n o", energy!=-1e3 ', NAMES) == [
        ColumnCondition("x", "<=", "5"), ColumnCondition("a b", "~", "n o"), ColumnCondition("energy", "!=", "-1e3"),
    ]  # fmt: skip
    assert parse("x == 1", NAMES) == [ColumnCondition("x", "=", "1")]
    assert parse("  ", NAMES) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("y = 5", "there is no column y There are: number"),
        ("x", "this is no condition: x"),
        ("x = 5 or x = 6", "this is no condition: or x = 6"),
        ("x < five", "five is no number"),
        ("x = 5 and", ""),
    ],
)
def test_what_is_no_condition_is_answered_with_a_sentence(text: str, sentence: str) -> None:
    if not sentence:
        assert parse(text, NAMES) == [ColumnCondition("x", "=", "5")], "one that is still being written"
        return
    with pytest.raises(UsageError) as refused:
        parse(text, NAMES)
    assert sentence in " ".join(str(refused.value).split())


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("x = 5 or x = 6", lambda n: n % 50 in (5, 6)),
        ("x == 5 OR energy > 290", lambda n: n % 50 == 5 or (n + 1) * 1.5 > 290),
        ("x in [5, 6] and not energy > 100", lambda n: n % 50 in (5, 6) and not (n + 1) * 1.5 > 100),
        ("(x = 5 or x = 6) and host = 'h0'", lambda n: n % 50 in (5, 6) and (n + 1) % 2 == 0),
        ("energy > x + 250", lambda n: (n + 1) * 1.5 > n % 50 + 250),
        ("energy / 3 < x", lambda n: (n + 1) * 0.5 < n % 50),
        ("host = 'h1' and x < 5", lambda n: (n + 1) % 2 == 1 and n % 50 < 5),
        ("seconds > 19.5 or number == 3", lambda n: (n + 1) * 7 % 200 / 10 > 19.5 or n == 2),
    ],
)
def test_the_page_chooses_what_where_on_the_command_line_chooses(
    tables: Listing, folder: Path, text: str, meant: Callable[[int], bool]
) -> None:
    wish = Wish.of_results({"where": text})
    met = [row.number for row in tables.find(replace(wish.filter(tables), limit=1000)).rows]
    assert met == [n + 1 for n in range(200) if (n + 1) % 10 and meant(n)] and met
    python = re.sub("(?<![=<>!])=(?!=)", "==", text).replace("OR", "or")
    assert list(Selection(tables.reader, Wanted(python)).numbers()) == met
    of_tasks = Wish({"where": "x = 5 or number = 300"})
    every = [row.number for row in tables.find(of_tasks.filter(tables)).rows]
    assert every == [6, 56, 106, 156, 206, 256, 300], "what has no row yet is in the table of tasks"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("y = 5 or x = 1", "there is no column y There are: number"),
        ("x = 5 or", "Only where: 'x == 5 or' is not an expression"),
        ("'a' * 10 ** 10 == 'b' or x = 1", "Only where: the page takes comparisons"),
        ("x = 5 or x | length > 3", "Only where: the page takes comparisons"),
        ("x = 5 or ''.__class__ == 1", "Only where: the page takes comparisons"),
        ("x ~ 5 or x = 1", "Only where: `~` goes with conditions that are joined by `and` alone"),
        ("x = 5 or energy > 'a'", "Only where, set"),
        ("(" * 5000 + "x = 1", "Only where"),
        ("not " * 900 + "x = 1", "Only where: "),
        ("x = 1 or (" * 150 + "x = 1" + ")" * 150, "Only where: "),
    ],
)
def test_what_the_page_does_not_take_is_answered_with_a_sentence(tables: Listing, text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        Wish({"where": text}).filter(tables)
    assert sentence in " ".join(str(refused.value).split())


def test_a_condition_that_takes_too_long_is_given_up(tables: Listing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked_for, "PATIENCE", -1.0)
    with pytest.raises(UsageError, match="this was not found within"):
        Wish({"where": "x = 5 or x = 6"}).filter(tables)


def test_each_state_of_a_host_that_is_documented_has_a_sign_on_the_page() -> None:
    root = Path(__file__).resolve().parents[2]
    row = re.search(r"^\| `state` \| (`starting`.*)$", (root / "docs/page.md").read_text(encoding="utf-8"), re.M)
    signs = re.search(r"signs = \{(.*?)\}", (root / "master/page/templates/hosts.js").read_text(encoding="utf-8"))
    assert row and signs
    documented = re.findall(r"`(\w+)`", row[1])
    assert sorted(documented) == sorted(re.findall(r"(\w+):", signs[1])) and "suspect" in documented


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of 300 sets: 200 done on two hosts, each tenth of these failed, the others wait."""
    made = tmp_path_factory.mktemp("store")
    store = Store(made / "sweep.db")

    async def fill() -> None:
        await store.begin_plan(["x", 'odd"name'], ["energy"])
        values = [{"x": str(n % 50), 'odd"name': "it's"} for n in range(300)]
        await store.add_sets([NewSet(n.to_bytes(2, "big"), n, one) for n, one in enumerate(values)])

    asyncio.run(fill())
    store.close()
    with sqlite3.connect(made / "sweep.db") as connection:
        connection.execute(
            "INSERT INTO tickets (id, task, client, host, state, issued, seconds) SELECT number, number, '1', "
            "'h' || (number % 2), iif(number % 10, 'accepted', 'failed'), 1000 + number, (number * 7 % 200) / 10.0 "
            "FROM tasks WHERE number <= 200"
        )
        connection.execute(
            "UPDATE tasks SET attempts = 1, state = iif(number % 10, 'done', 'failed'), "
            "ticket = iif(number % 10, number, NULL) WHERE number <= 200"
        )
        connection.execute(
            "INSERT INTO outputs (task, name, value, size) SELECT number, 'energy', number * 1.5, 3 FROM tasks "
            "WHERE state = 'done'"
        )
    connection.close()
    return made


@pytest.fixture
def tables(folder: Path) -> Iterator[Listing]:
    with Reader(folder) as reader:
        yield Listing(reader)


def numbers(tables: Listing, **wanted: object) -> list[int]:
    return [row.number for row in tables.find(TaskFilter(limit=1000, **wanted)).rows]  # type: ignore[arg-type]


def test_a_table_is_filtered_by_state_host_parameter_result_and_duration(tables: Listing) -> None:
    assert numbers(tables, state=TaskState.FAILED) == list(range(10, 201, 10))
    assert len(numbers(tables)) == 300
    assert numbers(tables, conditions=parse("x = 7", tables.names())) == [8, 58, 108, 158, 208, 258]
    assert numbers(tables, conditions=parse("x = 7.0", tables.names())) == [8, 58, 108, 158, 208, 258]
    assert numbers(tables, conditions=parse('x < 1 and "number" > 200', tables.names())) == [201, 251]
    assert numbers(tables, conditions=parse("energy >= 297", tables.names())) == [198, 199]
    by_name = [ColumnCondition('odd"name', "=", "it's"), ColumnCondition("number", "<=", "2")]
    assert numbers(tables, conditions=by_name) == [1, 2]
    assert numbers(tables, conditions=parse("host = h1 and number <= 6", tables.names())) == [1, 3, 5]
    by_hand = [n for n in range(1, 201) if n * 7 % 200 / 10 > 19.7]
    assert numbers(tables, conditions=parse("seconds > 19.7", tables.names())) == by_hand
    assert numbers(tables, among=[3, 250], state=None) == [3, 250]


def test_a_table_is_sorted_by_numbers_and_paged(tables: Listing) -> None:
    done = TaskState.DONE
    longest = sorted((n for n in range(1, 201) if n % 10), key=lambda n: (-(n * 7 % 200), n))
    assert numbers(tables, state=done, sort="seconds", downwards=True) == longest
    assert numbers(tables, state=done, sort="x")[:4] == [1, 51, 101, 151]
    assert numbers(tables, state=done, sort="energy", downwards=True)[:3] == [199, 198, 197]
    first = tables.find(TaskFilter(limit=50))
    assert first.more and [row.number for row in first.rows] == list(range(1, 51))
    last = tables.find(TaskFilter(limit=50, offset=250))
    assert not last.more and [row.number for row in last.rows] == list(range(251, 301))


def test_a_row_says_what_the_attempt_that_counts_was(tables: Listing) -> None:
    (row,) = tables.find(TaskFilter(conditions=[ColumnCondition("number", "=", "9")])).rows
    assert (row.state, row.host, row.seconds, row.values["x"]) == ("done", "h1", 6.3, "8")
    assert row.results == {"energy": "13.5"}


def test_what_was_fetched_ahead_is_listed_with_those_that_wait_and_the_timeline_is_of_the_last_run(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copy(folder / "sweep.db", tmp_path / "sweep.db")
    with sqlite3.connect(tmp_path / "sweep.db") as connection:
        connection.execute("INSERT INTO meta VALUES ('tickets_before', '200')")
        connection.execute(
            "INSERT INTO tickets (id, task, client, host, state, issued) "
            "SELECT number, number, '1', 'h1', 'issued', 2000 FROM tasks WHERE number BETWEEN 201 AND 203"
        )
    connection.close()
    with Reader(tmp_path) as reader:
        tables = Listing(reader)
        running, waiting = TaskState.RUNNING, TaskState.WAITING
        assert numbers(tables, state=running, among=[201], begun=[201]) == [201]
        assert numbers(tables, state=waiting, begun=[201]) == list(range(202, 301))
        assert numbers(tables, state=waiting) == list(range(204, 301)), "who is not told takes all that are out"
        rows = tables.find(TaskFilter(among=[201, 202, 204], begun=[201])).rows
        assert [row.state for row in rows] == ["running", "waiting", "waiting"]
        assert [one.id for one in tables.attempts(2)] == [202, 203]
        assert [one.id for one in tables.attempts(1000)] == [201, 202, 203]
        assert [one.id for one in tables.attempts(1000, "h1")] == [201, 202, 203]
        assert tables.attempts(1000, "h0") == []


def test_a_question_that_takes_too_long_is_given_up_and_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PATIENCE", -1.0)
    monkeypatch.setattr(listing, "STEPS", 10)
    with Reader(folder) as reader, pytest.raises(UsageError, match="not found within"):
        numbers(Listing(reader))


def test_a_wish_that_makes_no_sense_is_a_sentence_and_no_crash(folder: Path) -> None:
    for query in ({"sort": "-nothing"}, {"where": "x ="}, {"from": "-5"}, {"state": "happy"}, {"from": "9" * 30}):
        with Reader(folder) as reader:
            found = Wish(query).look(Listing(reader), 0)
        assert found["fault"] or found["found"].rows


@dataclass
class Lived:
    host: str
    issued: float
    seconds: float | None


def test_the_timeline_has_a_row_for_each_slot_and_nothing_overlaps() -> None:
    ahead = [Lived("h1", 0.0, seconds) for seconds in (5.0, 3.0, 4.0)]
    ahead += [Lived("h1", 1.0, None), Lived("h2", 2.0, 1.0)]
    drawn = drawing.timeline(ahead, {"h1": 2}, 10.0)
    assert [lane.label for lane in drawn.lanes] == ["h1", "", "h2"]
    for y in {bar.y for bar in drawn.bars}:
        row = sorted((bar.x, bar.x + bar.width) for bar in drawn.bars if bar.y == y)
        assert all(end <= begin + 1e-9 for (_, end), (begin, _) in pairwise(row))
    third = drawn.bars[[bar.of for bar in drawn.bars].index(ahead[2])]
    assert (third.x, third.width) == (300.0, 400.0), "it waited at its host until a slot was free"


def test_the_timeline_has_its_hosts_in_the_order_of_the_table_and_is_cut_where_nothing_ran() -> None:
    attempts = [Lived("h3", 100.0, 50.0), Lived("h1", 160.0, 40.0), Lived("h9", 90_000.0, 100.0)]
    drawn = drawing.timeline(attempts, {}, 1e6, order=["h1", "h2", "h3"])
    assert [lane.label for lane in drawn.lanes] == ["h1", "h3", "h9"]
    ((at, idle),) = drawn.cuts
    assert idle == 90_000 - 200, "the ten seconds between the first two are shown"
    by_host = {bar.of.host: bar for bar in drawn.bars}  # type: ignore[attr-defined]
    assert by_host["h1"].x + by_host["h1"].width < at < by_host["h9"].x
    assert abs(by_host["h9"].width - 2 * by_host["h3"].width) < 0.01, "all pieces have one scale"
    assert max(bar.x + bar.width for bar in drawn.bars) <= drawing.WIDTH + 1e-6
    assert (drawn.first, drawn.last) == (100.0, 90_100.0)
    assert [moment for _, moment in drawn.moments] == [120, 180, 90_060]


@pytest.mark.parametrize(
    ("seconds", "room", "step"),
    [(0.4, 0, None), (9, 0, 1), (70, 0, 10), (70, 330, 30), (900, 0, 120), (7200, 0, 600), (86_000, 0, 21_600)],
)
def test_marks_of_time_are_round_and_do_not_touch_whatever_the_width(seconds: float, room: int, step: int) -> None:
    now = 1_750_000_019.2
    drawn = drawing.timeline([Lived("h", now, seconds)], {"h": 1}, now + seconds, room=room)
    moments = [moment for _, moment in drawn.moments]
    zone = time.localtime(now).tm_gmtoff
    if step is None:
        assert moments == [now], "a short one has its beginning"
    else:
        assert {(moment + zone) % step for moment in moments} == {0} and len(moments) > 1
        assert {b - a for a, b in pairwise(moments)} <= {float(step)}
    assert all(b - a >= drawing.NEAREST for (a, _), (b, _) in pairwise(drawn.moments))
    assert all(0 <= at <= drawn.width for at, _ in drawn.moments)
    if room:
        assert drawn.beside + drawn.width + drawing.RIGHT == room


def test_gaps_that_are_cut_leave_half_of_the_drawing_to_what_ran() -> None:
    attempts = [Lived("h", 1000.0 * n, 10.0) for n in range(100)]
    drawn = drawing.timeline(attempts, {"h": 1}, 1e6)
    assert len(drawn.cuts) == 99 and {idle for _, idle in drawn.cuts} == {990.0}
    assert sum(bar.width for bar in drawn.bars) >= drawing.WIDTH / 2
    assert all(0 < at < drawing.WIDTH for at, _ in drawn.cuts)
    short = drawing.timeline([Lived("h", 0.0, 1.0), Lived("h", 4.0, 1.0)], {"h": 1}, 5.0)
    assert short.cuts == [], "a gap below five seconds is shown"

def test_the_timeline_of_a_window_has_what_ran_in_it() -> None:
    attempts = [Lived("h", 10.0 * n, 9.0) for n in range(100)]
    window = drawing.Window(200.0, 300.0)
    drawn = drawing.timeline(attempts, {"h": 1}, 1e6, window=window)
    assert [bar.of.issued for bar in drawn.bars] == [10.0 * n for n in range(20, 31)]  # type: ignore[attr-defined]
    assert window.zoomed(0.5).words == {"begin": "225.000", "end": "275.000"}
    assert window.moved(-0.5) == drawing.Window(150.0, 250.0)
    empty = drawing.timeline([], {}, 50.0, window=window)
    assert empty.bars == [] and empty.lanes == []


def test_attempts_of_a_window_and_the_ends_of_a_run_are_counted(tables: Listing) -> None:
    found = tables.attempts(1000, begin=1050.0, end=1060.0)
    assert found and all(one.issued <= 1060 and one.issued + (one.seconds or 0) >= 1050 for one in found)
    assert len(found) == sum(1000 + n <= 1060 and 1000 + n + n * 7 % 200 / 10 >= 1050 for n in range(1, 201))
    first, last, bars = tables.ends(10)
    ends = [1000 + n + n * 7 % 200 / 10 for n in range(1, 201)]
    assert (first, last) == (min(ends), max(ends)) and len(bars) == 10 and sum(bars) == 200


def test_a_selection_of_very_many_sets_is_even_whatever_the_period_of_the_grid_is(tables: Listing) -> None:
    wanted = TaskFilter(with_row=True)
    assert len(tables.sample(["x"], wanted, 1000).rows) == 180
    some = tables.sample(["x", "energy"], wanted, 60)
    assert some.share == 60 / 180 and 45 <= len(some.rows) <= 80
    assert len({number % 10 for number, *_ in some.rows}) == 9, "each value of what has a period of ten"
    thin = some.thinned(20)
    assert 10 <= len(thin.rows) <= 35 and thin.share is not None and thin.share < some.share


def test_numbers_look_as_people_say_them() -> None:
    assert [seconds(s) for s in (None, 0.25, 12, 185, 7800)] == ["", "0.25 s", "12 s", "3 min 5 s", "2 h 10 min"]
    assert [volume(b) for b in (12, 1500, 2.5e9)] == ["12 bytes", "1.5 kB", "2.5 GB"]
    assert clock(None) == "" and clock(86400.0 * 365).startswith("1971-01-01")
