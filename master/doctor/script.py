"""The script that looks at a host for `spe doctor`, and what its answers say.

It says one line for each thing that it sees, names what may hang before it begins it, waits at its end for its
standard input to be closed (so that the nonces of all hosts lie there at once), and takes away what it wrote. It makes
no folder.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from ..errors import LaunchError
from ..launch import bundle, faults
from ..launch.offer import Offer
from ..launch.outcome import Code, Outcome
from ..launch.ssh import remote
from ..model import Host
from ..record import record
from .diagnosis import Room, Sighting

WRITTEN = 256 * 1024  # bytes that are written for a test
REACH_LIMIT = 3.0
_LOAD = re.compile(r"(?:load averages?:\s*)?(\d+[.,]\d+)")

_REACH = """
import socket, sys
said = ""
sys.stdout.write("spe: version %s\\n" % sys.version.split()[0])
for address in sys.argv[3:]:
    try:
        sock = socket.create_connection((address, int(sys.argv[1])), float(sys.argv[2]))
        said = "nonce " + sock.makefile("r").readline().strip()[:64]
        break
    except socket.timeout:
        said = "no answer within %s s" % sys.argv[2]
    except (OSError, ValueError):
        said = str(getattr(sys.exc_info()[1], "strerror", "") or sys.exc_info()[1])
sys.stdout.write("spe: reach %s\\n" % said)
"""

# Behind the client's writers.py: what it finds, in lines of the script's.
_WRITERS = """
import sys
found = others(os.path.abspath(sys.argv[1]))
for pair in found._asdict().items():
    os.write(1, os.fsencode("spe: writers_%s %s\\n" % pair))
"""

# Set before it: name, sha256, python, probe_text (see remote.py), workdir, run, nonce, written (KiB), port, limit,
# address ("": none), reach_text, writers_text.
_SCRIPT = (
    remote.FIND_PYTHON
    + r"""
LC_ALL=C; export LC_ALL
unset OMP_NUM_THREADS OMP_THREAD_LIMIT # nproc believes them
say begin
say clock "$(date +%s)"
say platform "$(uname -s)-$(uname -m)"
say user "$(id -un)"
say cores "$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)"
read -r load rest 2>/dev/null </proc/loadavg || load=$(uptime)
say load "$load"
parent=${XDG_CACHE_HOME:-$HOME/.cache}
client=$parent/spe/$name
mine= tried=
trap 'rm -f $tried ${mine:+"$mine"}' EXIT
trap 'exit 1' HUP INT TERM
existing() { # the nearest folder that is there
    near=$1
    while [ ! -d "$near" ] && [ "$near" != / ] && [ "$near" != . ]; do near=$(dirname "$near"); done
}
one_line() { printf '%s' "$1" | tr '\n' ' '; }
room() { # KIND FOLDER FILE: leaves the file there, empty, if it can be made
    say doing "$1" "$2"
    say "$1" "$2"
    say "$1_df $(df -Pk "$2" 2>/dev/null | tail -n 1) "
    say "$1_dfi $(df -Pi "$2" 2>/dev/null | tail -n 1) "
    why=$( (: >"$3") 2>&1) || { say "$1_fault $(one_line "${why:-cannot write into $2}")"; return 1; }
    why=$(dd if=/dev/zero of="$3" bs=1024 count="$written" 2>&1) || say "$1_fault $(one_line "$why")"
    (: >"$3") 2>/dev/null
}
say doing python
python_code=41
find_python
python_code=$?
say python_code "$python_code"
case $python_code in
    0 | 43)
        say python "$found"
        "$found" -c "$reach_text" "$port" "$limit" $address </dev/null 2>&1 & ;;
    *)
        for other in /usr/libexec/platform-python /usr/local/bin/python3* /opt/*/bin/python3 \
            "$HOME"/*conda3/bin/python3 "$HOME"/miniforge3/bin/python3 "$HOME"/.pyenv/versions/*/bin/python3; do
            [ -x "$other" ] || continue
            probe "$other" "$client" >/dev/null
            case $? in 0 | 43) say elsewhere "$other"; break ;; esac
        done ;;
esac
existing "$parent/spe"
mine=$near/$nonce
if room home "$near" "$mine"; then
    for file in "$near/.home-$run"-*; do say "seen ${file##*/}"; done
else
    mine=
