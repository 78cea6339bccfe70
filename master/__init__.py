"""spe, Simple Parallel Exec: run one program over many parameter sets on every machine you reach.

The results become one table.
"""

from __future__ import annotations

from .version import __version__

# Stands in for typing.TYPE_CHECKING: `import spe` loads no other module, and typing alone takes
# longer to load than this whole file.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from .api.run import Run
    from .api.sweep import Sweep
    from .api.watch import Watch

__all__ = ["Sweep", "__version__", "open", "watch"]


def __getattr__(name: str) -> Any:
    """Load `spe.Sweep` when somebody asks for it."""
    if name == "Sweep":
        from .api.sweep import Sweep

        return Sweep
    raise AttributeError(f"module 'spe' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what is meant for others, `spe.Sweep` included."""
    return sorted([*__all__, *(one for one in globals() if one.startswith("__"))])


def open(run: str | Path) -> Run:
    """Return a run, finished or running: `spe.open("pi").results().pandas()`.

    `run`: the name of a sweep in the current folder, or its folder runs/<name>/. Raises
    spe.errors.UsageError where nothing ran.
    """
    from .api.run import Run
    from .api.watch import folder_of

    return Run(folder_of(run))


def watch(
    sweep: str | Path,
    changed: Callable[[dict[str, Any], dict[str, Any]], object] | None = None,
    noted: Callable[[dict[str, Any]], object] | None = None,
) -> Watch:
    """Return a copy of a running sweep's state that stays up to date.

    `sweep`: its name, or its folder runs/<name>/. `changed(state, change)` is called with each
    change, `noted(note)` with each event. Nothing happens before you iterate over the returned
    object, `run()` it to the end of the run, or `start()` it in a thread.
    """
    # Imported here: a program that only asks for spe.__version__ need not load the HTTP client.
    from .api.watch import Watch, folder_of

    return Watch(folder_of(sweep), changed, noted)
