"""The platform of a worker's file, read from its head, and whether a host can run it.

A wrong alarm would be worse than none: what is not known counts as running. A kernel may hand
foreign binaries to an emulator (qemu by binfmt_misc), and a file that spe.yaml names for the very
platform is what the user wants.
"""

from __future__ import annotations

import errno
import os
import struct
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import ConfigError
from ...model import Host, Worker, WorkerFile

_HEAD = 64  # bytes: the whole header of a 64-bit ELF file
# e_machine -> name, as `uname -m` has it; by class and byte order where these differ.
_MACHINES = {
    0x03: "i386",
    0x08: "mips",
    0x14: "ppc",
    0x16: "s390x",
    0x28: "arm",
    0x2B: "sparc64",
    0x3E: "x86_64",
    0xB7: "aarch64",
    0x102: "loongarch64",
}
_POWER, _RISCV = 0x15, 0xF3
# Machine of a host -> binaries that its kernel runs by itself. Others: not known, no alarm.
_RUNS = {
    "x86_64": {"x86_64", "i386"},
    "aarch64": {"aarch64", "arm"},
    "ppc64le": {"ppc64le"},
    "ppc64": {"ppc64", "ppc"},
    "riscv64": {"riscv64", "riscv32"},
    "s390x": {"s390x"},
    "loongarch64": {"loongarch64"},
}


def check_platform(worker: Worker | None, hosts: Sequence[Host]) -> Iterator[ConfigError]:
    """Yield the mistake of a worker that this machine cannot run, where all work is done here.

    What other hosts are is known when they have registered: see wire/files.py.
    """
    if worker is None or not all(host.is_here for host in hosts):
        return
    here = f"linux-{os.uname().machine}"
    file = worker.for_platform(here)
    found = foreign(worker, here)
    if file is None or not found or _is_emulated(_head(file)):
        return
    yield ConfigError(
        f"{worker.name} is a program for {found}, and this machine is {here}",
        where=str(file.path),
        todo=f"Compile it for {here}, or name one for each platform: `worker: {{{here}: FILE}}`.",
    )


def foreign(worker: Worker, platform: str) -> str:
    """Return the platform of the file that hosts of this one get; "" where they may run it."""
    file = worker.for_platform(platform)
    if file is None or worker.files.get(platform) is file:
        return ""  # named for this very platform: maybe these hosts have an emulator
    binary = elf_platform(_head(file))
    return "" if runs_there(binary, platform) else f"linux-{binary}"


def elf_platform(head: bytes) -> str:
    """Return the machine of an ELF file by its first bytes; "" where it is none, or not known."""
    if len(head) < 20 or not head.startswith(b"\x7fELF"):
        return ""
    is_64, is_little = head[4] == 2, head[5] == 1
    (machine,) = struct.unpack("<H" if is_little else ">H", head[18:20])
    if machine == _POWER:
        return "ppc64le" if is_little else "ppc64"
    if machine == _RISCV:
        return "riscv64" if is_64 else "riscv32"
    return _MACHINES.get(machine, "")


def runs_there(binary: str, platform: str) -> bool:
    """Return whether hosts of a platform such as `linux-x86_64` may run binaries of a machine."""
    system, _, machine = platform.partition("-")
    if not binary or system != "linux" or machine not in _RUNS:
        return True
    return binary in _RUNS[machine]


def _head(file: WorkerFile) -> bytes:
    with file.path.open("rb") as stream:
        return stream.read(_HEAD)


def _is_emulated(head: bytes) -> bool:
    """Return whether this kernel starts something for binaries of this kind; True if that is unknown.

    Asked of the kernel, as /proc/sys/fs/binfmt_misc is hidden in containers: a file with this head
    and nothing in it is an Exec format error, or else an emulator is started and says what it thinks
    of it. The user's program itself is not run.
    """
    import tempfile  # late: almost no run comes here

    with tempfile.TemporaryDirectory(prefix="spe-probe-") as folder:
        probe = Path(folder, "probe")
        probe.write_bytes(_without_content(head))
        probe.chmod(0o700)
        try:
            subprocess.run([probe], capture_output=True, timeout=10, check=False)
        except OSError as error:
            return error.errno != errno.ENOEXEC
        except subprocess.TimeoutExpired:
            return True
    return True


def _without_content(head: bytes) -> bytes:
    """Return the head of an ELF file that has no segments and no sections."""
    known = head[:24]  # what it is, and for which machine
    return known + bytes(_HEAD - len(known))
