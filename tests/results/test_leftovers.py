"""The files of a failed attempt, as a client tells them, are kept bounded and harmless, and shown to people."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from spe.results.leftovers import MOST, MOST_BYTES, Left, Leftovers, parse
from spe.text import volume


def test_files_folders_and_links_are_told_apart_and_the_others_counted() -> None:
    found = parse("12 out.txt\n- sub/\n0 a name  with blanks \n- work@\n>9900\n")
    files = (Left("out.txt", 12), Left("sub/", None), Left("a name  with blanks ", 0), Left("work@", None))
    assert found == Leftovers(files, 9900, at_least=True)
    assert found.lines()[:2] == ["  12 bytes  out.txt", "            sub/"]
    assert found.lines()[-1] == "and more than 9900 more"
    assert found.summary() == "out.txt (12 bytes), sub/, a name  with blanks  (0 bytes), work@, more than 9900 more"


def test_an_empty_directory_is_not_the_same_as_one_that_nobody_told_of() -> None:
    assert parse("") is None and parse("\n") is None and parse("nonsense\n5\n") is None
    empty = parse("+0\n")
    assert empty == Leftovers(()) and empty.lines() == [] and empty.summary() == "nothing"


def test_a_sentence_names_the_first_ones() -> None:
    found = parse("".join(f"{n} f{n}\n" for n in range(14)))
    assert found and found.summary() == ", ".join(f"f{n} ({volume(n)})" for n in range(10)) + ", 4 more"


def test_what_is_no_such_line_is_passed_over() -> None:
    others = "nonsense\n-1 x\n1e3 y\n٣ z\n5\n5 \n+\n+x\n" + "9" * 30 + " big\n"
    assert parse(others) is None
    assert parse(others + "7 good\n") == Leftovers((Left("good", 7),))


def test_names_cannot_steer_a_terminal() -> None:
    found = parse("1 a\x1b[2Jb\rc\td\u202ee\x85f\n")
    assert found and found.files[0].name == "a·[2Jb·c d·e·f"


def test_of_too_many_or_too_long_names_the_rest_is_counted() -> None:
    found = parse("".join(f"1 file{n}\n" for n in range(MOST + 50)) + "+7\n")
    assert found and (len(found.files), found.more) == (MOST, 57)
    found = parse("1 first\n1 " + "x" * 2 * MOST_BYTES + "\n1 last\n")
    assert found and ([one.name for one in found.files], found.more) == (["first"], 2)


lines = st.text() | st.from_regex(r"\A([0-9]{1,19}|-) [^\n]{1,300}\Z") | st.from_regex(r"\A[+>][0-9]{1,19}\Z")


@given(st.lists(lines, max_size=130).map("\n".join))
def test_whatever_is_told_it_is_small_printable_and_read_again_as_it_was_written(text: str) -> None:
    found = parse(text)
    if found is not None:
        assert parse(str(found)) == found
        assert len(str(found).encode()) <= MOST_BYTES + 30 and len(found.files) <= MOST
        assert all(line.isprintable() for line in found.lines())
