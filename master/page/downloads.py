"""Files of results: sent to be saved, and images to be shown."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from aiohttp import web

from ..model import Output
from ..record import record
from ..results.trees import files_of
from ..session.run_folder import Folder, real

#: What browsers show by themselves. No SVG: it is a document, which may hold scripts.
IMAGES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
LARGEST = 4_000_000  # bytes of an image in a table of fifty rows


@record
class Shown:
    """A result that is a file, in a cell of the table.

    `image`: the place of the first image among its files, None without one that can be shown.
    """

    value: str
    image: int | None
    count: int  # of files


def shown(output: Output) -> Shown:
    """Return how a result that is a file is shown in a table."""
    files = files_of(output)
    images = (n for n, (path, size) in enumerate(files) if _kind(path) and 0 < size <= LARGEST)
    return Shown(output.value, next(images, None), len(files))


def _kind(path: str) -> str:
    return IMAGES.get(PurePosixPath(path).suffix.lower(), "")


def path_of(folder: Folder, output: Output | None, index: int) -> Path | None:
    """Return where a file of a result is; None where it has none, or one outside of the folder."""
    files = files_of(output) if output else []
    if not 0 <= index < len(files):
        return None
    root = real(folder).resolve()
    path = (root / files[index][0]).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        return None
    return path


def sent(number: int, path: Path, is_shown: bool) -> web.FileResponse:
    """Return the answer with a file of set `number`: to be saved, or an image to be shown."""
    if is_shown and (kind := _kind(path.name)):
        # An open page draws its part again and again, and need not fetch all images each time.
        return web.FileResponse(path, headers={"Content-Type": kind, "Cache-Control": "private, max-age=60"})
    return web.FileResponse(path, headers=saved_as(f"{number}-{path.name}", "application/octet-stream"))


def saved_as(name: str, kind: str) -> dict[str, str]:
    """Return the headers of an answer that is to be saved under this name."""
    name = name.encode("ascii", "replace").decode()
    # A quote would end the parameter of the header, a backslash change it.
    name = re.sub(r'["\\?]', "_", name)
    return {"Content-Disposition": f'attachment; filename="{name}"', "Content-Type": kind}
