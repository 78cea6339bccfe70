"""docs/spe.yaml.md and the model say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from spe.config import config
from spe.config import yaml_file as yamlfile

PAGE = Path(__file__).parents[2] / "docs" / "spe.yaml.md"
SECTIONS = dict(re.findall(r"(?ms)^### `([^`]+)`\n(.*?)(?=^##|\Z)", PAGE.read_text()))
PARTS: dict[str, type[BaseModel]] = {
    "parameters.": config.ParametersSpec,
    "inputs.NAME.": config.InputSpec,
    "results.NAME.": config.ResultEntry,
    "retry.": config.RetrySpec,
}


def keys(prefix: str, model: type[BaseModel]) -> set[str]:
    return {prefix + (info.alias or name) for name, info in model.model_fields.items()}


def checked(text: str) -> config.Config:
    return config.check(yamlfile.parse(text, "spe.yaml"))[0]


def test_every_key_has_a_section_and_every_section_a_key() -> None:
    known = keys("", config.Config).union({"worker.name"}, *(keys(*part) for part in PARTS.items()))
    assert set(SECTIONS) == known


@pytest.mark.parametrize("key", [key for key in SECTIONS if key != "parameters.sample"])
def test_the_example_of_a_section_is_good_and_shows_its_key(key: str) -> None:
    example = re.search(r"```yaml\n(.*?)```", SECTIONS[key], re.S)
    assert example, f"{key} has no example"
    parts = [part for part in key.split(".") if part != "NAME"]
    data = yaml.safe_load(example[1])
    assert parts[0] in data
    assert re.search(rf"\b{parts[-1]}:", example[1])
    checked(example[1] if "command:" in example[1] else "command: x\n" + example[1])


@pytest.mark.parametrize("key", sorted(config.Config.model_fields))
def test_the_default_of_a_section_is_that_of_the_model(key: str) -> None:
    info = config.Config.model_fields[key]
    name = info.alias or key
    written = re.search(r"Default: `([^`]+)`", SECTIONS[name])
    if written:
        assert getattr(checked(f"command: x\n{name}: {written[1]}"), key) == info.default
    else:
        assert info.is_required() or "Default: " in SECTIONS[name]
        assert info.is_required() or not info.default or info.default == config.ParametersSpec()


def test_every_section_says_what_may_stand_there() -> None:
    for key, text in SECTIONS.items():
        assert len(text.strip().split(".")[0]) > 5, key
