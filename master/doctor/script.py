"""The script that looks at a host for `spe doctor`, and the reader of its answers.

The script prints a line for each thing that it sees, and names each step that may hang before it
begins it. At its end it waits until its standard input is closed, so that the nonces of all hosts
lie there at the same time, and removes what it wrote. It makes no folder.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from ..errors import LaunchError
from ..launch import bundle, faults
from ..launch.neighbours import read_neighbour
from ..launch.offer import Offer
from ..launch.outcome import Code, CommandOutcome
from ..launch.places import PLACES
from ..launch.ssh import remote
from ..model import Host
from ..record import record
from .sighting import FolderState, Sighting

WRITTEN = 256 * 1024  # bytes written for a test
REACH_LIMIT = 3.0  # seconds to connect to the master; less than the time limit of a whole look
_LOAD = re.compile(r"(?:load averages?:\s*)?(\d+[.,]\d+)")

# Run by the host's Python: connect to the master and print the nonce that it answers.
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

# Appended to the client's writers.py: print its findings in the form of the script's lines.
_WRITERS = """
import sys
found = others(os.path.abspath(sys.argv[1]))
for pair in found._asdict().items():
    os.write(1, os.fsencode("spe: writers_%s %s\\n" % pair))
"""

# Appended to the client's neighbours.py, behind writers.py: report them, with a limit as in the client.
_NEIGHBOURS = """
import threading
def report():
    for user, slots in neighbours():
        os.write(1, os.fsencode("spe: neighbour %d %s\\n" % (slots, user_name(user))))
look = threading.Thread(target=report)
look.daemon = True
look.start()
look.join(2.0)
os._exit(0)
"""

# Shell variables set before it: name, sha256, python, probe_text (see remote.py), workdir, run, nonce,
# program, written (KiB), port, limit, address ("": none), reach_text, writers_text.
_SCRIPT = (
    remote.FIND_PYTHON
    + PLACES
    + r"""
