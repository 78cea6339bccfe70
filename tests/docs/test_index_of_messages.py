"""docs/failures.md ends with an index of its messages: complete, in alphabetical order, each a link to its section."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "failures.md"
HEADING = "\n## Index of messages\n"
# The index is sorted by words that are the same each time, so what differs at the beginning is left off.
DIFFERS = re.compile(r"^(?:(?:…|HOST|H|NAME|N|\d+|'…'|>|\$y|{{ typo }}|\./p\.csv|runs/\S*|hooks\.py\S*)(?::? |, )|\()+")
LONGEST = 70  # characters of a message in the index; the page has all of it


def messages() -> list[tuple[str, str]]:
    """Return (message, heading of its section) for each message of the page, in the order of the page."""
    found = []
    heading = ""
    for paragraph in PAGE.read_text(encoding="utf-8").split(HEADING)[0].split("\n\n"):
        if paragraph.startswith("#"):
            heading = paragraph.lstrip("# ").splitlines()[0]
        elif paragraph.startswith("**`"):
            found += [(span, heading) for span in re.findall(r"`([^`]+)`", paragraph)]
        elif paragraph.startswith("| line |"):
            found += [(span, heading) for span in re.findall(r"^\| `([^`]+)` \|", paragraph, re.MULTILINE)]
    return found


def first_words(message: str) -> str:
    """Return a message as the index shows it: without what differs at its beginning, and not too long."""
    words = DIFFERS.sub("", message)
    if len(words) > LONGEST:
        words = words[:LONGEST].rpartition(" ")[0]
    return re.sub(r"(\(…\)|[ …:,])*$", "", words if "(" in words else words.rstrip(")"))


def expected() -> list[str]:
    """Return the lines that the index must have."""
    shown = {(first_words(message), heading) for message, heading in messages()}
    lines = sorted(shown, key=lambda one: (re.sub(r"\W+", " ", one[0]).strip().lower(), one[1]))
    anchors = {heading: re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for _, heading in lines}
    return [f"- [`{words}`](#{anchors[heading]})" for words, heading in lines]


def test_the_index_has_every_message_of_the_page_in_alphabetical_order() -> None:
    index = PAGE.read_text(encoding="utf-8").split(HEADING)[1]
    lines = [line for line in index.splitlines() if line.startswith("- ")]
    assert lines == expected(), "the lines must be:\n" + "\n".join(expected())


def test_a_message_begins_with_a_word_that_is_the_same_each_time() -> None:
    assert len(messages()) > 100
    assert [line for line in expected() if re.match(r"- \[`(…|H\b|N\b|HOST\b|NAME\b)", line)] == []
