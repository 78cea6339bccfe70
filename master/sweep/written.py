"""A one-liner written as a spe.yaml: the same sets, so that nothing that is done runs again."""

from __future__ import annotations

import shlex

from ..line.one_liner import OneLiner
from ..line.options import as_in_a_file
from .segments import segments_of


def as_yaml(line: OneLiner, name: str) -> str:
    """Return the text of a spe.yaml that says what a one-liner says. `name`: of its sweep."""
    from ..config.yaml_file import written  # late: it loads PyYAML

    command = " ".join(line.words if line.settings.get("shell") else map(_quoted, line.words))
    settings = {
        key: as_in_a_file(key, value) for key, value in line.settings.items() if key != "name"
    }
    return written({"name": name, "command": command, **settings})


def _quoted(word: str) -> str:
    """Return a word as it stands in `command:`; expressions need no quotes there."""
    pieces = [one.text if one.code else _literal(one.text) for one in segments_of(word)]
    return "".join(pieces) or "''"


def _literal(text: str) -> str:
    return shlex.quote(text) if text else ""
