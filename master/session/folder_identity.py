"""Whether a file was written in the folder that it lies in now, or came there with a copy of that folder.

A copy of a project that is made while its sweep runs brings along the secrets of that run and the address of its
master. To use them from the copy would steer the run of the original, and take in what its clients deliver.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEY = "folder"  # under which the identity stands in secrets.json and master.json


def folder_identity(folder: Path) -> str:
    """Device and inode: a renamed folder keeps both, a copy has others. A path would be lost by the renaming."""
    status = os.stat(folder)
    return f"{status.st_dev}:{status.st_ino}"


def same_folder(facts: Mapping[str, Any], folder: Path) -> bool:
    """Whether these facts were written in this folder. Those of spe 0.1.0, which did not say it, count as such."""
    return facts.get(KEY, "") in ("", folder_identity(folder))
