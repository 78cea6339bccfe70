"""A sweep of one set, several times: `spe check` tries it on several hosts."""

from __future__ import annotations

from dataclasses import replace

from ..config.config import RetrySpec
from .blocks import Listed
from .identity import Identity
from .parameters import Parameters
from .plan import Sweep

# The parameter by which the copies differ, where there is more than one. A parameter of the user's
# cannot have this name: it is no identifier.
COPY = "spe check"


def first_set_alone(sweep: Sweep, copies: int = 1) -> Sweep:
    """Return a sweep whose sets are `copies` times the first set of this one.

    It tries each copy once, makes the table alone, and hands work to hosts that are loaded, too.
    """
    names = sweep.parameters.names
    cells = tuple(sweep.parameters.check().first.values[name] for name in names)
    blocks = [Listed(names, [cells])]
    recipe, identity = sweep.recipe, sweep.identity
    if copies > 1:
        blocks.append(Listed((COPY,), [(str(number),) for number in range(1, copies + 1)]))
        recipe = replace(recipe, names=(*recipe.names, COPY))
        recipe.find_programs()
        identity = Identity(recipe)
    # Without the collect hooks: they may write where the user keeps results.
    config = replace(sweep.config, collect=("table",))
    if copies > 1:
        # A failure is what is looked for, so it is not repeated on another host.
        config = replace(config, attempts=1, once=True, max_load=None, stop_after=None)
        config = replace(config, retry=RetrySpec())
    return replace(
        sweep, parameters=Parameters(blocks), recipe=recipe, identity=identity, config=config
    )
