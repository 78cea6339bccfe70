"""docs/spe.yaml.md and the model say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from spe.config import config, keys
from spe.config import yaml_file as yamlfile
from spe.config.inputs import InputSpec

PAGE = Path(__file__).parents[2] / "docs" / "spe.yaml.md"
SECTIONS = dict(re.findall(r"(?ms)^### `([^`]+)`\n(.*?)(?=^##|\Z)", PAGE.read_text()))
PARTS: dict[str, type] = {
    "parameters.": config.ParametersSpec,
    "inputs.NAME.": InputSpec,
    "results.NAME.": config.ResultEntry,
    "retry.": config.RetrySpec,
}


def keys_below(prefix: str, block: type) -> set[str]:
    return {prefix + name for name in keys.keys_of(block)}


def checked(text: str) -> config.Config:
    return config.check(yamlfile.parse(text, "spe.yaml"))[0]


def test_every_key_has_a_section_and_every_section_a_key() -> None:
    known = keys_below("", config.Config).union({"worker.name"}, *(keys_below(*part) for part in PARTS.items()))
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


@pytest.mark.parametrize("key", sorted(keys.keys_of(config.Config)))
def test_the_default_of_a_section_is_that_of_the_model(key: str) -> None:
    field = keys.keys_of(config.Config)[key].name
    default = None if key == "command" else getattr(checked("command: x\n"), field)
    written = re.search(r"Default: `([^`]+)`", SECTIONS[key])
    if written:
        assert getattr(checked(f"command: x\n{key}: {written[1]}"), field) == default
    else:
        assert key == "command" or "Default: " in SECTIONS[key]
        assert not default or default == config.ParametersSpec()


def test_every_section_says_what_may_stand_there() -> None:
    for key, text in SECTIONS.items():
        assert len(text.strip().split(".")[0]) > 5, key
