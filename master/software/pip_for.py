"""Runs pip for the Python of another machine: `python -m spe.software.pip_for MARKERS ARGUMENTS…`.

pip chooses wheels for any Python that `--python-version` and `--platform` describe, but it decides
about markers (`numpy; python_version < "3.8"`) by the Python that runs it. So the markers of that
other Python are put in their place. A resolver of our own was rejected; so was uv, which knows no
Python older than 3.7.

pip ends at the first package without a wheel. So `missing` in the place of `download` looks up all
of the requirements file and prints, for each without a wheel, the versions that have one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

LOOK_UP = "missing"  # a command of ours
MISSING = "spe: missing: "  # before the JSON of a package and its versions


def main(arguments: Sequence[str]) -> int:
    """Run pip with these arguments behind the markers, a JSON object. Return its exit code."""
    from pip._internal.cli.main import main as run_pip
    from pip._vendor.packaging import markers

    environment = json.loads(arguments[0])
    markers.default_environment = lambda: environment  # type: ignore[assignment,unused-ignore]
    if arguments[1] != LOOK_UP:
        return int(run_pip(list(arguments[1:])))
    for found in _missing(arguments[2:]):
        print(MISSING + json.dumps(found), flush=True)
    return 0


def _missing(arguments: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the packages that these arguments of pip name and that have no wheel, with versions."""
    from pip._internal.cli.cmdoptions import make_target_python
    from pip._internal.commands.download import DownloadCommand

    command = DownloadCommand("download", "")
    with command.main_context():
        options, words = command.parse_args(list(arguments))
        options.editables = []  # as `pip download` does it
        session = command.get_default_session(options)
        finder = command._build_package_finder(
            options=options, session=session, target_python=make_target_python(options)
        )
        for one in command.get_requirements(words, options, finder, session):
            if one.constraint or one.link or not one.name or not one.match_markers():
                continue
            best = finder.find_best_candidate(one.name, one.specifier)
            if best.best_candidate is None:
                there = {candidate.version for candidate in finder.find_all_candidates(one.name)}
                yield str(one.req), [str(version) for version in sorted(there, reverse=True)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
