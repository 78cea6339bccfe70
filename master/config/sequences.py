"""Number sequences as texts: `range`, `linspace`, `logspace`.

All arithmetic is exact (fractions, decimals of 50 digits), and each number gets its shortest usual
form, so that `{range: [0, 1, 0.1]}` has a cell `0.3` and not `0.30000000000000004`. A range of whole
numbers keeps the leading zeros of its ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction
from typing import overload

# Three times the digits of a float: no sum of steps shows that it was rounded.
_EXACT = Context(prec=50)
_MOST = 100_000_000  # values of one range
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\Z")


class Steps(Sequence[str]):
    """A sequence of `count` numbers, made when they are asked for: a range of a million takes no
    memory.
    """

    def __init__(self, count: int, at: Callable[[int], str]) -> None:
        self._count = count
        self._at = at

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self._at(i) for i in range(self._count)[index]]
        return self._at(range(self._count)[index])

    def __iter__(self) -> Iterator[str]:
        return map(self._at, range(self._count))


def stepped(kind: str, arguments: Sequence[str]) -> Steps:
    """Return the numbers of `{kind: [arguments]}`. Raises ValueError that says what is wrong."""
    if kind == "range":
        numbers = _numbers(arguments, "[first, last] or [first, last, step]", (2, 3))
        return _range(numbers, _width(*arguments[:2]))
    first, last, count = _numbers(arguments, "[first, last, how many]", (3,))
    if count != count.to_integral_value() or not 1 <= count <= _MOST:
        raise ValueError(f"how many must be a whole number from 1, not {arguments[2]}")
    if kind == "linspace":
        return _linspace(first, last, int(count))
    return _logspace(first, last, int(count))


def is_number(text: str) -> bool:
    """Tell whether a text is a number as ranges are written with."""
    return _NUMBER.match(text) is not None


def shortest(value: Decimal | Fraction) -> str:
    """Return a number in its shortest usual form: `100`, `0.3`, `1e-7`."""
    if isinstance(value, Fraction):
        value = _decimal_of(value)
    if not value:
        return "0"
    # As Python and most programs write floats: no exponent where the number is easily read.
    value = value.normalize(_EXACT)
    if -5 < value.adjusted() < 16:
        return format(value, "f")
    return str(value).replace("E+", "e").replace("E", "e")


def _decimal_of(value: Fraction) -> Decimal:
    """Return a fraction with the digits that a float of it has."""
    if value.denominator == 1 and abs(value) < 10**16:
        return Decimal(value.numerator)  # exactly: a float would round above 2**53
    # repr gives the shortest text that is the same float: 1/3 needs 16 digits, not 50.
    return Decimal(repr(float(value)))


def _numbers(arguments: Sequence[str], wanted: str, counts: tuple[int, ...]) -> list[Decimal]:
    """Return the arguments as numbers. Raises ValueError for another count of them."""
    if len(arguments) not in counts:
        raise ValueError(f"wanted {wanted}, found {len(arguments)} values")
    return [_decimal(text) for text in arguments]


def _decimal(text: str) -> Decimal:
    """Return a number exactly as it is written."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    # Larger exponents would make numbers of a million digits.
    if not value.is_finite() or abs(value.adjusted()) > 400:
        raise ValueError(f"{text!r} is not a number that can be counted with")
    return value


def _width(first: str, last: str) -> int:
    """Return the digits of all numbers of a range whose ends have leading zeros; else 0.

    Both ends must have one width, as in `01:10`: of `01:5` nobody can tell what is meant.
    """
    ends = (first.strip(), last.strip())
    digits = [end.removeprefix("-") for end in ends]
    if (
        len(set(map(len, digits))) > 1
        or len(set(map(len, ends))) > 1
        or not all(one.isascii() and one.isdigit() for one in digits)
    ):
        return 0
    return len(ends[0]) if any(one.startswith("0") for one in digits) else 0


def _range(numbers: list[Decimal], width: int) -> Steps:
    """Return first, first + step, …, up to and including last, with at least `width` digits."""
    first, last, step = map(Fraction, [*numbers, Decimal(1)][:3])
    _check_step(first, last, step)
    count = (last - first) // step + 1  # last is included, as people expect of `x=1:10`
    if count > _MOST:
        raise ValueError(f"{count} values are too many")
    # Whole numbers, which most ranges have, need no decimals: that is faster.
    if first.denominator == step.denominator == 1 and max(abs(first), abs(last)) < 10**16:
        whole = range(int(first), int(first) + int(step) * count, int(step))
        if width:
            return Steps(count, lambda i: str(whole[i]).zfill(width))
        return Steps(count, lambda i: str(whole[i]))
    start = numbers[0]
    stride = [*numbers, Decimal(1)][2]
    return Steps(count, lambda i: shortest(_EXACT.add(start, _EXACT.multiply(stride, i))))


def _check_step(first: Fraction, last: Fraction, step: Fraction) -> None:
    """Raise ValueError for a step that never comes from `first` to `last`.

    Python's range would be empty then, without a word about it.
    """
    if not step:
        raise ValueError("the step is 0")
    if (last - first) * step < 0:
        way = f"from {shortest(first)} to {shortest(last)}"
        sign = "a negative step, such as -1" if last < first else "a positive step, such as 1"
        raise ValueError(f"{way} needs {sign}")


def _linspace(first: Decimal, last: Decimal, count: int) -> Steps:
    """Return `count` numbers at equal distances."""
    start = Fraction(first)
    span = Fraction(last) - start
    return Steps(count, lambda i: shortest(start + span * Fraction(i, max(1, count - 1))))


def _logspace(first: Decimal, last: Decimal, count: int) -> Steps:
    """Return `count` numbers at equal ratios. The ends are exact, the others as good as a float."""
    if first <= 0 or last <= 0:
        raise ValueError("both ends of a logspace must be greater than 0")
    start = _EXACT.ln(first)
    span = _EXACT.subtract(_EXACT.ln(last), start)

    def at(index: int) -> str:
        # The ends as they were given: they may have more digits than a float.
        if index == 0:
            return shortest(first)
        if index == count - 1:
            return shortest(last)
        way = _EXACT.divide(_EXACT.multiply(span, index), count - 1)
        return shortest(Fraction(float(_EXACT.exp(_EXACT.add(start, way)))))

    return Steps(count, at)
