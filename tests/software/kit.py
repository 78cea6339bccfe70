"""Tiny wheels, an apptainer that checks its arguments, and a bench that has both."""

from __future__ import annotations

import base64
import ensurepip
import hashlib
import os
import sys
import zipfile
from pathlib import Path

from cli.kit import Bench

#: A program of that name where none can be installed. It knows what `spe` may say, refuses anything else, and shows
#: its command a world in which only what it was told arrives. The command is its child, as with apptainer, whose
#: process waits outside of the image, passes on signals, and ends as the command ended.
APPTAINER = f"""#!{sys.executable}
import os, signal, sys
words = sys.argv[1:]
assert words.pop(0) == "exec", sys.argv
binds, here = [], None
while words[0].startswith("-"):
    option = words.pop(0)
    if option == "--bind":
        binds.append(words.pop(0))
    elif option == "--pwd":
        here = words.pop(0)
    else:
        sys.exit("unknown option " + option)
image = words.pop(0)
with open(image) as file:
    world = file.read().strip()
assert here in binds and all(os.path.isabs(one) and os.path.isdir(one) for one in binds), binds
prefix = "APPTAINERENV_"
env = {{name: value for name, value in os.environ.items() if not name.startswith(("SPE_", prefix))}}
env.update({{name[len(prefix):]: value for name, value in os.environ.items() if name.startswith(prefix)}})
env["IN_IMAGE"] = world
child = 0
def pass_on(number, frame):
    if child:
        os.kill(child, number)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, pass_on)
child = os.fork()
if child == 0:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.chdir(here)
    os.execvpe(words[0], words, env)
_, status = os.waitpid(child, 0)
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
"""


def wheel(folder: Path, name: str, version: str, tag: str = "py3-none-any", needs: str = "", text: str = "") -> Path:
    """Write a wheel with one module, whose VERSION is its version."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    if needs:
        metadata += f"Requires-Dist: {needs}\n"
    files = {
        f"{name}.py": text or f"VERSION = {version!r}\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as file:
        record = []
        for inner, content in files.items():
            file.writestr(inner, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
            record.append(f"{inner},sha256={digest},{len(content)}")
        file.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,"]) + "\n")
    return path


class SoftwareBench(Bench):
    """A bench whose pip finds wheels in a folder, as the user's own configuration may say."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.wheels = root / "wheels"
        bundled = next(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"))
        self.wheels.mkdir()
        (self.wheels / bundled.name).write_bytes(bundled.read_bytes())
        # pip asks rustc for its version, and rustup makes a folder in the home for that.
        self.environment |= {"RUSTUP_HOME": str(root / "rustup")}
        self.environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels)}

    def apptainer(self, name: str = "apptainer") -> None:
        """Have a program of that name in the PATH of this bench."""
        text = APPTAINER.replace("APPTAINERENV_", f"{name.upper()}ENV_")
        program = self.root / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
        self.environment["PATH"] = f"{program.parent}{os.pathsep}{self.environment['PATH']}"

    @property
    def made(self) -> list[str]:
        """What clients say that they have made."""
        log = (self.runs() / "master.log").read_text()
        return [line.rpartition("spe-client: making ")[2] for line in log.splitlines() if "client: making" in line]
