"""How the `results` of spe.yaml stand in the store, and when a set needs nothing but a note."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.model import Kind, Output, ResultSpec, TaskState
from spe.results.extraction import Move, Renewal, StoredSet, canonical, kept_file, parsed

SPECS = st.lists(
    st.builds(
        ResultSpec,
        name=st.text(max_size=5),
        source=st.text(max_size=5),
        kind=st.sampled_from(Kind),
        regex=st.none() | st.text(max_size=5),
        path=st.none() | st.text(max_size=5),
        minimum=st.none() | st.floats(allow_nan=False),
        maximum=st.none() | st.floats(allow_nan=False),
    ),
    max_size=4,
    unique_by=lambda spec: spec.name,
)


@given(SPECS)
def test_results_are_read_from_the_store_as_they_were_written_in_the_order_of_their_names(
    specs: list[ResultSpec],
) -> None:
    assert parsed(canonical(specs)) == tuple(sorted(specs, key=lambda spec: spec.name))
    assert canonical(specs) == canonical(specs[::-1])


def test_a_result_is_written_with_the_keys_of_spe_yaml_and_without_those_that_are_unset() -> None:
    full = ResultSpec("é", "out.txt", Kind.FLOAT, "x", "a.b", 0.0, 2.0)
    assert canonical([full, ResultSpec("a")]) == (
        '[{"name": "a", "from": "stdout", "as": "text"}, {"name": "é", "from": "out.txt", "as": "float", '
        '"regex": "x", "path": "a.b", "min": 0.0, "max": 2.0}]'
    )


def test_a_source_that_is_kept_has_a_readable_name_that_no_result_has() -> None:
    assert kept_file(17, "out/a b.txt") == "files/17/.kept/out%2Fa b.txt"
    assert kept_file(17, "x" * 200) == "files/17/.kept/" + "x" * 200
    assert len(kept_file(17, "x" * 201)) == len("files/17/.kept/") + 64
    long = kept_file(17, "é" * 200)
    assert long.startswith("files/17/.kept/") and len(long.rpartition("/")[2]) == 64
    assert long != kept_file(17, "é" * 199)


STORED = StoredSet(
    number=1, state=TaskState.DONE, ticket=5, accepted=True, spec=3, reason=None, outputs={}, kept={}, stdout=b""
)


def test_a_set_whose_results_stay_as_they_are_is_adopted_as_it_is() -> None:
    assert not STORED.has_gap
    renewal = Renewal(STORED, TaskState.DONE, 5, None, 4)
    assert renewal.is_adoption
    assert (renewal.gap, renewal.halfway) == (False, False)


@pytest.mark.parametrize(
    "change",
    [
        {"state": TaskState.FAILED},
        {"ticket": 6},
        {"reason": "x is missing"},
        {"outputs": (Output("x", "1"),)},
        {"gone": ("x",)},
        {"gap": True},
        {"moves": (Move("a", None, b""),)},
        {"rubbish": ("a",)},
        {"before": dataclasses.replace(STORED, has_gap=True)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_set_of_which_anything_changes_is_not_adopted(change: dict[str, Any]) -> None:
    arguments = {"before": STORED, "state": TaskState.DONE, "ticket": 5, "reason": None, "spec": 4}
    assert not Renewal(**{**arguments, **change}).is_adoption
