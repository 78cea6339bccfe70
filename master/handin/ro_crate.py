"""The metadata of a zip as RO-Crate has it: what each file is, and which run made it.

Of the profiles it is Process Run Crate: one action, in which a program made results of inputs. The
library `rocrate` only makes the metadata; a zip that it writes itself would read each file twice.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from ..record import record
from ..table.extras import library
from ..version import __version__
from .facts import Facts
from .manifest import DIGESTS, FAILED, NAME, REPORT, RESULTS, SETS, SUMS, SWEEP, TABLE, Role
from .methods import methods

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
CONTEXT = "https://w3id.org/ro/terms/workflow-run/context"  # it has the term sha256
MOST_FILES = 1000  # result files with an entry each; of more their folder has one
NO_LICENSE = "No license is given: ask the author before you use it."
_FORMATS = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".txt": "text/plain",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_OURS = {
    TABLE: "Table of results: a row for each finished set",
    FAILED: "Sets without a result, with reasons",
    SETS: "Parameters of all sets",
    DIGESTS: "SHA-256 of texts and files among the results, set by set",
    REPORT: "Report of the run, for people",
    NAME: "Record of the files, for spe replay",
    f"{SWEEP}spe.yaml": "Description of the sweep",
}
_ROLES = {Role.SWEEP: "Part of the sweep", Role.PROGRAM: "Program", Role.INPUT: "Input"}


@record
class Packed:
    """A file of the zip. `role`: of a sweep's file; None for results and for what spe made."""

    name: str
    sha256: str
    size: int
    role: Role | None = None


@record
class Credits:
    """What people say of a zip."""

    authors: Sequence[str] = ()
    license: str = NO_LICENSE


def metadata(facts: Facts, files: Sequence[Packed], credits: Credits) -> str:
    """Return ro-crate-metadata.json. Raises UsageError without the library."""
    rocrate = library("rocrate.rocrate", "spe export")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that its files are not read by the library
        return _Maker(rocrate.ROCrate(version="1.1"), facts).text(files, credits)


class _Maker:
    """Makes one crate's metadata."""

    def __init__(self, crate: Any, facts: Facts) -> None:
        self._crate, self._facts = crate, facts
        self._context = library("rocrate.model.contextentity", "spe export").ContextEntity

    def text(self, files: Sequence[Packed], credits: Credits) -> str:
        """Return the metadata as JSON."""
        crate, facts = self._crate, self._facts
        crate.metadata.extra_contexts.append(CONTEXT)
        crate.name = f"{facts.name}: results of a parameter sweep"
        crate.description = methods(facts)
        crate.license = self._license(credits.license)
        profile = {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
        crate.root_dataset["conformsTo"] = self._add(PROFILE, profile)
        authors = [
            self._add(f"#author-{at}", {"@type": "Person", "name": name})
            for at, name in enumerate(credits.authors, 1)
        ]
        if authors:
            crate.root_dataset["author"] = _one_or_more(authors)
        crate.root_dataset["mentions"] = self._run(self._files(files), authors)
        return json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False)

    def _license(self, text: str) -> Any:
        id_ = text if text.startswith(("http://", "https://")) else "#license"
        return self._add(id_, {"@type": "CreativeWork", "name": text, "description": text})

    def _add(self, id_: str, properties: Mapping[str, Any]) -> Any:
        return self._crate.add(self._context(self._crate, id_, properties=dict(properties)))

    def _files(self, files: Sequence[Packed]) -> dict[str, list[Any]]:
        """Add the files; return them by what they are to the run."""
        found: dict[str, list[Any]] = {"object": [], "result": [], "program": []}
        folder = f"{RESULTS}files/"
        many = sum(one.name.startswith(folder) for one in files) > MOST_FILES
        if many:
            text = f"Files among the results, a folder for each set; {SUMS} has their SHA-256"
            what = {"name": "files", "description": text}
            found["result"].append(self._crate.add_directory(None, folder, properties=what))
        for one in files:
            if many and one.name.startswith(folder):
                continue
            entity = self._crate.add_file(None, one.name, properties=_described(one))
            if one.role is Role.PROGRAM:
                found["program"].append(entity)
            elif one.role is not None:
                found["object"].append(entity)
            elif one.name.startswith(RESULTS) and one.name not in (SETS, DIGESTS):
                found["result"].append(entity)
            elif one.name == SETS:
                found["object"].append(entity)
        return found

    def _run(self, files: Mapping[str, list[Any]], authors: Sequence[Any]) -> Any:
        """Add the action: a program made results of inputs, from then to then."""
        facts, span = self._facts, self._facts.span
        spe = {"@type": "SoftwareApplication", "name": "spe (Simple Parallel Exec)"}
        spe["softwareVersion"] = facts.version or __version__
        text = f"The program of the sweep, run by the command {facts.command or '(not recorded)'}"
        program = {"@type": "SoftwareApplication", "name": _program_name(facts), "description": text}
        digests = [one for share in facts.programs for one in (share.parts or {}).values()]
        if digests:
            program["softwareVersion"] = "SHA-256 " + ", ".join(dict.fromkeys(digests))
        instrument = self._add(_program_id(digests), program)
        if files["program"]:
            instrument["hasPart"] = _one_or_more(files["program"])
        instrument["softwareRequirements"] = self._add("#spe", spe)
        undone = facts.statistics.total - span.rows
        action = {
            "@type": "CreateAction",
            "name": f"Run of the sweep {facts.name}",
            "description": methods(facts),
            "startTime": _iso(span.began),
            "endTime": _iso(span.ended),
            "actionStatus": f"http://schema.org/{'Failed' if undone else 'Completed'}ActionStatus",
        }
        if undone:
            action["error"] = f"{undone} of {facts.statistics.total} sets gave no result"
        run = self._add("#run", action)
        run["instrument"] = instrument
        run["object"] = _one_or_more(files["object"])
        run["result"] = _one_or_more(files["result"])
        if authors:
            run["agent"] = _one_or_more(authors)
        return run


def _one_or_more(entities: Sequence[Any]) -> Any:
    """Return a single entity as such, not as a list of one: so RO-Crate recommends it."""
    return entities[0] if len(entities) == 1 else list(entities)


def _program_id(digests: Sequence[str]) -> str:
    """Return the URI of a program, the same in all crates: its SHA-256 as RFC 6920 writes it.

    Of a program of several files, or in several versions, the SHA-256 of theirs, a line each.
    """
    if not digests:
        return "#program"
    known = list(dict.fromkeys(digests))
    lines = "".join(f"{one}\n" for one in known).encode()
    found = bytes.fromhex(known[0]) if len(known) == 1 else hashlib.sha256(lines).digest()
    return "ni:///sha-256;" + base64.urlsafe_b64encode(found).decode().rstrip("=")


def _program_name(facts: Facts) -> str:
    return PurePosixPath((facts.command.split() or ["program"])[0]).name or "program"


def _described(one: Packed) -> dict[str, str]:
    path = PurePosixPath(one.name)
    text = _OURS.get(one.name) or (_ROLES[one.role] if one.role else "Result of a set")
    found = {"name": path.name, "description": text, "sha256": one.sha256}
    found["contentSize"] = str(one.size)
    found["encodingFormat"] = _FORMATS.get(path.suffix.lower(), "application/octet-stream")
    return found


def _iso(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(timespec="seconds")
