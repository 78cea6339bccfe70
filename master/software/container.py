"""The container of a sweep: an image that travels to each home, and the program that runs it."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError
from ..record import record
from .build import Build, BuildFile, file_of

PROGRAMS = ("apptainer", "singularity")
IMAGE = "image.sif"


@record
class ContainerSource:
    """The `container:` of spe.yaml: an image in one file."""

    written: str
    file: BuildFile
    keep: bool

    def build(self) -> Build:
        """Return the build that brings the image to a home."""
        return Build(
            "container",
            f"container: {self.written}",
            (self.file,),
            keep=self.keep,
            programs=PROGRAMS,
            image=IMAGE,
        )


def find_container(written: str, folder: Path, keep: bool) -> ContainerSource:
    """Return the image with its digest. Raises ConfigError, without a place, for a wrong one."""
    path = folder / written
    todo = "Name an image in one file (SIF): `apptainer build image.sif docker://IMAGE` makes one."
    if "://" in written:
        raise ConfigError(f"{written} is an address, and hosts fetch nothing themselves", todo=todo)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise ConfigError(f"the image {written} {what}", todo=todo)
    try:
        file = file_of(path, IMAGE)
    except OSError as error:
        raise ConfigError(
            f"the image {written} can't be read: {error.strerror}", todo=todo
        ) from error
    if file.size == 0:
        raise ConfigError(f"the image {written} is empty, as after a download that failed", todo=todo)
    return ContainerSource(written, file, keep)
