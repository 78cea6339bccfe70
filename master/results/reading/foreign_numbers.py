"""Texts that are numbers for somebody else: decimal commas, Fortran's stars, kinds and complex numbers.

Pure. None of them is read as a number: whether `1,234` is 1.234 or 1234 only its writer knows. But
the message says why the text is none, and what to do.
"""

from __future__ import annotations

import re

_EXPONENT = r"(?:[eEdDqQ]?[+-][0-9]+|[eEdDqQ][0-9]+)?"
_COMMA = re.compile(rf"[+-]?(?:[0-9]*|[0-9]{{1,3}}(?:[. '\u00a0\u2009\u202f][0-9]{{3}})+),[0-9]+{_EXPONENT}")
_THOUSANDS = re.compile(
    r"[+-]?[0-9]{1,3}(?:(?:,[0-9]{3}){2,}|(?:,[0-9]{3})+\.[0-9]*|(?:'[0-9]{3})+(?:\.[0-9]*)?)"
)
_STARS = re.compile(r"\*+")
_KIND = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?_(?:[0-9]+|[A-Za-z]\w*)")
_PART = r"\s*[+-]?[0-9.,]+[-+0-9eEdDqQ]*\s*"
_COMPLEX = re.compile(rf"\({_PART}[,;]{_PART}\)")
_LONGEST = 100  # characters; what is longer is no number that somebody meant

_REASONS = (
    (_STARS, "Fortran writes stars where a number has no room, so write it with a wider format"),
    (
        _COMMA,
        "it has a decimal comma, and numbers have a point "
        "(`env: {LC_ALL: C}` gives it to programs that go by the locale)",
    ),
    (_THOUSANDS, "it has signs between thousands, which numbers have not"),
    (_KIND, "it has a kind as in Fortran's source, which its output never has"),
    (_COMPLEX, "a complex number, so take its parts by `regex`"),
)


def why_not(text: str) -> str:
    """Return why this text is no number although it may be meant as one; "" where that is not known."""
    if len(text) > _LONGEST:
        return ""
    text = text.strip()
    return next((reason for form, reason in _REASONS if form.fullmatch(text)), "")


def has_decimal_comma(text: str) -> bool:
    """Return whether this is a number with a decimal comma. Quick for texts without a comma."""
    return "," in text and len(text) <= _LONGEST and _COMMA.fullmatch(text.strip()) is not None
