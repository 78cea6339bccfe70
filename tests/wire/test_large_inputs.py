"""Contents that clients fetch by their digest are found, and no more of them are made than that takes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from spe.model import Input, Task, Work
from spe.wire.large_inputs import LargeInputs
from spe.wire.records import BY_DIGEST
from waiting import in_loop


class Packed:
    """An archive of two large files, which counts how many of them were made."""

    sha256 = "a" * 64

    def __init__(self) -> None:
        self.made = 0
        self.contents = [bytes([number]) * (BY_DIGEST + 1) for number in (1, 2)]

    def written(self) -> Path:
        raise AssertionError("nobody fetches it here")

    def inputs(self) -> Iterator[Input]:
        for content in self.contents:
            self.made += 1
            yield Input("f", content)


@in_loop
async def test_an_archive_is_found_without_a_look_at_its_files() -> None:
    packed = Packed()
    item = Input("data", sha256=packed.sha256, length=10, archive=packed)
    large = LargeInputs({1: Task(1, {}, tickets=[7])}, lambda task: Work(("true",), (item,)))
    assert await large.find(packed.sha256) is item
    assert packed.made == 0, "ten thousand files were read for each question"
    for at, content in enumerate(packed.contents):
        found = await large.find(hashlib.sha256(content).hexdigest())
        assert found is not None and found.content == content
        assert packed.made == (1, 3)[at]
    assert await large.find("b" * 64) is None