LC_ALL=C; export LC_ALL
unset OMP_NUM_THREADS OMP_THREAD_LIMIT # nproc believes them
say clock "$(date +%s)"
say platform "$(uname -s)-$(uname -m)"
say user "$(id -un)"
say cores "$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)"
read -r load rest 2>/dev/null </proc/loadavg || load=$(uptime)
say load "$load"
say home_path "$HOME"
number=1
place
mine= tried=
trap 'spe_end; rm -f $tried ${mine:+"$mine"}' EXIT
trap 'exit 1' HUP INT TERM
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
login() { # the output of a command in a login shell, which gets some seconds
    words="-l -c"
    case ${SHELL##*/} in csh | tcsh) # it takes no options together
        words=-c
        set -- "if ( -r ~/.login ) source ~/.login >& /dev/null; which $program" ;;
    esac
    limited=
    command -v timeout >/dev/null && limited="timeout 3"
    $limited "${SHELL:-/bin/sh}" $words "$1" </dev/null 2>/dev/null
}
suits() { probe "$1" "$client" >/dev/null; case $? in 0 | 43) return 0 ;; *) return 1 ;; esac; }
elsewhere() { # a Python outside of the PATH
    for other in /usr/libexec/platform-python /usr/local/bin/python3* /usr/local/*/bin/python3 \
        /opt/*/bin/python3 /opt/*/*/bin/python3 /opt/*/*/*/bin/python3 \
        /opt/*/bin/python3.*[0-9] \
        /opt/*/*/bin/python3.*[0-9] /sw/*/bin/python3 /sw/*/*/bin/python3 \
        "$HOME"/bin/python3 "$HOME"/.local/bin/python3 \
        "$HOME"/*conda*/bin/python3 "$HOME"/*forge*/bin/python3 "$HOME"/*mamba*/envs/*/bin/python3 \
        "$HOME"/.pyenv/versions/*/bin/python3 "$HOME"/.local/share/uv/python/*/bin/python3; do
        [ -x "$other" ] && suits "$other" && say elsewhere "$other" && return 0
    done
    return 1
}
in_login() { # a Python that a login shell has, or a module there
    login 'p=$(command -v python3) && echo "spe-found - $p"
        for m in python python3 $(module -t avail 2>&1 | grep -i "^python" | sed "s/[(:].*//"); do
            (module load $m >/dev/null 2>&1; p=$(command -v python3) && echo "spe-found $m $p")
        done' | while read -r mark module other; do
        [ "$mark" = spe-found ] && [ -x "$other" ] || continue
        [ "$other" != "$(command -v python3)" ] || continue
        suits "$other" && say elsewhere "$other" && break
        [ "$module" = - ] || { say module "$module"; break; }
    done
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
        elsewhere || in_login ;;
esac
if [ -n "$program" ] && ! command -v "$program" >/dev/null; then
    say program "$(login "echo; command -v '$program'" | grep "/$program\$" | tail -n 1)"
fi
existing "${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/spe"
mine=$near/$nonce
if room home "$near" "$mine"; then
    for file in "$near/.home-$run"-*; do say "seen ${file##*/}"; done
else
    mine=
fi
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
    """Facts that the script for every host needs; the same during one look."""

    offer: Offer  # the client that a host would get, the master's port and address
    run: str  # begins the name of every nonce
    nonce: str  # answered by the NonceServer
    program: str = ""  # that all tasks begin with; "" when that is not known, or a setup may find it

    def script(self, host: Host, address: str | None, own: str) -> str:
        """Return the script for one host.

        `address`: of the master, None when only forwarding can work. `own`: the host's nonce.
        """
        words = remote.basics(host, self.offer) | {
            "python": host.python or _own_python(host),
            "run": self.run,
            "nonce": own,
            "program": "" if host.setup else self.program,
            "workdir": host.workdir or "",
            "written": str(WRITTEN // 1024),
            "port": str(self.offer.port),
            "limit": f"{REACH_LIMIT:g}",
            "address": address or "",
            "reach_text": _REACH,
            "writers_text": bundle.client_module("host/writers.py")
            + _WRITERS
            + bundle.client_module("machine/neighbours.py")
            + _NEIGHBOURS,
        }
        return remote.assigned(words) + _SCRIPT


def _own_python(host: Host) -> str:
    """Return the Python for a client on this machine: our own. "" on others: the script finds one."""
    if host.is_here:
        return sys.executable
    return ""


def read_answers(seen: Sighting, lines: list[str], nonce: str) -> None:
    """Fill the sighting with what the lines of a host say.

    `nonce` is the one that the host reads when it reaches this machine.
    """
    said = dict(_pairs(lines))
    seen.platform = said.get("platform", "").lower()
    seen.user = said.get("user", "")
    seen.cores = _number(said.get("cores"))
    seen.ours = _number(said.get("ours")) or 0
    seen.load = _load(said.get("load", ""))
    seen.home = _folder(said, "home")
    seen.home_path = said.get("home_path", "")
    seen.workdir = _folder(said, "workdir")
    seen.everybody = said.get("writers_everybody", "")
    seen.writers = said.get("writers_who", ""), said.get("writers_where", "")
    if "runs" in said:  # not tried where the folder cannot be written
        seen.runs_programs = said["runs"] == "0"
    texts = (value for key, value in _pairs(lines) if key == "neighbour")
    seen.neighbours = tuple(one for text in texts if (one := read_neighbour(text)))
    _read_python(seen, said, lines)
    _read_reach(seen, said.get("reach"), nonce)
    # From the lines and not from `said`: a dict keeps the last line of a key, and there are many.
    prefix = "spe: seen "
    nonces = (line.removeprefix(prefix) for line in lines if line.startswith(prefix))
    seen.seen = frozenset(nonces)


def _read_python(seen: Sighting, said: dict[str, str], lines: list[str]) -> None:
    seen.python = f"{said.get('python', '')} {said.get('version', '')}".strip()
    seen.python_elsewhere = said.get("elsewhere", "")
    seen.python_module = said.get("module", "")
    seen.program_in_login = said.get("program")
    seen.python_error = _python_error(seen.host, lines, said.get("python_code", ""))


def _read_reach(seen: Sighting, answer: str | None, nonce: str) -> None:
    if answer is None:
        return
    seen.reached = answer == f"nonce {nonce}"
    if seen.reached:
        return
    # A nonce, but not ours: a captive portal, or a port that somebody else's machine forwards.
    seen.unreached_why = "something else answers" if answer.startswith("nonce") else answer


def current_step(lines: list[str]) -> str:
    """Return the step that a host was at when it fell silent, as a clause."""
    prefix = "spe: doing "
    steps = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
    kind, _, path = (steps or [""])[-1].partition(" ")
    return {
        "python": "looking for a Python",
        "home": f"writing into its home ({path})",
        "workdir": f"writing into its working folder ({path})",
        "reach": "trying to reach the master",
    }.get(kind, "waiting for the first word of its shell (does its home hang?)")


def _pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    # Other lines are a login script's: `motd`, `fortune` and the like print before ours.
    for line in lines:
        if line.startswith("spe: "):
            key, _, value = line.removeprefix("spe: ").partition(" ")
            yield key, value.strip()


def _number(text: str | None) -> int | None:
    if text and text.isdecimal():
        return int(text)
    return None


def _load(text: str) -> float | None:
    match = _LOAD.search(text)
    if match is None:
        return None
    return float(match[1].replace(",", "."))  # some systems write 0,12 in spite of LC_ALL=C


def _folder(said: dict[str, str], kind: str) -> FolderState | None:
    if kind not in said:
        return None
    folder = FolderState(said[kind], fault=said.get(f"{kind}_fault", ""))
    disk = faults.parse_df(f" {said.get(f'{kind}_df', '')} ")
    if disk:
        folder.size, folder.free = disk[0] * 1024, disk[1] * 1024  # `df -k` counts in KiB
    inodes = faults.parse_df(f" {said.get(f'{kind}_dfi', '')} ")
    if inodes:
        folder.files, folder.files_free = inodes
    return folder


def _python_error(host: Host, lines: list[str], code: str) -> LaunchError | None:
    # NO_CLIENT: a Python was found, only the client is not there yet
    if not code or int(code) in (0, Code.NO_CLIENT):
        return None
    start = lines.index("spe: doing python")
    ends = (line.startswith("spe: python_code") for line in lines)
    said = lines[start + 1 : list(ends).index(True)]
    return faults.from_outcome(CommandOutcome(int(code), tuple(said)), host)
