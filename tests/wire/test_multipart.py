"""The multipart reader: what goes in comes out however it is cut, others' bodies are understood, garbage is refused."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from aiohttp import FormData, MultipartWriter
from hypothesis import example, given, settings
from hypothesis import strategies as st
from needs import need_program
from spe.client.wire.multipart import Body, FilePart
from spe.wire.multipart import BESIDE, LONGEST_HEAD, PADDING, Begin, End, Parser, TooMuch, whole
from spe.wire.multipart_head import LONGEST_BOUNDARY, BadParts, boundary_of

B = b"xy"
END = b"--xy--\r\n"
Said = list[tuple[str, bytes]]


def part(name: str, content: bytes, more: str = "") -> bytes:
    head = f'--xy\r\nContent-Disposition: form-data; name="{name}"\r\n{more}\r\n'
    return head.encode("utf-8", "surrogateescape") + content + b"\r\n"


def pieces(body: bytes, cuts: list[int]) -> Iterator[bytes]:
    at = 0
    for cut in [*sorted(cut for cut in cuts if cut < len(body)), len(body)]:
        yield body[at:cut]
        at = cut


def read(body: bytes, cuts: list[int], boundary: bytes = B, most: int = 1000) -> Said:
    """What the events say, in their order."""
    parser, said, is_open = Parser(boundary, most), list[tuple[str, bytes]](), False
    for piece in pieces(body, cuts):
        for event in parser.feed(piece):
            assert isinstance(event, Begin) != is_open, "parts begin and end in turns, and content is within them"
            if isinstance(event, Begin):
                said.append((event.name, b""))
                is_open = True
            elif isinstance(event, End):
                is_open = False
            else:
                assert event, "no empty pieces"
                said[-1] = (said[-1][0], said[-1][1] + bytes(event))
    parser.close()
    assert not is_open
    return said


def outcome(body: bytes, cuts: list[int], boundary: bytes = B) -> Said | str:
    try:
        return read(body, cuts, boundary)
    except BadParts as bad:
        return str(bad)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters='"\\%', exclude_categories=("Cc", "Cs")), max_size=8)
NEAR = [b"\r", b"\n", b"--", b"-", b"xy", b"x", b"\r\n--x", b"\r\n--", b"--xy", b"\r\n\r\n", b"a", b"\0\xff"]
CONTENTS = st.lists(st.sampled_from(NEAR), max_size=8).map(b"".join).filter(lambda c: b"\r\n--xy" not in b"\r\n" + c)
HEADS = st.sampled_from(["", "Content-Type: text/plain\r\n", "X-Y: z\r\nContent-Transfer-Encoding: binary\r\n"])
PARTS = st.lists(st.tuples(NAMES, CONTENTS, HEADS), max_size=5, unique_by=lambda one: one[0])
CUTS = st.one_of(st.just(list(range(2000))), st.lists(st.integers(0, 700), max_size=12))
PIECES = st.sampled_from([
    *NEAR, b"--xy\r\n", END, b"\r\n", b'Content-Disposition: form-data; name="a"', b"Content-Disposition: form-data",
    b'\r\n--xy\r\nContent-Disposition: form-data; name="b"\r\n\r\n', b"Content-Length: 1", b"Content-Length: -1",
    b"Content-Type: multipart/mixed", b"name*=utf-8''%ff", b"; name=", b'"', b"\\", b"\t ", b":",
    b"x" * 60, b"y" * 5000,
])  # fmt: skip


@settings(deadline=None)
@given(PARTS, CUTS, st.sampled_from([b"", b"before\r\n", b"\r\n"]), st.sampled_from([b"", b"\r\n", b"\r\nafter"]))
def test_what_was_put_in_comes_out_however_it_is_cut(
    parts: list[tuple[str, bytes, str]], cuts: list[int], before: bytes, after: bytes
) -> None:
    body = before + b"".join(part(*one) for one in parts) + b"--xy--" + after
    said = [(name, content) for name, content, _ in parts]
    assert read(body, cuts) == said
    assert whole(body, B) == dict(said)


@settings(deadline=None, max_examples=500)
@given(st.lists(PIECES, max_size=14).map(b"".join), CUTS)
@example(b"--xy\r\n--xy: y\r\n\r\n\r\n--xy--", [])
@example(part("a", b"1") + part("a", b"2") + END, [])
def test_garbage_is_refused_or_read_the_same_way_however_it_is_cut_and_as_a_whole(body: bytes, cuts: list[int]) -> None:
    said = outcome(body, [])
    assert outcome(body, cuts) == said
    try:
        assert whole(body, B) == dict(said)
    except BadParts as bad:
        assert str(bad) == said
        assert "\n" not in str(bad)


@given(st.text(max_size=60).map(lambda text: f"multipart/form-data; {text}"))
@example('multipart/form-data; boundary="a b"; x=y')
def test_any_content_type_names_a_boundary_or_is_refused(text: str) -> None:
    try:
        assert 1 <= len(boundary_of(text)) <= LONGEST_BOUNDARY
    except BadParts as bad:
        assert str(bad).startswith("not a multipart body")


@pytest.mark.parametrize(
    ("text", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; charset=utf-8; Boundary="a b:c"', b"a b:c"),
        ('multipart/form-data;boundary="x" ;', b"x"),
        ('multipart/form-data; a="; boundary=no"; boundary=yes', b"yes"),
        ("multipart/form-data; boundary=" + "b" * 70, b"b" * 70),
        ("multipart/form-data; boundary=" + "b" * 71, None),
        ("multipart/form-data; boundary=a; boundary=b", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; boundary=ü", None),
        ("multipart/form-data", None),
    ],
)
def test_the_boundary_is_the_one_of_the_content_type(text: str, boundary: bytes | None) -> None:
    if boundary is None:
        with pytest.raises(BadParts):
            boundary_of(text)
    else:
        assert boundary_of(text) == boundary


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ('content-disposition:form-data;name="a"', "a"),
        ("Content-Type: text/csv\r\nContent-Disposition: form-data; name=a", "a"),
        ('Content-Disposition: form-data; name="17/größe"; filename="../x;y"', "17/größe"),
        ('Content-Disposition: form-data; filename="name=b"; name="a"', "a"),
        ('Content-Disposition: form-data; name="a%22b%0D%0Ac%41"', 'a"b\r\nc%41'),
        ('Content-Disposition: form-data; name="a\\"b\\\\c\\d"', 'a"b\\c\\d'),
        ("Content-Disposition: form-data; name=\"x\"; name*=utf-8''gr%C3%B6%C3%9Fe", "größe"),
        ('Content-Disposition: form-data; name="\udcff"', "\udcff"),
        ('Content-Disposition: form-data; name=""', ""),
        ('Content-Length: 1\r\nContent-Disposition: form-data; name="a"', "a"),
    ],
)
def test_a_name_is_read_as_browsers_and_programs_write_it(head: str, name: str) -> None:
    body = b"--xy\r\n" + head.encode("utf-8", "surrogateescape") + b"\r\n\r\n1\r\n" + END
    assert read(body, list(range(500))) == [(name, b"1")]
    assert whole(body, B) == {name: b"1"}


NAMED = b'Content-Disposition: form-data; name="a"\r\n'


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "its boundary is not in it"),
        (b"nonsense", "its boundary is not in it"),
        (part("a", b"1"), "breaks off"),
        (part("a", b"1") + b"--xy-", "breaks off"),
        (part("a", b"1") + b"--xz--", "breaks off"),
        (b"--xy\r\n\r\n1\r\n" + END, "has no name"),
        (b"--xy\r\nContent-Disposition: form-data\r\n\r\n1\r\n" + END, "has no name"),
        (b"--xy\r\nContent-Disposition: form-data; name*=utf-7''a\r\n\r\n1\r\n" + END, "has no name"),
        (b"--xy\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\n1\r\n" + END, "cannot be read"),
        (b'--xy\r\nContent-Disposition: form-data; name="a\\"\r\n\r\n1\r\n' + END, "cannot be read"),
        (b"--xy\r\n" + NAMED + NAMED + b"\r\n1\r\n" + END, "two headers Content-Disposition"),
        (b"--xy\r\n" + NAMED + b"no colon\r\n\r\n1\r\n" + END, "is no header"),
        (b"--xy\r\n" + NAMED + b" folded\r\n\r\n1\r\n" + END, "is no header"),
        (b"--xy\r\n" + NAMED + b"X: a\0b\r\n\r\n1\r\n" + END, "is no header"),
        (b"--xy\n" + NAMED + b"\r\n1\r\n" + END, "a line of its own"),
        (part("a", b"1\r\n--xyz"), "a line of its own"),
        (part("a", b"1") + b"--xy-- more\r\n", "a line of its own"),
        (part("a", b"1", "Content-Transfer-Encoding: base64\r\n") + END, "encoded as base64"),
        (part("a", b"1", "Content-Transfer-Encoding: Quoted-Printable\r\n") + END, "encoded as Quoted-Printable"),
        (part("a", b"1", "Content-Type: Multipart/mixed; boundary=q\r\n") + END, "itself multipart"),
        (part("a", b"1") + part("b", b"") + part("a", b"2") + END, "two parts are named a"),
        (part("a", b"12", "Content-Length: 1\r\n") + END, "part a has not the Content-Length"),
        (part("a", b"1", "Content-Length: " + "1" * 5000 + "\r\n") + END, "part a has not the Content-Length"),
        (part("a", b"1", "X: " + "y" * LONGEST_HEAD + "\r\n") + END, "headers of a part are longer"),
        (b"--xy" + b" " * PADDING + b"\r\n", "a line of its own"),
    ],
)  # fmt: skip
def test_what_is_no_whole_body_is_refused_in_one_line(body: bytes, why: str) -> None:
    for cuts in ([], list(range(len(body)))):
        with pytest.raises(BadParts, match=why) as bad:
            read(body, cuts)
        assert not isinstance(bad.value, TooMuch)
    with pytest.raises(BadParts, match=why):
        whole(body, B)


ABC = part("a", b"") + part("b", b"") + part("c", b"") + END
LONG = "X: " + "y" * (LONGEST_HEAD - len(NAMED) - len("X: ")) + "\r\n"
WITHIN = [
    b"p" * (BESIDE - 2) + b"\r\n" + ABC,
    ABC + b"e" * BESIDE,
    part("a", b"", LONG) + part("b", b"") + part("c", b"") + END,
    b"--xy" + b" " * (PADDING - 2) + ABC[4:],
]


@pytest.mark.parametrize("body", WITHIN, ids=["before", "after", "head", "line"])
def test_what_stands_within_the_limits_is_taken(body: bytes) -> None:
    said = [("a", b""), ("b", b""), ("c", b"")]
    assert read(body, [], most=3) == read(body, list(range(0, len(body), 97)), most=3) == said
    assert whole(body, B, 3) == dict(said)


@pytest.mark.parametrize(
    ("body", "most", "what"),
    [
        (ABC, 2, "more than 2 parts"),
        (b"p" + WITHIN[0], 3, "too much beside"),
        (WITHIN[1] + b"e", 3, "too much beside"),
        (part("a", b"", "z" + LONG) + END, 3, "headers of a part are longer"),
        (b"--xy " + WITHIN[3][4:], 3, "a line of its own"),
    ],
    ids=["parts", "before", "after", "head", "line"],
)
def test_what_is_one_more_than_the_limit_is_refused(body: bytes, most: int, what: str) -> None:
    for cuts in ([], list(range(0, len(body), 97))):
        with pytest.raises(BadParts, match=what) as bad:
            read(body, cuts, most=most)
        assert isinstance(bad.value, TooMuch) == what.endswith(("parts", "beside"))
    with pytest.raises(BadParts, match=what):
        whole(body, B, most)


def test_the_content_of_a_large_part_is_not_copied() -> None:
    parser, block = Parser(B), os.urandom(1 << 16).replace(b"\r", b"\n")
    parser.feed(part("a", b"begin")[:-2])
    (piece,) = parser.feed(block)
    assert piece is block


def test_a_part_without_content_may_end_with_its_head() -> None:
    body = b"--xy\r\n" + NAMED + b"\r\n--xy--"
    assert read(body, []) == read(body, list(range(100))) == [("a", b"")]
    assert whole(body, B) == {"a": b""}


# -- what others send

SENT = {"text": b"1\n", "größe": b"\r\n--\r\n", "empty": b"", "file": bytes(range(256)) * 300}


def understood(content_type: str, body: bytes) -> None:
    boundary = boundary_of(content_type)
    assert whole(body, boundary) == SENT
    for step in (1, 7, 4096):
        assert dict(read(body, list(range(0, len(body), step)), boundary)) == SENT


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "file.bin"
    made.write_bytes(SENT["file"])
    return made


def test_our_clients_bodies_are_understood(file: Path) -> None:
    parts = [*list(SENT.items())[:3], ("file", FilePart(str(file), len(SENT["file"])))]
    body = Body(parts)  # type: ignore[arg-type]
    content = body.content()
    understood(body.headers["Content-Type"], content if isinstance(content, bytes) else b"".join(content))


async def _written(writer: MultipartWriter) -> bytes:
    class Stream:
        data = b""

        async def write(self, piece: bytes) -> None:
            self.data += piece

    stream = Stream()
    await writer.write(stream)  # type: ignore[arg-type]
    return stream.data


@pytest.mark.parametrize("quoted", [True, False])
def test_aiohttps_bodies_are_understood(quoted: bool) -> None:
    form, made = FormData(quote_fields=quoted, default_to_multipart=True), MultipartWriter("form-data")
    for name, content in SENT.items():
        form.add_field(name, content, filename="x")
        made.append(content).set_content_disposition("form-data", False, name=name)
    for writer in (form(), made):
        assert isinstance(writer, MultipartWriter)
        understood(writer.headers["Content-Type"], asyncio.run(_written(writer)))


def test_curls_bodies_are_understood(file: Path) -> None:
    need_program("curl", "curl")
    got: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.headers["Content-Type"], self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.handle_request).start()
        words = [
            word for name in ("text", "größe", "empty") for word in ("--form-string", f"{name}={SENT[name].decode()}")
        ]
        words += ["--form", f"file=@{file};type=text/csv"]
        subprocess.run(["curl", "-sHExpect:", *words, f"http://127.0.0.1:{server.server_port}/"], check=True)
    understood(*got[0])


def test_the_bodies_of_requests_are_understood() -> None:
    """As Python's most used libraries write them; from the text of one, so that it need not be installed."""
    body = b""
    for name, content in SENT.items():
        file = '; filename="file.bin"' if name == "file" else ""
        body += f'--c0ffee\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n"
    understood("multipart/form-data; boundary=c0ffee", body + b"--c0ffee--\r\n")
