"""From a program's bytes to the value in the table."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.model import Kind, Output, ResultSpec
from spe.results.extract import HEAD, JSON_CELL, Part, Refused, extract
from spe.results.judge import file_names, judge
from spe.text import volume

FILE = "files/17/x.txt"


def value(data: bytes, **spec: object) -> str:
    return extract(Part.of("x", data), ResultSpec("x", **spec), FILE)  # type: ignore[arg-type]


def refusal(data: bytes, **spec: object) -> str:
    with pytest.raises(Refused) as refused:
        value(data, **spec)
    return str(refused.value)


def stored(data: bytes, **spec: object) -> Output:
    judgement = judge([ResultSpec("x", **spec)], [], {"x": Part.of("x", data)}, 0, "files/17")  # type: ignore[arg-type]
    assert judgement.reason is None
    return judgement.outputs[0]


@pytest.mark.parametrize(
    ("data", "cell"),
    [
        (b"3.5\n", "3.5"),
        (b"3.5\r\n", "3.5"),
        (b"3.5", "3.5"),
        (b"a\n\n", "a\n"),
        (b"", ""),
        (b"\n", ""),
        (b"  a \n", "  a "),
        ("Größe\n".encode(), "Größe"),
        (b"a\xffb\n", "a\ufffdb"),
        (b"a\r", "a\r"),
    ],
)
def test_a_text_loses_one_line_end_and_nothing_else(data: bytes, cell: str) -> None:
    assert value(data) == cell


def test_bytes_are_kept_only_where_the_cell_does_not_tell_them() -> None:
    assert stored(b"3.5\n") == Output("x", "3.5", size=4)
    assert stored(b"3.5") == Output("x", "3.5", raw=b"3.5", size=3)
    assert stored(b"\xff\n") == Output("x", "\ufffd", raw=b"\xff\n", size=2)


ONE_FILE = [kind for kind in Kind if not kind.is_tree]


@given(st.binary(max_size=300), st.sampled_from(ONE_FILE), st.sampled_from([None, r"(\d+)", "."]))
def test_no_bytes_make_judging_raise_or_get_lost(data: bytes, kind: Kind, regex: str | None) -> None:
    spec = ResultSpec("x", kind=kind, regex=regex)
    judgement = judge([spec], ["non_empty", "one_line"], {"x": Part.of("x", data)}, None, "files/1")
    assert judgement.reason is None or "\n" not in judgement.reason
    for output in judgement.outputs:
        output.value.encode()
        if output.file is None:
            assert (output.raw if output.raw is not None else f"{output.value}\n".encode()) == data
        assert output.size == len(data)


@pytest.mark.parametrize("extra", [0, 1, 2, 3, 500])
def test_a_cell_holds_the_first_64_kb_and_a_note(extra: int) -> None:
    data = b"x" * (HEAD + extra) + b"\n"
    output = stored(data)
    if extra == 0:
        assert output.value == "x" * HEAD
    else:
        assert output.value == "x" * HEAD + " … (66 kB in all, in files/17/x.txt)"
    assert output.file == "files/17/x.txt" and output.raw is None


def test_a_cut_does_not_break_a_character() -> None:
    cell = value(("x" + "é" * HEAD).encode())
    assert "\ufffd" not in cell and cell.startswith("xé")


def test_a_text_of_a_gigabyte_costs_a_look_at_its_head(tmp_path: Path) -> None:
    path = tmp_path / "big"
    with path.open("wb") as stream:
        stream.write(b"hello " * 20_000)
        stream.truncate(1_000_000_000)
    begin = time.thread_time()  # not the time that others take on this machine
    cell = extract(Part("x", None, path, 1_000_000_000), ResultSpec("x"), FILE)
    assert cell.endswith(" … (1.0 GB in all, in files/17/x.txt)") and len(cell) < HEAD + 100
    assert time.thread_time() - begin < 0.5


@pytest.mark.parametrize("text", ["0", "-7", "+7", "007", "9" * 5000])
def test_an_int_is_written_as_it_came(text: str) -> None:
    assert value(f" {text}\n".encode(), kind=Kind.INT) == text


@pytest.mark.parametrize("text", ["3.0", "1_000", "0x10", "1.5e0", "", "nan", "٣", "1 2"])
def test_what_is_not_an_int_is_refused(text: str) -> None:
    assert "an int" in refusal(text.encode(), kind=Kind.INT)


@pytest.mark.parametrize("text", ["3", "3.", ".5", "-1.50e-03", "1E5", "nan", "-inf", "Infinity", "1e999"])
def test_a_float_is_written_as_it_came(text: str) -> None:
    assert value(f"{text}\n".encode(), kind=Kind.FLOAT) == text


@pytest.mark.parametrize("text", ["", "1,5", "1.0D", "x", "1_0.0", "--1", ".", "1e", "3.5 m"])
def test_what_is_not_a_float_is_refused(text: str) -> None:
    assert "a float" in refusal(text.encode(), kind=Kind.FLOAT)


def test_numbers_outside_their_range_are_refused() -> None:
    assert value(b"5", kind=Kind.INT, minimum=5, maximum=5) == "5"
    assert refusal(b"4", kind=Kind.INT, minimum=5) == "'4' is below the minimum 5"
    assert refusal(b"6.5", kind=Kind.FLOAT, maximum=6) == "'6.5' is above the maximum 6"
    assert "finite" in refusal(b"nan", kind=Kind.FLOAT, minimum=0)
    assert "finite" in refusal(b"inf", kind=Kind.FLOAT, minimum=0)
    assert "maximum" in refusal(b"9" * 6000, kind=Kind.INT, maximum=1e300)


def test_a_number_of_a_megabyte_is_refused_unread(tmp_path: Path) -> None:
    part = Part("x", None, tmp_path / "never opened", 2_000_000)
    with pytest.raises(Refused, match=r"2\.0 MB in stdout: a float has at most 64 kB"):
        extract(part, ResultSpec("x", kind=Kind.FLOAT), FILE)


def test_json_is_made_compact_and_otherwise_stays_as_it_came() -> None:
    data = b'\xef\xbb\xbf{ "b" : 1.10,\n "a" : [1e400, "x \\" y", 1],  "\\u00e4": null }\n'
    assert value(data, kind=Kind.JSON) == '{"b":1.10,"a":[1e400,"x \\" y",1],"\\u00e4":null}'


JSON_SPECS = [
    {"kind": Kind.JSON},
    {"kind": Kind.JSON, "path": "a"},
    {"kind": Kind.TEXT, "path": "a"},
    {"kind": Kind.JSON, "regex": r"(?s).*"},
]


@pytest.mark.parametrize("spec", JSON_SPECS)
def test_a_json_cell_is_whole_json_up_to_a_megabyte_and_refused_above(spec: dict[str, object]) -> None:
    around = len(value(b'{"a": {"b": []}}', **spec))
    fits = json.dumps({"a": {"b": ["\u00e9" * ((JSON_CELL - around - 2) // 2)]}}, ensure_ascii=False).encode()
    output = stored(fits, **spec)
    assert JSON_CELL - 2 < len(output.value.encode()) <= JSON_CELL and json.loads(output.value)
    assert output.file == "files/17/x.txt"
    said = refusal(fits.replace(b'["', b'["xxx'), **spec)
    assert said.startswith("1,000,00") and "a cell has at most 1 MB" in said and "`as: file`" in said
    assert (" at a " in said) is ("path" in spec)


def test_a_long_string_at_a_path_is_text_and_ends_at_64_kb() -> None:
    document = json.dumps({"a": "[" * (HEAD + 1)}).encode()
    assert value(document, path="a").startswith("[" * HEAD + " … (")
    assert value(document, path="a", kind=Kind.JSON) == "[" * (HEAD + 1)


def test_json_that_is_none_is_refused_with_the_place() -> None:
    assert refusal(b"{'a': 1}", kind=Kind.JSON, source="out.json").startswith("out.json is not JSON: Expecting")
    assert "byte 1 is not UTF-8" in refusal(b'"\xff"', kind=Kind.JSON)
    assert "too deep" in refusal(b"[" * 100_000, kind=Kind.JSON)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_json_says_the_same_in_its_cell(document: object) -> None:
    data = json.dumps(document, indent=2).encode()
    assert json.loads(value(data, kind=Kind.JSON)) == document
    inside = value(json.dumps({"a": [document]}).encode(), kind=Kind.TEXT, path="a.0")
    if not isinstance(document, str):
        assert json.loads(inside) == document


DOCUMENT = b'{"energy": {"total": -1.50, "parts": [1, {"name": "kin"}], "ok": true, "half": "\\ud800"}}'


@pytest.mark.parametrize(
    ("path", "cell"),
    [
        ("energy.total", "-1.50"),
        ("energy.parts.0", "1"),
        ("energy.parts.-1.name", "kin"),
        ("energy.parts", '[1,{"name":"kin"}]'),
        ("energy.ok", "true"),
        ("energy.half", "\ufffd"),
    ],
)
def test_a_path_leads_into_a_document(path: str, cell: str) -> None:
    assert value(DOCUMENT, path=path) == cell


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("energy.totl", "no 'totl' of energy.totl in out.json, there is: 'total, parts, ok, half'"),
        ("energy.parts.2", "there is a list of 2"),
        ("energy.total.x", "there is a single value"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(path: str, said: str) -> None:
    assert said in refusal(DOCUMENT, path=path, source="out.json")


def test_a_number_found_by_path_is_checked_as_a_number() -> None:
    assert value(DOCUMENT, path="energy.total", kind=Kind.FLOAT) == "-1.50"
    assert "is not a float" in refusal(DOCUMENT, path="energy.ok", kind=Kind.FLOAT)


def test_the_first_match_of_a_regex_counts_and_its_first_group() -> None:
    text = b"a = 1\nslope = 2.5 m\nslope = 3 m\n"
    assert value(text, regex=r"slope = (\S+)", kind=Kind.FLOAT) == "2.5"
    assert value(text, regex=r"slope = \S+") == "slope = 2.5"
    assert value(text, regex=r"(x)|(?m:^slope = (\S+))") == "2.5"


def test_a_regex_without_a_match_is_refused() -> None:
    assert refusal(b"abc", regex=r"slope = (\S+)") == r"no match for regex slope = (\S+) in stdout"


def test_a_regex_reads_output_that_is_not_utf8() -> None:
    assert value(b"\xff\xfe x=1\n", regex=r"x=(\d)", kind=Kind.INT) == "1"


def test_json_may_be_cut_out_of_other_output_by_a_regex() -> None:
    assert value(b'log\nRESULT {"e": 1.0}\nbye\n', regex=r"RESULT (\{.*\})", path="e", kind=Kind.FLOAT) == "1.0"


def test_what_is_too_large_to_search_is_refused_unread(tmp_path: Path) -> None:
    part = Part("x", None, tmp_path / "never opened", 10**9)
    with pytest.raises(Refused, match=r"1\.0 GB in stdout: regex, path and json look into at most 64 MB"):
        extract(part, ResultSpec("x", regex="a"), FILE)


def test_the_cell_of_a_file_is_its_path_and_a_large_text_keeps_its_ending() -> None:
    specs = [
        ResultSpec("trace", "out/trace.csv", Kind.FILE),
        ResultSpec("a", "stdout"),
        ResultSpec("a.txt", "notes.txt", Kind.FILE),
        ResultSpec("dump", "d.tar.gz"),
        ResultSpec("plain", "Makefile"),
    ]
    assert file_names(specs) == {
        "trace": "out/trace.csv",
        "a": "a.txt",
        "a.txt": "notes.txt",
        "dump": "dump.tar.gz",
        "plain": "plain",
    }
    judgement = judge(specs[:1], [], {"trace": Part("trace", None, Path("/nowhere"), 0)}, 0, "files/3")
    assert judgement.outputs == (Output("trace", "files/3/out/trace.csv", file="files/3/out/trace.csv"),)


def test_sizes_are_written_for_people() -> None:
    words = ["0 bytes", "1 byte", "999 bytes", "1.0 kB", "66 kB", "1.0 GB"]
    assert [volume(n) for n in (0, 1, 999, 1000, 65536, 10**9)] == words
