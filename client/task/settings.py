"""The settings that a client gives its hands when they start."""

from typing import Dict, NamedTuple, Optional

from ..shared.originals import Original
from ..software.software import Container


class Settings(NamedTuple):
    """The settings that hold for all tasks of one client, from its registration to its end."""

    base: str  # the folder of the client, in which the places of tasks lie
    environment: Dict[bytes, bytes]  # variables of all programs, beside those of their tasks
    worker: Optional[Original]
    together: bool  # True: the master takes several results at once
    max_result: int  # bytes, 0 for no limit
    lists_files: bool  # True: the master wants lists of files beside results, too
    keep_failed: int = 0  # bytes of the files of a failed attempt that the master may ask for
    container: Optional[Container] = None  # what runs the commands of tasks; None: nothing does
