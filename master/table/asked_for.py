"""The sets that meet a condition of the page.

Comparisons that are joined by `and` are SQL, which is quick with a million sets. All else has the
grammar of `--where`, and its evaluator, which looks at one set after the other.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from ..errors import ConfigError, UsageError
from ..store.conditions import ColumnCondition, parse
from ..store.listing import PATIENCE, Listing
from .selection import meets

_QUOTED = re.compile(r"""("[^"]*"|'[^']*')""")
_EQUAL = re.compile(r"(?<![=!<>])=(?!=)")
_WORDS = re.compile(r"\b(?:AND|OR|NOT|IN)\b")
WHERE = "Only where"  # the field of the page
LONGEST = 300  # characters of a message that quotes a condition
Chosen = tuple[list[ColumnCondition], Sequence[int] | None]


def chosen(listing: Listing, text: str, with_row: bool) -> Chosen:
    """Return the conditions of a text; where it is more than a list of these, the sets that meet it.

    `with_row`: only sets that have a row in the table of results. Raises UsageError.
    """
    try:
        return parse(text, listing.names()), None
    except UsageError as error:
        if not _has_more(text, listing):
            raise error
    return [], _numbers(listing, _as_where(text, listing), with_row)


def _has_more(text: str, listing: Listing) -> bool:
    """Tell whether a text is more than comparisons of columns with values, joined by `and`."""
    plain = _QUOTED.sub("''", text)
    words = re.findall(r"\w+", plain)
    if any(word.lower() in ("or", "not", "in") for word in words) or re.search(
        r"[()\[\]]|[-+/*%|]\s", plain
    ):
        return True
    if "'" in text:
        return True
    # One column compared with another one; a column that is unknown is told by the simpler grammar.
    return len([word for word in words if word in listing.names()]) > 1


def _as_where(text: str, listing: Listing) -> str:
    """Return the text in the grammar of `--where`: the page also takes `=`, and `OR` for `or`."""
    parts = _QUOTED.split(text)
    plain = "".join(parts[::2])
    if "~" in plain:
        what = "`~` goes with conditions that are joined by `and` alone"
        raise UsageError(
            what, where=WHERE, todo="Write 'part' in NAME, as in: 'coarse' in mesh or x > 1."
        )
    names = listing.names()
    for one in parts[1::2]:
        if one.startswith('"') and one[1:-1] in names and not one[1:-1].isidentifier():
            what = f"the column {one} goes with conditions that are joined by `and` alone"
            raise UsageError(what, where=WHERE, todo="Leave `or`, `not` and brackets out.")
    for place in range(0, len(parts), 2):
        parts[place] = _EQUAL.sub("==", parts[place])
        parts[place] = _WORDS.sub(lambda found: found[0].lower(), parts[place])
    return "".join(parts)


def _numbers(listing: Listing, text: str, with_row: bool) -> list[int]:
    """Return the sets for which an expression is true, in their order. Raises UsageError."""
    from ..sweep.expression import is_cheap  # late: they load jinja2
    from ..sweep.where.condition import Condition

    if not is_cheap(text):
        # Somebody who may only read must not be able to keep the master busy.
        what = "the page takes comparisons, `and`, `or`, `not`, `in`, `+`, `-`, `/` and brackets"
        raise UsageError(what, where=WHERE, todo="`spe results --where` takes more.")
    try:
        condition = Condition(text)
    except ConfigError as error:
        raise UsageError(error.what[:LONGEST], where=WHERE, todo=error.todo) from error
    except (
        SyntaxError,
        MemoryError,
        RecursionError,
    ) as error:  # Python's compiler has limits of its own
        raise UsageError(
            "the condition is nested too deep", where=WHERE, todo="Write a shorter one."
        ) from error
    names = sorted(condition.names)
    known = listing.names()
    for name in names:
        if name not in known:
            raise UsageError(f"there is no column {name}", todo=f"There are: {', '.join(known)}.")
    found = []
    end = time.monotonic() + PATIENCE
    for number, *cells in listing.texts(names, with_row):
        if time.monotonic() > end:
            raise UsageError(
                f"this was not found within {PATIENCE:g} s", todo="Ask for less, joined by `and`."
            )
        try:
            if meets(condition, dict(zip(names, cells, strict=True))):
                found.append(number)
        except ConfigError as error:
            raise UsageError(error.what, where=f"{WHERE}, set {number}", todo=error.todo) from error
    return found
