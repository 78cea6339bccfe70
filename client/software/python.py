"""The Python that tasks find, as the master has to know it to choose wheels."""

import shutil
import subprocess
import sys
from typing import Dict

from .. import exits

# It runs in that Python, which may be another one than ours. JSON in one line, in the words of
# docs/protocol.md.
SCRIPT = r"""
import glob, json, os, platform, re, subprocess, sys, sysconfig
libc, version = platform.libc_ver()
for name in glob.glob("/lib/ld-musl-*") if libc != "glibc" else []:
    process = subprocess.Popen([name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = re.search(rb"Version (\S+)", process.communicate()[0])
    libc, version = ("musl", found.group(1).decode()) if found else (libc, version)
own = sys.implementation
number = "%d.%d.%d" % own.version[:3]
full = platform.python_version()
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3],
    "platform": sysconfig.get_platform(),
    "libc": libc if libc in ("glibc", "musl") else "",
    "libc_version": version if libc in ("glibc", "musl") else "",
    "executable": sys.executable,
    "markers": {
        "implementation_name": own.name,
        "implementation_version": number,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": full,
        "python_version": ".".join(full.split(".")[:2]),
        "sys_platform": sys.platform,
    },
}))
"""
LIMIT = 60.0  # seconds


def chosen(environment: Dict[str, str]) -> str:
    """Return the Python for tasks: ours, unless `setup:` has brought another one to the front."""
    before = shutil.which("python3")
    now = shutil.which("python3", path=environment.get("PATH", ""))
    return now if now and now != before else sys.executable


def describe(python: str, environment: Dict[str, str]) -> str:
    """Return what the master has to know of this Python, as JSON in one line."""
    try:
        said = subprocess.run(
            [python, "-c", SCRIPT],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=LIMIT,
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise exits.Ending(exits.SOFTWARE, "%s cannot be asked what it is: %s" % (python, fault))
    text = said.stdout.decode("utf-8", "replace").strip()
    if said.returncode or not text:
        last = said.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
        raise exits.Ending(exits.SOFTWARE, "%s cannot be asked what it is: %s" % (python, last))
    return text.split("\n")[-1]
