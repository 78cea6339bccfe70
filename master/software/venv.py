"""The virtual environment of a sweep: wheels that the master downloads, installed on each home.

Hosts need no way to the internet and no pip of their own. For each kind of host Python the wheels
are chosen once and then stay in runs/<name>/: a later run must not compute with other versions.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import re
import shutil
import sys
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError, SpeError
from ..record import record
from ..text import counted, seconds, volume
from . import requirements
from .build import Build, BuildFile, file_of
from .host_python import HostPython
from .missing import NoWheels
from .pip_for import INDEX, LOOK_UP, MISSING, SOURCES
from .pip_words import index_fault, reason

log = logging.getLogger("spe.software")
ARCHIVES = (".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar")
VARIABLES = {"VIRTUAL_ENV": ""}
UNPACKED = "if [ -x bin/conda-unpack ]; then PATH=$PWD/bin:$PATH bin/conda-unpack; fi"
_NO_WHEEL = re.compile(r"No matching distribution found for (.+)")
# pip's list of the versions that have a wheel for the Python in question: "(from versions: none)".
_VERSIONS = re.compile(r"that satisfies the requirement .* \(from versions: (.+)\)")
_CHOSEN = "chosen.json"
TEMPORARY = "tmp"  # a folder for temporary files of pip, beside the wheels that it downloads
# The script runs on hosts, with the Python that the environment is for: 3.6 or newer.
# `--without-pip`, and pip from its wheel: Debian's Python has no ensurepip without python3-venv.
SCRIPT = """
import glob, os, subprocess, sys
os.environ["PIP_CONFIG_FILE"] = os.devnull # that of the host may install elsewhere
def run(*words):
    if subprocess.call(words):
        sys.exit(1)
python = os.path.join("bin", "python")
run(sys.executable, "-m", "venv", "--without-pip", ".")
wheels = sorted(glob.glob("wheels/*.whl"))
pip = sorted(glob.glob("pip/pip-*.whl"))[0] + "/pip"
if wheels:
    run(python, pip, "--isolated", "install", "--quiet", "--no-index", "--no-deps", "--no-cache-dir",
        "--disable-pip-version-check", "--no-warn-script-location", *wheels)
