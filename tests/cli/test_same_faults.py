"""Faults of many hosts for people: one paragraph for all that have the same one."""

from __future__ import annotations

from spe.cli.same_faults import HostFault, paragraphs


def test_hosts_with_the_same_fault_are_one_paragraph_and_others_have_their_own() -> None:
    same = [HostFault(name, "no python3", "none in its PATH", "Install it.") for name in ("a", "b", "c")]
    other = HostFault("d", "clock off", "62 s ahead")
    assert paragraphs([same[0], other, *same[1:]]) == (
        "\na, b and c: no python3: none in its PATH\n  Install it.\n\nd: clock off: 62 s ahead\n"
    )


def test_words_that_differ_by_name_or_address_alone_are_shown_once_with_a_command_that_can_be_pasted() -> None:
    found = paragraphs(
        HostFault(f"h{n}", "refused", f"nothing listens on 10.0.0.{n} port 22", f"Try: ssh -F /c anna@h{n} true")
        for n in (1, 2, 11)
    )
    assert found == (
        "\nh1, h2 and h11: refused: nothing listens on 10.0.0.1 port 22 (on h1; alike on the others)\n"
        "  for h1, and alike for h2 and h11: Try: ssh -F /c anna@h1 true\n"
    )


def test_words_that_differ_stand_in_one_paragraph_with_their_hosts_and_what_mends_all_is_said_once() -> None:
    found = paragraphs(HostFault(name, "disk full", f"/home: {free} free", "Make room.") for name, free in
                       (("a", "1 MB"), ("b", "2 MB"), ("c", "1 MB")))  # fmt: skip
    assert found == "\na, b and c: disk full\n  a and c: /home: 1 MB free\n  b: /home: 2 MB free\n  Make room.\n"


def test_each_way_to_mend_stands_with_its_hosts() -> None:
    found = paragraphs(HostFault(name, "no python3", "none in its PATH", f"{name} python={path}") for name, path in
                       (("a", "/opt/1"), ("b", "/opt/2"), ("c", "/opt/2")))  # fmt: skip
    assert found == (
        "\na, b and c: no python3: none in its PATH\n"
        "  a: a python=/opt/1\n"
        "  for b, and alike for c: b python=/opt/2\n"
    )


def test_a_name_that_is_part_of_another_word_is_not_taken_for_the_host() -> None:
    found = paragraphs([HostFault("a", "x", "a-b"), HostFault("b", "x", "a-b")])
    assert found == "\na and b: x: a-b\n"
