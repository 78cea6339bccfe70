"""The identity of a parameter set: what it computes from.

That is the command pattern, the input patterns and the content of input files, the environment and the parameters.
Files that are programs are left out of it: they are compared as a whole (program.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from json.encoder import encode_basestring_ascii

from .pattern import Values
from .recipe import InputPattern, Recipe

_VERSION = 1  # of the identity: a change of it runs every set again


class Identity:
    """Sixteen bytes for a set; what all sets share is digested once."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.names = sorted(recipe.names)
        self.paths = [one for one in recipe.inputs if one.is_file and one not in recipe.programs]
        self._before = [one for one in recipe.inputs if one.is_file]  # what spe 0.1.0 took for data
        self.shared = hashlib.blake2b(_encoded(self._common()), digest_size=16)

    def key(self, values: Values) -> bytes:
        """The same for the same set, in any process, on any machine."""
        return self._key(values, self.paths)

    def older_key(self, values: Values) -> bytes | None:
        """The key under which spe 0.1.0 knew this set, with programs among its data; None: it is the same."""
        return self._key(values, self._before) if self.recipe.programs else None

    def _key(self, values: Values, paths: Sequence[InputPattern]) -> bytes:
        digest = self.shared.copy()
        # As json.dumps writes a list of texts, which makes an encoder for each.
        digest.update(("[" + ",".join([encode_basestring_ascii(values[name]) for name in self.names]) + "]").encode())
        files = self.recipe.files
        for one in paths:
            digest.update(files.digest(one.pattern.fill(self.recipe.scope(values))))
        return digest.digest()

    def digest(self) -> bytes | None:
        """What all keys have in common, files included; None where the sets decide which files these are."""
        digest = self.shared.copy()
        for one in self.paths:
            if one.pattern.literal is None:
                return None
            digest.update(self.recipe.files.digest(one.pattern.literal))
        return digest.digest()

    def _common(self) -> list[object]:
        recipe = self.recipe
        inputs = [[one.name, one.is_file, one.pattern.canonical()] for one in recipe.inputs]
        env = [[name, pattern.canonical()] for name, pattern in sorted(recipe.env.items())]
        words = [word.canonical() for word in recipe.words]
        return [_VERSION, recipe.shell, words, sorted(inputs, key=str), env, self.names]


def _encoded(value: Sequence[object]) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
