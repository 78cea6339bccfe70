"""Runs pip for the Python of another machine: `python -m spe.software.pip_for MARKERS ARGUMENTS…`.

pip chooses wheels for any Python that `--python-version` and `--platform` describe, but it decides
about markers (`numpy; python_version < "3.8"`) by the Python that runs it. So the markers of that
other Python are put in their place. A resolver of our own was rejected; so was uv, which knows no
Python older than 3.7.

pip ends at the first package without a wheel. So `missing` in the place of `download` looks up all
of the requirements file and prints, for each without a wheel, the versions that have one.

What a requirements file names by its folder or address need not be a wheel. pip would download it,
or nothing at all, without a word, and hosts would lack it: so such lines are printed and end it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

LOOK_UP = "missing"  # a command of ours
MISSING = "spe: missing: "  # before the JSON of a package and its versions
SOURCES = "spe: no wheel: "  # before the JSON of a requirement that has to be built
INDEX = "spe: index: "  # before the JSON of an address and why pip cannot read it


def main(arguments: Sequence[str]) -> int:
    """Run pip with these arguments behind the markers, a JSON object. Return its exit code."""
    from pip._internal.cli.main import main as run_pip
    from pip._vendor.packaging import markers

    environment = json.loads(arguments[0])
    markers.default_environment = lambda: environment  # type: ignore[assignment,unused-ignore]
    _tell_index_faults()
    if arguments[1] == LOOK_UP:
        for found in _missing(arguments[2:]):
            print(MISSING + json.dumps(found), flush=True)
        return 0
    sources = _sources(arguments[2:])
    for one in sources:
        print(SOURCES + json.dumps(one), flush=True)
    return 1 if sources else int(run_pip(list(arguments[1:])))


def _tell_index_faults() -> None:
    """Have pip print why it cannot read a page of an index: it goes on as if the page were empty."""
    from pip._internal.index import collector
    from pip._internal.utils.misc import redact_auth_from_url

    pip_tells = getattr(collector, "_handle_get_simple_fail", None)

    def tell(link: Any, reason: object, *rest: Any, **more: Any) -> None:
        answer = getattr(reason, "response", None)
        # 404: the index has no package of this name.
        if getattr(answer, "status_code", 0) != 404:
            found = redact_auth_from_url(link.url), str(reason)
            print(INDEX + json.dumps(found), flush=True)
        if pip_tells:
            pip_tells(link, reason, *rest, **more)

    collector._handle_get_simple_fail = tell


def _sources(arguments: Sequence[str]) -> list[str]:
    """Return the requirements that name a folder, a repository or an archive of sources."""
    from pip._internal.exceptions import PipError
    from pip._internal.utils.misc import redact_auth_from_url

    try:
        links = [one.link for one, _ in _requirements(arguments) if one.link]
    except PipError:  # pip itself is going to say what is wrong
        return []
    return [redact_auth_from_url(link.url) for link in links if not link.is_wheel]


def _missing(arguments: Sequence[str]) -> Iterator[tuple[str, list[str] | None]]:
    """Yield the packages that these arguments of pip name and that have no wheel, with versions.

    None in their place: pip finds nothing of that name.
    """
    for one, finder in _requirements(arguments):
        if one.link or not one.name:
            continue
        best = finder.find_best_candidate(one.name, one.specifier)
        if best.best_candidate is None:
            there = {candidate.version for candidate in finder.find_all_candidates(one.name)}
            versions = [str(version) for version in sorted(there, reverse=True)]
            yield str(one.req), versions if versions or _is_known(one.name, finder) else None


def _is_known(name: str, finder: Any) -> bool:
    """Tell whether pip has seen any file of this package, be it one that does not fit."""
    from pip._vendor.packaging.utils import canonicalize_name

    seen = getattr(finder, "_logged_links", None)
    if seen is None:  # another pip: do not say what is not known
        return True
    links = [one[0] if isinstance(one, tuple) else one for one in seen]
    beginning = canonicalize_name(name) + "-"
    return any(canonicalize_name(link.filename).startswith(beginning) for link in links)


def _requirements(arguments: Sequence[str]) -> Iterator[tuple[Any, Any]]:
    """Yield the requirements that concern this Python, each with pip's finder of packages."""
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
            if not one.constraint and one.match_markers():
                yield one, finder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