for folder in ("wheels", "pip"):
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        os.unlink(os.path.join(folder, name))
"""


@record
class VenvSource:
    """The `venv:` of spe.yaml: a requirements file, or an archive of a whole environment."""

    written: str
    path: Path
    digest: str  # of the file, and of the requirements files that it includes
    keep: bool

    @property
    def is_archive(self) -> bool:
        """True for an environment that conda-pack or venv-pack made."""
        return self.path.name.endswith(ARCHIVES)

    @property
    def shown(self) -> str:
        """Return it as messages call it."""
        return f"venv: {self.written}"


def find_venv(written: str, folder: Path, keep: bool) -> VenvSource:
    """Return the source of the environment. Raises ConfigError, without a place, for a wrong one."""
    path = folder / written
    if path.is_dir():
        todo = "An environment cannot be copied to other machines; name its requirements file: "
        todo += "`pip freeze > requirements.txt`, or pack it with conda-pack or venv-pack."
        raise ConfigError(f"{written} is a folder", todo=todo)
    if not path.is_file():
        todo = "Name a requirements file, or an archive of conda-pack or venv-pack."
        raise ConfigError(f"the file {written} is not there", todo=todo)
    try:
        if path.name.endswith(ARCHIVES):
            _check_archive(path, written)
        else:
            requirements.check(path, written)
        digest = _digest(path)
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}", todo="Mend the path.") from error
    return VenvSource(written, path, digest, keep)


def _check_archive(path: Path, written: str) -> None:
    """Raise ConfigError, without a place, for a file that hosts could not unpack."""
    if not tarfile.is_tarfile(path):
        what = "is empty" if path.stat().st_size == 0 else "is no tar archive"
        todo = f"Pack the environment again: `{requirements.PACK}`, or venv-pack."
        raise ConfigError(f"the archive {written} {what}", todo=todo)


def _digest(path: Path) -> str:
    """Return the digest of all files that an environment is made of, as far as they lie here."""
    digest = hashlib.sha256()
    if path.name.endswith(ARCHIVES):
        digest.update(bytes.fromhex(file_of(path, path.name).sha256))
    else:
        for file in requirements.files(path):
            digest.update(file.read_bytes())
        digest.update(requirements.values(path).encode(errors="surrogateescape"))
    return digest.hexdigest()


class Wheels:
    """The wheels of one sweep's environment, by the Python of the host. Lives as long as the run."""

    def __init__(
        self, source: VenvSource, folder: Path, say: Callable[[str], None] = lambda line: None
    ) -> None:
        """Keep wheels below `folder`, in runs/<name>/. `say` shows the user a line of progress."""
        self.source, self.folder = source, folder
        self.downloading: list[str] = []  # the Pythons, for people, whose wheels are on their way
        self._say = say
        self._under_way: dict[str, asyncio.Task[Build]] = {}
        self._gate = asyncio.Semaphore(2)  # downloads at a time: each may take all of a network
        for partial in folder.glob("*.part"):  # of a run that was killed
            shutil.rmtree(partial, ignore_errors=True)

    def has(self, python: HostPython) -> bool:
        """Return whether the wheels for this Python have been chosen in this run."""
        made = self._under_way.get(self.key(python))
        return made is not None and made.done() and not made.cancelled() and not made.exception()

    async def build(self, python: HostPython) -> Build:
        """Return the build for this Python. Raises NoWheels when a package has no wheel for it."""
        key = self.key(python)
        if key not in self._under_way:
            making = self._chosen(python, self.folder / key) if key else self._packed()
            # A task of its own: the client that asked first may hang up while others wait.
            self._under_way[key] = asyncio.create_task(making)
        return await asyncio.shield(self._under_way[key])

    def key(self, python: HostPython) -> str:
        """Return a text that is equal for Pythons that get the same wheels; "" for an archive."""
        if self.source.is_archive:
            return ""
        # The release of the kernel is among the markers, and is no reason for other wheels.
        kept = [
            one for one in python.markers if one[0] not in ("platform_release", "platform_version")
        ]
        made_of = [self.source.digest, python.version, python.tags, kept]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]

    async def _packed(self) -> Build:
        """Return the build of an environment that was packed as a whole."""
        file = await asyncio.to_thread(file_of, self.source.path, "environment.tar")
        await asyncio.to_thread(self._check_unchanged)
        return Build(
            "venv",
            self.source.shown,
            (file,),
            ("/bin/sh", "-c", UNPACKED),
            unpack="environment.tar",
            keep=self.source.keep,
            path="bin",
            variables=VARIABLES,
        )

    async def _chosen(self, python: HostPython, folder: Path) -> Build:
        files = await asyncio.to_thread(_read, folder)
        if files is None:
            async with self._gate:
                files = await self._told_download(python, folder)
        if files is None:
            raise SpeError(f"{self.source.shown}: the downloaded wheels are not there any more")
        return Build(
            "venv",
            self.source.shown,
            files,
            ("{python}", "-c", SCRIPT),
            keep=self.source.keep,
            path="bin",
            variables=VARIABLES,
            made_with=f"{python.version} {python.platform} {python.executable}",
        )

    async def _told_download(
        self, python: HostPython, folder: Path
    ) -> tuple[BuildFile, ...] | None:
        """Download wheels, and say so at the beginning and at the end: it may take minutes."""
        begun = time.monotonic()
        self.downloading.append(python.shown)
        self._say(f"{self.source.shown}: downloading wheels for {python.shown}")
        try:
            await self._download(python, folder)
        finally:
            self.downloading.remove(python.shown)
        files = await asyncio.to_thread(_read, folder)
        # Without pip itself, which travels with them.
        wheels = [one for one in files or () if one.name.startswith("wheels/")]
        took = seconds(round(time.monotonic() - begun))
        what = f"{counted(len(wheels), 'wheel')} ({volume(sum(one.size for one in wheels))})"
        if not wheels:
            what = "it names no package"
        self._say(f"{self.source.shown}: {what} for {python.shown} after {took}")
        return files

    async def _download(self, python: HostPython, folder: Path) -> None:
        """Download wheels into `folder`. Raises SpeError with what pip says."""
        partial = folder.with_suffix(".part")
        await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
        (partial / TEMPORARY).mkdir(parents=True)
        wanted = ("-r", str(self.source.path))
        try:
            await asyncio.to_thread(self._check_unchanged)
            await self._pip(python, partial / "wheels", wanted)
            await self._pip(python, partial / "pip", ("--no-deps", "pip"))
            await asyncio.to_thread(self._check_unchanged)
            await asyncio.to_thread(shutil.rmtree, partial / TEMPORARY)
            await asyncio.to_thread(_note, partial)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)  # a damaged one
            partial.rename(folder)
        finally:
            # Nothing is left of a Python without wheels; of the others it has been renamed.
            await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)

    def _check_unchanged(self) -> None:
        """Raise SpeError when a file is not as it was when the run began: rows record its digest."""
        try:
            if _digest(self.source.path) == self.source.digest:
                return
        except OSError:
            pass
        todo = "`spe run` again, once it is as you want it."
        raise SpeError(f"{self.source.shown} was changed while the sweep runs", todo=todo)

    async def _pip(self, python: HostPython, into: Path, wanted: tuple[str, ...]) -> None:
        words = ["--quiet", "--disable-pip-version-check", "--no-input"]
        words += ["--dest", str(into), "--only-binary=:all:", "--python-version", python.version]
        words += ["--implementation", "cp"]
        for tag in python.tags:
            words += ["--platform", tag]
        temporary = into.parent / TEMPORARY
        code, said = await self._run_pip(python, temporary, "download", *words, *wanted)
        if code == 0:
            into.mkdir(exist_ok=True)  # pip makes none for a file without requirements
            sources = sorted(one.name for one in into.iterdir() if one.suffix != ".whl")
        else:
            sources = _noted(said, SOURCES)
        if sources:
            raise self._not_built(python, sources)
        if code == 0:
            return
        first = _NO_WHEEL.search(said)
        if first is None:
            raise NoWheels(self.source.shown, "pip failed", python.shown, detail=reason(said))
        silent = _noted(said, INDEX)
        if silent:
            raise self._no_index(python, silent)
        code, looked_up = await self._run_pip(python, temporary, LOOK_UP, *words, *wanted)
        if code:
            log.info("further packages without a wheel could not be looked up: %s", looked_up)
        raise self._no_wheels(python, _missing(looked_up) or _first(first[1].strip(), said))

    async def _run_pip(
        self, python: HostPython, temporary: Path, *words: str
    ) -> tuple[int, str]:
        """Run pip for another Python. Return its exit code and what it said.

        Its temporary files lie in a folder of ours: they go with it, also where we are killed.
        """
        markers = json.dumps(dict(python.markers))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "spe.software.pip_for", markers),
            *words,
            cwd=self.source.path.parent,
            env={**os.environ, "TMPDIR": str(temporary)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        return process.returncode or 0, output.decode(errors="replace")

    def _no_wheels(
        self, python: HostPython, packages: Mapping[str, Sequence[str] | None]
    ) -> NoWheels:
        todo = f"Name another version in {self.source.written}, or another Python of the host "
        todo += "(python=PATH in the hosts file), or leave the host out."
        if not any(versions is not None for versions in packages.values()):
            todo = f"Mend the name in {self.source.written}, or pip's way to its index."
        what = f"no wheel of {', '.join(packages)}"
        return NoWheels(self.source.shown, what, python.shown, packages, todo)

    def _no_index(self, python: HostPython, faults: Sequence[tuple[str, str]]) -> NoWheels:
        """Return the fault of an index, of which pip says only that it has found no version."""
        found = dict(faults)
        detail = "; ".join(f"{url}: {index_fault(why)}" for url, why in found.items())
        todo = "Does this machine reach it? `pip config list` and the PIP_… variables say where pip looks."
        if any(" 401 " in f" {why}" or " 403 " in f" {why}" for why in found.values()):
            todo = "It wants a user name and a password, or other ones: pip takes them from ~/.netrc, or "
            todo += "from the address of the index (`pip config set global.index-url …`)."
        return NoWheels(
            self.source.shown, "pip's index does not answer as it should", python.shown,
            todo=todo, detail=detail,
        )

    def _not_built(self, python: HostPython, sources: Sequence[str]) -> NoWheels:
        todo = "`pip wheel --no-deps -w wheels FOLDER-OR-ADDRESS` makes a wheel; name its file "
        todo += f"(./wheels/….whl) in {self.source.written}. spe builds no packages from source."
        what = f"no wheel, as this is source code: {', '.join(sources)},"
        return NoWheels(self.source.shown, what, python.shown, todo=todo)


def _noted(said: str, mark: str) -> list[Any]:
    """Return what pip_for has printed behind this mark."""
    lines = [line for line in said.splitlines() if line.startswith(mark)]
    return [json.loads(line.removeprefix(mark)) for line in lines]


def _missing(said: str) -> dict[str, Sequence[str] | None]:
    """Return the packages without a wheel, as pip_for has looked them up, with versions."""
    return dict(_noted(said, MISSING))


def _first(package: str, said: str) -> dict[str, Sequence[str] | None]:
    """Return the package at which pip has ended: another one needs it, so no line names it."""
    found = _VERSIONS.search(said)
    if found is None or found[1] == "none":
        return {package: []}
    return {package: found[1].split(", ")[::-1]}


def _note(folder: Path) -> None:
    """Write down what was downloaded, with checksums: a later run takes these files."""
    found = [
        [str(one.relative_to(folder)), file_of(one, one.name).sha256]
        for one in sorted(folder.glob("*/*.whl"))
    ]
    (folder / _CHOSEN).write_text(json.dumps(found))


def _read(folder: Path) -> tuple[BuildFile, ...] | None:
    """Return the wheels that an earlier run has chosen; None when they are not all there as they were."""
    try:
        noted = json.loads((folder / _CHOSEN).read_text())
        files = tuple(file_of(folder / name, name) for name, _ in noted)
    except (OSError, ValueError):
        return None
    if [one.sha256 for one in files] != [sha256 for _, sha256 in noted]:
        return None
    return files
