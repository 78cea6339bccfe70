"""A sweep with results of each kind, its zip, and zips that are not what they were."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.kit import Bench, Done

# Set 4 fails. Behind the gate, set 2 gives other results.
PROGRAM = """echo "$1" >> "$LOG"
[ "$1" != 4 ] || { echo "no convergence" >&2; exit 3; }
more=""; [ ! -e "$GATE" ] || [ "$1" != 2 ] || more=1
echo "energy = $1.5$more"
printf 'state %s%s' "$1" "$more" > note.txt
mkdir -p out; printf 'of %s%s\\n' "$(cat mesh.dat)" "$more" > out/trace.csv
"""
SPE_YAML = """command: ./work {{ x }}
parameters: params.csv
inputs:
  mesh.dat: {file: "meshes/{{ mesh }}.dat"}
results:
  energy: {from: stdout, regex: 'energy = (.*)', as: float}
  note: note.txt
  text: {from: note.txt, as: text}
  out: {from: out, as: folder}
attempts: 1
"""
ROWS = "x,mesh\n1,32\n2,32\n3,64\n4,64\n"
WITHOUT = "import sys\nraise ModuleNotFoundError(\"No module named 'rocrate'\", name='rocrate')\n"


@dataclass
class Sweep:
    """A sweep in its folder, and spe."""

    bench: Bench

    def run(self, *words: str) -> Done:
        """`spe run`, after which one set has failed."""
        done = self.bench.spe("run", "-q", *words)
        assert done.code == 1, done
        return done

    def export(self, *words: str, name: str = "x.zip") -> Path:
        """Return the zip that `spe export WORDS` writes."""
        self.bench.ok("export", "-o", name, *words)
        return self.bench.folder / name

    def whole(self, name: str = "x.zip") -> Path:
        """Return a zip with program and inputs, made once."""
        path = self.bench.folder / name
        return path if path.exists() else self.export("--program", "--inputs", name=name)

    def replay(self, path: Path, *words: str, **more: Any) -> Done:
        """`spe replay` in a folder of its own, below the folder of the test."""
        into = self.bench.root / f"into-{len(self.bench.started)}"
        return self.bench.spe("replay", str(path), "--into", str(into), *words, **more)

    def replay_refused(self, path: Path, *words: str) -> str:
        """The same; it exits 2, runs nothing and leaves no folder."""
        into = self.bench.root / f"into-{len(self.bench.started)}"
        said = self.bench.refused("replay", str(path), "--into", str(into), *words)
        assert not into.exists()
        return said


def energy_sweep(bench: Bench) -> Sweep:
    bench.worker(PROGRAM)
    bench.write("spe.yaml", SPE_YAML)
    bench.write("params.csv", ROWS)
    bench.write("meshes/32.dat", "32 cells\n")
    bench.write("meshes/64.dat", "64 cells\n")
    return Sweep(bench)


def without_rocrate(root: Path) -> dict[str, str]:
    """The environment of a Python in which rocrate is not installed."""
    folder = root / "without" / "rocrate"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").write_text(WITHOUT, encoding="utf-8")
    return {"PYTHONPATH": str(folder.parent)}


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as opened:
        return {one.filename: opened.read(one) for one in opened.infolist()}


def rewritten(
    path: Path,
    target: Path,
    change: Callable[[dict[str, bytes]], object],
    with_sums: bool = False,
) -> Path:
    """A zip with other files: `change` gets name -> content. With_sums: their digests are right again."""
    files = contents(path)
    with zipfile.ZipFile(path) as opened:
        attributes = {one.filename: one.external_attr for one in opened.infolist()}
    change(files)
    if with_sums:
        names = [name for name in files if name not in ("SHA256SUMS", "ro-crate-metadata.json")]
        lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in names]
        files["SHA256SUMS"] = "".join(lines).encode()
    with zipfile.ZipFile(target, "w") as made:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = attributes.get(name, 0o100644 << 16)
            made.writestr(info, content)
    return target


def record_of(files: dict[str, bytes]) -> dict[str, Any]:
    """spe.json of a zip."""
    return dict(json.loads(files["spe.json"]))
