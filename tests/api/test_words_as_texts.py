"""A value compared with a text is the text as it was written, also where it looks like a number or is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow
import pytest
import spe
from cli.kit import Bench
from hypothesis import given, settings
from hypothesis import strategies as st
from spe.page.table_query import Wish
from spe.store.listing import Listing
from spe.store.reader import Reader
from spe.sweep.where.condition import Condition
from spe.table.arrow_pages import pages, text_table
from spe.table.selection import meets

WORDS = [
    "nan", "NaN", "-nan", "--nan", "inf", "-inf", "+inf", "Infinity", "\u0131nf", "1e400", "007", "7", "7.0", "+7",
    "1_0", "10", "True", "", "-0", "0", "a",
]  # fmt: skip
#: Conditions with a text WORD in them, and what they mean.
RULES: dict[str, Callable[[str, str], bool]] = {
    "v == 'WORD'": lambda cell, word: cell == word,
    "'WORD' == v": lambda cell, word: cell == word,
    "v != 'WORD'": lambda cell, word: cell != word,
    "not v == 'WORD'": lambda cell, word: cell != word,
    "v in ['WORD', '?']": lambda cell, word: cell == word,
    "v not in ['WORD', '?']": lambda cell, word: cell != word,
    "'WORD' in v": lambda cell, word: word in cell,
    "v | string == 'WORD'": lambda cell, word: cell == word,
    "v ~ '' == 'WORD'": lambda cell, word: cell == word,
}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(RULES)), st.sampled_from(WORDS), st.lists(st.sampled_from(WORDS), min_size=1))
def test_a_value_compared_with_a_text_is_the_text_as_written(rule: str, word: str, cells: list[str]) -> None:
    condition = Condition(rule.replace("WORD", word))
    expected = [RULES[rule](cell, word) for cell in cells]
    assert [condition.holds({"v": cell}) for cell in cells] == expected, "where: of spe.yaml"
    assert [meets(condition, {"v": cell}) for cell in cells] == expected, "of a table, set by set"
    table = text_table(pyarrow.array(range(len(cells)), pyarrow.int64()), {"v": pyarrow.array(cells)})
    for page in pages(table, 100):
        places = condition.places({"v": page.values("v", condition.sight("v"), "v" in condition.compared)})
        assert places is None or list(places) == [place for place, one in enumerate(expected) if one]


def test_what_is_not_finite_still_compares_as_a_number() -> None:
    assert meets(Condition("v > 5"), {"v": "inf"}) and not meets(Condition("v > 5"), {"v": "nan"})
    assert meets(Condition("v > 5 or v == 'nan'"), {"v": "nan"})
    assert meets(Condition("v > 5 and v != 'nan'"), {"v": "Infinity"})


@pytest.mark.parametrize("rule", [rule for rule in RULES if "|" not in rule and "~" not in rule])
def test_run_results_and_page_choose_the_same_sets(rule: str, chosen_everywhere: Callable[[str], None]) -> None:
    for word in WORDS:
        chosen_everywhere(rule.replace("WORD", word))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("words"))
    made.write("p.csv", "v\n" + "".join(f'"{word}"\n' for word in WORDS))
    made.ok("run", "-q", "--params", "p.csv", "--", "echo", "{{ v }}")
    yield made
    made.close()


@pytest.fixture
def chosen_everywhere(ran: Bench) -> Callable[[str], None]:
    """Assert of a condition on v that iteration, Arrow and the page choose what Python chooses of texts."""
    folder = ran.runs("echo")
    run = spe.open(folder)

    def check(text: str) -> None:
        expected = [word for word in WORDS if eval(text, {"v": word})]
        for column in ("v", "stdout"):
            where = text.replace("v", column)  # none of the words has this letter
            results = run.results(where, columns=["v"])
            assert [row["v"] for row in results] == expected, where
            assert results.arrow()["v"].to_pylist() == expected, where
            with Reader(folder) as reader:
                listing = Listing(reader)
                wish = Wish.of_results({"where": where}).filter(listing)
                assert [row.values["v"] for row in listing.find(wish).rows] == expected, where

    return check


def test_the_command_line_chooses_them_before_and_after_a_run(ran: Bench) -> None:
    found = ran.ok("results", "-n", "echo", "--columns", "v", "--where", "v in ['nan', '007']").out
    assert found.split() == ["v", "nan", "007"]
    dry = ran.ok("run", "--dry", "--params", "p.csv", "--where", "v in ['nan', '007']", "--", "echo", "{{ v }}").out
    assert "echo nan" in dry and "echo 007" in dry and "echo 7\n" not in dry
