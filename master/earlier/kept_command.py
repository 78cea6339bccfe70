"""The command of a sweep as the store keeps it, for sets whose spe.yaml has changed since."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..sweep.pattern import Pattern
from ..sweep.recipe import Recipe


def command_text(recipe: Recipe) -> str:
    """Return the patterns of command and environment. Equal texts mean equal commands."""
    env = {name: str(pattern) for name, pattern in recipe.env.items()}
    words = [str(word) for word in recipe.words]
    kept = {"words": words, "env": env, "shell": recipe.shell, "worker": recipe.worker}
    return json.dumps(kept)


def filled(text: str, values: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the words and the variables of a set, from what `command_text` wrote.

    Raises ConfigError or KeyError for patterns that this spe cannot fill, as of a newer one.
    """
    kept = json.loads(text)
    scope = {**values, "worker": kept["worker"] or ""}
    words = tuple(Pattern.parse(word).fill(scope) for word in kept["words"])
    if kept["shell"]:
        words = ("/bin/sh", "-c", words[0])
    env = {name: Pattern.parse(pattern).fill(scope) for name, pattern in kept["env"].items()}
    return words, env
