"""spe, Simple Parallel Exec: one program over many parameter sets on every machine you reach, one table of results."""

from __future__ import annotations

from .version import __version__

TYPE_CHECKING = False  # as typing's, without loading it: `import spe` loads nothing
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from .api.watch import Watch

__all__ = ["__version__", "watch"]


def watch(
    sweep: str | Path,
    changed: Callable[[dict[str, Any], dict[str, Any]], object] | None = None,
    noted: Callable[[dict[str, Any]], object] | None = None,
) -> Watch:
    """A copy of how a running sweep stands, kept up to date. `sweep`: its name, or its folder runs/<name>/.

    `changed(state, change)` is called with each change, `noted(note)` with each event, as soon as you iterate over it,
    `run()` it to its end, or `start()` it in a thread.
    """
    from .api.watch import Watch, folder_of

    return Watch(folder_of(sweep), changed, noted)
