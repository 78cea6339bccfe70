"""Runs pip for the Python of another machine: `python -m spe.software.pip_for MARKERS ARGUMENTS…`.

pip chooses wheels for any Python that `--python-version` and `--platform` describe, but it decides
about markers (`numpy; python_version < "3.8"`) by the Python that runs it. So the markers of that
other Python are put in their place. A resolver of our own was rejected; so was uv, which knows no
Python older than 3.7.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run pip with these arguments behind the markers, a JSON object. Return its exit code."""
    from pip._internal.cli.main import main as run_pip
    from pip._vendor.packaging import markers

    environment = json.loads(arguments[0])
    markers.default_environment = lambda: environment  # type: ignore[assignment,unused-ignore]
    return int(run_pip(list(arguments[1:])))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
