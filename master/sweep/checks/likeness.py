"""What two sweeps have in common beside their parameters: sets can be added only where all of it is equal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields

from ..plan import Sweep

HOSTS_OPTION = "--hosts"  # the fact that only counts where the option was given
# `parameters` may differ; the separator is that of their file; the folder says the name.
_LEFT_OUT = ("parameters", "separator", "name")
_SPELLED = {"validation": "validate"}  # fields of Config whose key in spe.yaml has another name


def facts(sweep: Sweep, hosts: str | None = None) -> dict[str, str]:
    """Return all that tasks are made of but their parameters, each under the word for people.

    Content of files is in it by digests, and they are read. `hosts`: the option --hosts.
    """
    found = {"the names of the parameters": json.dumps(sorted(sweep.parameters.names))}
    for one in fields(sweep.config):
        if one.name not in _LEFT_OUT:
            word = _SPELLED.get(one.name, one.name)
            found[f"`{word}`"] = repr(getattr(sweep.config, one.name))
    found["the program"] = json.dumps(sweep.program(), sort_keys=True)
    # Where each set names its own files, the sets say which ones; their content is part of the keys.
    common = sweep.identity.digest() or sweep.identity.shared.digest()
    found["the content of `inputs`"] = common.hex()
    found[HOSTS_OPTION] = hosts or ""
    return found


def differences(running: Mapping[str, str], adding: Mapping[str, str]) -> list[str]:
    """Return the words of all that differs, in the order of spe.yaml.

    `--hosts` of the command that adds counts only where it was given: the run has hosts already.
    """
    found = []
    for word in dict.fromkeys([*running, *adding]):
        if word == HOSTS_OPTION and not adding.get(word):
            continue
        if running.get(word) != adding.get(word):
            found.append(word)
    # The digest of all that sets have in common differs with each of these words, too.
    if len(found) > 1 and "the content of `inputs`" in found:
        causes = {"the names of the parameters", "`command`", "`shell`", "`env`", "`inputs`"}
        if causes.intersection(found):
            found.remove("the content of `inputs`")
    return found
