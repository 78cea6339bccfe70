"""Near spellings: the known word that a misspelt one may have meant."""

from __future__ import annotations

from collections.abc import Iterable

#: Lengths of words with their number of slips that still count as near. Two slips in four letters
#: make another word: `slots` and `stop`.
_SLIPS = ((3, 1), (6, 1), (10, 2))
_MOST_SLIPS = 3
_SHORTEST_BEGINNING = 4  # letters of an abbreviation, such as `param` for `parameters`


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is nearest to a misspelt one; "" where none is near.

    Near are words with few slips: a letter too many, too few, wrong, or two that changed places.
    The longer the word, the more slips. So is the only word that begins with the misspelt one.
    Unlike `difflib`, no words that merely share letters: `--retries` is not near `--fresh`.
    """
    candidates = sorted(set(known))
    by_slips = [(slips(_plain(word), _plain(one)), one) for one in candidates]
    best = min(by_slips, default=(_MOST_SLIPS + 1, ""))
    # Another letter in two is another word; one too many or too few is a slip.
    if len(_plain(word)) == 2 and best[0] == 1 and len(_plain(best[1])) == 2:
        return ""
    if best[0] <= _allowed(word):
        return best[1]
    begin = _plain(word)
    if len(begin) < _SHORTEST_BEGINNING:
        return ""
    found = [one for one in candidates if _plain(one).startswith(begin)]
    return found[0] if len(found) == 1 else ""


def slips(word: str, other: str) -> int:
    """Return the number of slips between two words: the optimal string alignment distance."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(word, 1):
        before, above, row = row, before, [at]
        for column, wanted in enumerate(other, 1):
            cost = min(before[column] + 1, row[-1] + 1, before[column - 1] + (letter != wanted))
            swapped = at > 1 and column > 1 and word[at - 2] == wanted and letter == other[column - 2]
            if swapped:
                cost = min(cost, above[column - 2] + 1)
            row.append(cost)
    return row[-1]


def _plain(word: str) -> str:
    """Return a word without what people do not look at: dashes in front, case, `_` for `-`."""
    return word.lstrip("-").lower().replace("_", "-")


def _allowed(word: str) -> int:
    """Return the number of slips that a word of this length may have."""
    length = len(_plain(word))
    if length < 2:
        return 0
    for longest, count in _SLIPS:
        if length <= longest:
            return count
    return _MOST_SLIPS
