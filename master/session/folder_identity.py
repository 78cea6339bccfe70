"""The identity of a folder.

By it a file knows whether it came to where it lies with a copy of its folder.

A copy of a project that is made while its sweep runs brings along the secrets of that run and the
address of its master. To use them from the copy would steer the run of the original, and take in
what its clients deliver.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEY = "folder"  # name of the identity in secrets.json and master.json


def folder_identity(folder: Path) -> str:
    """Return device and inode of a folder, as text.

    A renamed folder keeps both, and a copy has others. A path would change with the name.
    """
    status = os.stat(folder)  # follows links: a link to the folder is the same folder
    return f"{status.st_dev}:{status.st_ino}"


def same_folder(facts: Mapping[str, Any], folder: Path) -> bool:
    """Tell whether these facts were written in this folder.

    spe 0.1.0 wrote no identity: its facts count as written here.
    """
    return facts.get(KEY, "") in ("", folder_identity(folder))
