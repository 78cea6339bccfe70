"""The design of a sampler from one run to the next: whether its points are extended, or other ones."""

from __future__ import annotations

import json

from ..config.samples import Method, SampleSpec
from ..errors import UsageError
from ..store.store import Store
from ..sweep.program import ProgramChange
from ..sweep.sweep import Sweep

META = "design"  # setting of the store: the sampler of the last run


async def check_design(store: Store, sweep: Sweep, change: ProgramChange) -> None:
    """Raise UsageError where more points of a Latin hypercube are asked for.

    They have no point in common with the ones that are done, whose results would be of no use.
    """
    spec = sweep.config.parameters.sample
    if spec is None or spec.method is not Method.LHS or change is ProgramChange.FRESH:
        return
    before = json.loads(await store.meta(META, "null"))
    today = _record(spec)
    if not before or before["n"] == spec.n or {**before, "n": spec.n} != today:
        return
    if await store.anything_done():
        what = (
            f"a Latin hypercube cannot be extended: its {spec.n} points are others than the "
            f"{before['n']} of before"
        )
        todo = (
            "`--fresh` runs the new ones; sobol and halton are extended by more points; "
            "or give the sweep another name (`name:`, -n)."
        )
        raise UsageError(what, todo=todo)


def design_of(sweep: Sweep) -> str:
    """Return what is stored of the sampler of this run, for the next one."""
    spec = sweep.config.parameters.sample
    return json.dumps(_record(spec)) if spec else "null"


def _record(spec: SampleSpec) -> dict[str, object]:
    space = {name: [one.low, one.high, one.is_log] for name, one in spec.space.items()}
    return {"method": str(spec.method), "n": spec.n, "seed": spec.seed, "space": space}
