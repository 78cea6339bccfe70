"""Records: compared, hashed and shown by their fields, without what is hidden."""

from __future__ import annotations

from dataclasses import field, replace

from spe.record import record


@record
class Door:
    """Two fields that are shown, and one that is not."""

    number: int
    colour: str = "red"
    key: str = field(default="", repr=False)


@record
class Gate:
    """The same fields in another class."""

    number: int
    colour: str = "red"
    key: str = field(default="", repr=False)


def test_records_are_equal_when_all_their_fields_are() -> None:
    assert Door(1) == Door(1, "red")
    assert Door(1) != Door(2)
    assert Door(1, key="a") != Door(1, key="b")


def test_records_of_two_classes_are_never_equal() -> None:
    assert Door(1) != Gate(1)
    assert Door(1) != (1, "red", "")


def test_equal_records_have_the_same_hash() -> None:
    assert len({Door(1), Door(1), Door(2)}) == 2


def test_a_record_shows_its_fields_but_not_the_hidden_ones() -> None:
    assert repr(Door(1, key="secret")) == "Door(number=1, colour='red')"


def test_a_record_takes_no_other_attribute_and_can_be_replaced() -> None:
    assert not hasattr(Door(1), "__dict__")
    assert replace(Door(1, key="a"), number=2) == Door(2, key="a")
