"""What a client tells its hands at their start."""

from typing import Dict, NamedTuple, Optional

from ..host.originals import Original


class Settings(NamedTuple):
    """What holds for all tasks here."""

    base: str
    environment: Dict[bytes, bytes]
    worker: Optional[Original]
    together: bool  # whether the master takes several results at once
    max_result: int
    lists_files: bool  # whether the master wants to know which files there are beside a result, too
