"""Samplers: what the points are, and which of them stay when there are more."""

from __future__ import annotations

from pathlib import Path

import pytest
from spe.errors import ConfigError
from spe.sweep.sweep import load


def points(
    folder: Path, method: str, n: int, seed: int = 1, space: str = "{x: [0, 1], k: {log: [0.001, 1]}}"
) -> list[tuple[float, ...]]:
    text = f"command: echo\nparameters: {{sample: {{method: {method}, n: {n}, seed: {seed}, space: {space}}}}}\n"
    (folder / "spe.yaml").write_text(text)
    return [tuple(map(float, one.values.values())) for one in load(folder).parameters]


@pytest.mark.parametrize("method", ["lhs", "sobol", "halton", "random"])
def test_points_lie_in_the_space_and_are_the_same_each_time(tmp_path: Path, method: str) -> None:
    found = points(tmp_path, method, 50)
    assert len(set(found)) == 50 and found == points(tmp_path, method, 50) != points(tmp_path, method, 50, seed=2)
    assert all(0 <= x <= 1 and 0.001 <= k <= 1 for x, k in found)
    small = sum(k < 0.0316 for _, k in found)
    assert 15 <= small <= 35, "half of the logarithms are below the middle of the interval"


@pytest.mark.parametrize("method", ["sobol", "halton", "random"])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 63])
def test_more_points_do_not_change_the_first_ones(tmp_path: Path, method: str, count: int) -> None:
    assert points(tmp_path, method, 64)[:count] == points(tmp_path, method, count)


def test_each_part_of_a_latin_hypercube_has_one_point(tmp_path: Path) -> None:
    found = points(tmp_path, "lhs", 20, space="{x: [0, 20], y: [-10, 10]}")
    assert sorted(int(x) for x, _ in found) == [*range(20)]
    assert sorted(int(y + 10) for _, y in found) == [*range(20)]


def test_samples_are_combined_with_other_blocks(tmp_path: Path) -> None:
    (tmp_path / "spe.yaml").write_text(
        "command: echo\nparameters:\n  grid: {a: [u, v]}\n  sample: {method: sobol, n: 4, space: {x: [0, 1]}}\n"
    )
    rows = [one.values for one in load(tmp_path).parameters]
    assert [row["a"] for row in rows] == ["u"] * 4 + ["v"] * 4 and len({row["x"] for row in rows}) == 4


@pytest.mark.parametrize(
    ("sample", "where", "what"),
    [
        ("{n: 4, space: {x: [0, 1]}}", "parameters.sample", "there is no method"),
        ("{method: lhs, n: 4, space: {}}", "parameters.sample.space", "has no parameter"),
        ("{method: lhs, n: 4, space: {x: 1}}", "parameters.sample.space.x", "wanted an interval"),
        ("{method: lhs, n: 4, space: {x: {lin: [0, 1]}}}", "parameters.sample.space.x", "wanted an interval"),
        ("{method: lhs, n: 4, seed: -1, space: {x: [0, 1]}}", "parameters.sample.seed", "found '-1'"),
        ("{method: lhs, n: 4, space: {x: [0, 1]}}, grid: {x: [1]}", "parameters", "x"),
    ],
)
def test_a_wrong_sampler_is_told(tmp_path: Path, sample: str, where: str, what: str) -> None:
    (tmp_path / "spe.yaml").write_text(f"command: echo\nparameters: {{sample: {sample}}}\n")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert where in caught.value.where and what in caught.value.what
