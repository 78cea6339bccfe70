"""The identity of a parameter set: a digest of what the set computes from.

That is the command pattern, the input patterns and the content of input files, the environment and
the parameters. Input files that are programs are left out: they are compared as a whole
(program.py), and the user is asked about a change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from json.encoder import encode_basestring_ascii

from .inputs.pattern import InputPattern
from .pattern import Values
from .recipe import Recipe

_VERSION = 1  # of the identity; another number would run every set of every sweep again


class Identity:
    """Makes the identities of a sweep's sets, 16 bytes each.

    What all sets share is digested once.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.names = sorted(recipe.names)  # columns in another order make no other set
        programs = frozenset(recipe.programs)
        self.paths = [
            one
            for one in recipe.inputs
            if one.is_tree or (one.is_file and one.name not in programs)
        ]
        self._programs = frozenset(recipe.programs.values())
        self._before = [one for one in recipe.inputs if one.is_file]  # spe 0.1.0 took all for data
        self.shared = hashlib.blake2b(_encoded(self._common()), digest_size=16)

    def key(self, values: Values) -> bytes:
        """Return the identity of a set: the same in any process, on any machine."""
        return self._key(values, self.paths)

    def older_key(self, values: Values) -> bytes | None:
        """Return the identity that spe 0.1.0 gave this set, with programs among its data.

        None if it is the same.
        """
        if not self.recipe.programs or any(one.is_tree for one in self.recipe.inputs):
            return None  # there were no folders in 0.1.0
        return self._key(values, self._before)

    def _key(self, values: Values, paths: Sequence[InputPattern]) -> bytes:
        # A copy of the state is cheaper than to digest again what all sets share.
        digest = self.shared.copy()
        # The same bytes as json.dumps of the list, which would make an encoder for each set.
        texts = [encode_basestring_ascii(values[name]) for name in self.names]
        digest.update(("[" + ",".join(texts) + "]").encode())
        for one in paths:
            digest.update(self._digest(one, one.pattern.fill(self.recipe.scope(values))))
        return digest.digest()

    def _digest(self, one: InputPattern, path: str) -> bytes:
        """Return the digest of an input's file, or of the files of its folder that are data."""
        if one.is_tree:
            return self.recipe.trees.tree(one, path).digest(self._programs)
        return self.recipe.files.digest(path)

    def digest(self) -> bytes | None:
        """Return what all identities have in common, files included.

        None where each set names its own files.
        """
        digest = self.shared.copy()
        for one in self.paths:
            if one.pattern.literal is None:
                return None
            digest.update(self._digest(one, one.pattern.literal))
        return digest.digest()

    def _common(self) -> list[object]:
        """Return what all sets share, as JSON holds it."""
        recipe = self.recipe
        inputs = [[one.name, _kind(one), one.pattern.canonical()] for one in recipe.inputs]
        env = [[name, pattern.canonical()] for name, pattern in sorted(recipe.env.items())]
        words = [word.canonical() for word in recipe.words]
        return [_VERSION, recipe.shell, words, sorted(inputs, key=str), env, self.names]


def _kind(one: InputPattern) -> bool | str:
    """Return what an input is, in the words that identities have had since files were the only kind."""
    return one.source.value if one.is_tree else one.is_file


def _encoded(value: Sequence[object]) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