fi
case $workdir in "~"|"~/"*) workdir=$HOME${workdir#"~"} ;; esac
tmp=${TMPDIR:-/tmp}
[ -z "$XDG_RUNTIME_DIR" ] || case $tmp/ in "${XDG_RUNTIME_DIR%/}"/*) tmp=/tmp ;; esac # as the client passes it over
workdir=${workdir:-$tmp}
case $python_code in 0 | 43) "$found" -c "$writers_text" "$workdir" </dev/null 2>&1 ;; esac
existing "$workdir"
ours=0
for lock in "$near"/spe-*/client.lock; do [ -e "$lock" ] && ours=$((ours + 1)); done
say ours "$ours"
if cd "$near" 2>/dev/null; then
    tried=./$nonce.try # relative: no blank in it
    if room workdir "$near" "$tried"; then
        (printf '#!/bin/sh\nexit 0\n' >"$tried") 2>/dev/null && chmod 700 "$tried" && {
            "$tried" 2>/dev/null
            say runs $?
        }
    fi
    rm -f "$tried"
else
    say workdir "$near"
    say workdir_fault "cannot enter $near: Permission denied"
fi
say doing reach
wait
say end
read -r word
exit 0
"""
)


@record
class Questions:
    """What every host is asked."""

    offer: Offer  # the client that it would get, the master's port and address
    run: str  # begins the name of every nonce
    nonce: str  # that the door tells

    def script(self, host: Host, address: str | None, own: str) -> str:
        """The script for one host; `own` is its own nonce."""
        words = remote.basics(host, self.offer) | {
            "python": host.python or (sys.executable if host.is_here else ""),
            "run": self.run, "nonce": own, "workdir": host.workdir or "", "written": str(WRITTEN // 1024),
            "port": str(self.offer.port), "limit": f"{REACH_LIMIT:g}", "address": address or "", "reach_text": _REACH,
            "writers_text": bundle.client_module("host/writers.py") + _WRITERS,
        }  # fmt: skip
        return remote.assigned(words) + _SCRIPT


def understood(seen: Sighting, lines: list[str], nonce: str) -> Sighting:
    """What the lines of a host say, written into the sighting."""
    said = dict(_pairs(lines))
    seen.platform, seen.user = said.get("platform", "").lower(), said.get("user", "")
    seen.cores, seen.ours = _number(said.get("cores")), _number(said.get("ours")) or 0
    match = _LOAD.search(said.get("load", ""))
    seen.load = float(match[1].replace(",", ".")) if match else None
    seen.python = f"{said.get('python', '')} {said.get('version', '')}".strip()
    seen.python_elsewhere = said.get("elsewhere", "")
    seen.python_error = _python_error(seen.host, lines, said.get("python_code", ""))
    seen.home, seen.workdir = _room(said, "home"), _room(said, "workdir")
    seen.everybody = said.get("writers_everybody", "")
    seen.writers = said.get("writers_who", ""), said.get("writers_where", "")
    seen.runs_programs = said["runs"] == "0" if "runs" in said else None
    seen.seen = frozenset(line.removeprefix("spe: seen ") for line in lines if line.startswith("spe: seen "))
    if "reach" in said:
        seen.reached = said["reach"] == f"nonce {nonce}"
        answer = "something else answers" if said["reach"].startswith("nonce") else said["reach"]
        seen.unreached_why = "" if seen.reached else answer
    return seen


def doing(lines: list[str]) -> str:
    """What a host was at when nothing more came of it."""
    words = next((line.removeprefix("spe: doing ") for line in reversed(lines) if line.startswith("spe: doing ")), "")
    kind, _, path = words.partition(" ")
    return {
        "python": "looking for a Python",
        "home": f"writing into its home ({path})",
        "workdir": f"writing into its working folder ({path})",
        "reach": "trying to reach the master",
    }.get(kind, "waiting for the first word of its shell (does its home hang?)")


def _pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if line.startswith("spe: "):
            key, _, value = line.removeprefix("spe: ").partition(" ")
            yield key, value.strip()


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _room(said: dict[str, str], kind: str) -> Room | None:
    if kind not in said:
        return None
    disk, files = (faults.room(f" {said.get(key, '')} ") for key in (f"{kind}_df", f"{kind}_dfi"))
    return Room(
        said[kind],
        disk[0] * 1024 if disk else None,
        disk[1] * 1024 if disk else None,
        files[0] if files else None,
        files[1] if files else None,
        said.get(f"{kind}_fault", ""),
    )


def _python_error(host: Host, lines: list[str], code: str) -> LaunchError | None:
    if not code or int(code) in (0, Code.NO_CLIENT):
        return None
    start = next(number for number, line in enumerate(lines) if line == "spe: doing python")
    end = next(number for number, line in enumerate(lines) if line.startswith("spe: python_code"))
    return faults.of(Outcome(int(code), tuple(lines[start + 1 : end])), host)
