"""Words and numbers for people, and the signatures of files."""

from __future__ import annotations

import os
from pathlib import Path

from spe.session.stamps import identity, stamp
from spe.text import counted, named, printable, rate, span, volume


def test_a_count_stands_with_the_words_that_fit_it() -> None:
    assert [counted(n, "set waits", "sets wait") for n in (0, 1, 2)] == ["0 sets wait", "1 set waits", "2 sets wait"]
    assert [counted(n, "host") for n in (1, 40)] == ["1 host", "40 hosts"]


def test_numbers_are_named_up_to_the_tenth() -> None:
    assert [named(numbers) for numbers in ([], [3], [3, 5], [3, 5, 8])] == ["", "3", "3 and 5", "3, 5 and 8"]
    assert named(range(1, 13)) == "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more"


def test_sizes_have_a_unit_in_which_they_are_short() -> None:
    sizes = {None: "", 1: "1 byte", 999: "999 bytes", 1500: "1.5 kB", 65_536: "66 kB", 25e9: "25 GB", 3e12: "3.0 TB"}
    assert [volume(size) for size in sizes] == list(sizes.values())


def test_estimates_have_one_unit() -> None:
    lengths = {40: "40 s", 89: "89 s", 360: "6 min", 7200: "2 h", 172_800: "2 days"}
    assert [span(seconds) for seconds in lengths] == list(lengths.values())
    assert [rate(2.5), rate(0.5), rate(0.001)] == ["2.5/s", "30/min", "3.6/h"]


def test_text_from_outside_cannot_move_the_cursor() -> None:
    assert printable("a\x1b[2Jb\rc\td\ne\u202ef") == "a·[2Jb·c d e·f"


def test_a_stamp_tells_a_file_that_was_written_anew_also_when_its_time_is_set_back(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert stamp(path) is None and identity(path) is None
    path.write_text("1")
    first, times = stamp(path), path.stat()
    other = tmp_path / "b"
    other.write_text("2")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)
    assert first is not None and stamp(path) != first
