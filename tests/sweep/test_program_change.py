"""A worker that is compiled anew while its sweep runs."""

from __future__ import annotations

import hashlib
from pathlib import Path

from spe.model import Worker, WorkerFile
from spe.sweep.program_files import snapshot


def worker(folder: Path, **contents: str) -> Worker:
    files = {}
    for platform, content in contents.items():
        path = folder / f"source-{platform}"
        path.write_text(content)
        digests = [hashlib.new(kind, content.encode()).hexdigest() for kind in ("md5", "sha256")]
        files[platform] = WorkerFile(path, digests[0], digests[1], len(content))
    return Worker("pi", files)


def test_recompiling_during_the_sweep_changes_nothing(tmp_path: Path) -> None:
    source = worker(tmp_path, any="old", linux="other")
    (tmp_path / "session").mkdir()
    copies = snapshot(source, tmp_path / "session")
    assert copies
    (tmp_path / "source-any").write_text("new")
    assert copies.files["any"].path.read_text() == "old"
    assert snapshot(source, tmp_path / "session") == copies, "a master that comes back has the same"
    assert copies.files["any"].path.read_text() == "old"
    assert not list((tmp_path / "session").glob("*.part"))
    assert snapshot(None, tmp_path) is None
