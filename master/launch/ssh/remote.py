"""What runs on the host before the client does: one POSIX shell script. How it gets there is remote_shell.py's.

The script finds a Python, checks the client's file by its content, and starts it with the session ID still
waiting on standard input. It makes no decisions: it says what it met by its exit code and lines `spe: …`.
"""

from __future__ import annotations

import shlex

from ...model import Host
from ..offer import Offer
from ..outcome import Place

# Read by any Python from 2.7 on: which one it is, whether it has what the client needs, whether the file is ours.
# The folder is listed first: on NFS a name that was looked up too early stays missing for seconds, a listing is fresh.
PROBE = """
import os, sys
if sys.version_info < (3, 6):
    sys.exit(7)
try:
    import http.client, hashlib, ssl, zipfile, zlib
except ImportError:
    sys.stdout.write(str(sys.exc_info()[1]))
    sys.exit(42)
try:
    if os.path.basename(sys.argv[1]) not in os.listdir(os.path.dirname(sys.argv[1])):
        sys.exit(43)
    with open(sys.argv[1], "rb") as file:
        found = hashlib.sha256(file.read()).hexdigest()
except (IOError, OSError):
    sys.exit(43)
sys.exit(0 if found == sys.argv[2] else 43)
"""

# Set before it: sha256, python, probe_text. Finds the best Python ($found); the worst fault met is told.
FIND_PYTHON = r"""
umask 077
say() { printf 'spe: %s\n' "$*"; }
probe() { "$1" -c "$probe_text" "$2" "$sha256" </dev/null 2>/dev/null; }
find_python() {
    worst=41
    case $python in "~/"*) python=$HOME/${python#"~/"} ;; esac
    all="python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 python3.8 python3.7 python3.6 python"
    for word in ${python:-$all}; do
        found=$(command -v "$word" 2>/dev/null) || continue
        line=$(probe "$found" "$client")
        code=$?
        case $code in
            0 | 43) return "$code" ;;
            42) worst=42; say "$found lacks a module: $line" ;;
            7) [ "$worst" = 42 ] || worst=7; say "$found is $("$found" -V 2>&1)" ;;
            *) say "$found does not run (exit $code)" ;;
        esac
    done
    return "$worst"
}
"""

SHOWN = r"""
shown() { # the list of names is fresh; the file, when another host has just put it there, NFS may deny for seconds
    for file in "$folder"/*; do
        [ "$file" = "$client" ] || continue
        for second in 1 2 3 4 5; do [ -e "$client" ] && return 0; sleep 1; done
    done
    return 1
}
"""

# Set before it: task (start, or look: only whether it is there), name, run and nonce (see homes.py), and "$@", the
# client's arguments. A client that is not there: the folder to copy it to is made, and who shares it is seen.
_SCRIPT = (
    FIND_PYTHON
    + SHOWN
    + r"""
parent=${XDG_CACHE_HOME:-${HOME:?}/.cache}
folder=$parent/spe
client=$folder/$name
made() { # a folder that we had to make is marked, so that the last one to leave may remove it
    [ -d "$1" ] && return 0
    if why=$(LC_ALL=C mkdir "$1" 2>&1); then
        why=$( (LC_ALL=C; : >"$1/.spe-made") 2>&1) && return 0
        rmdir "$1"
    fi
    case $why in *exists*) # another host of the same home was quicker; NFS may show it only seconds later
        for second in 1 2 3 4 5 6 7 8 9 10; do [ -d "$1" ] && return 0; sleep 1; done ;;
    esac
    why=${why:-cannot make $1}
    return 1
}
meet() { # again, when another host of this home has just removed a folder; NFS may show it for seconds more
    for try in 1 2 3 4 5; do
        [ "$try" = 1 ] || sleep 1
        made "$parent" && made "$folder" && why=$( (LC_ALL=C; : >"$folder/$nonce") 2>&1) && return 0
        case $why in *"o such file"* | *nonexistent* | *tale*) ;; *) return 1 ;; esac
    done
    return 1
}
find_python
code=$?
if [ "$code" = 43 ]; then
    meet || { say "${why:-cannot write into $folder}"; exit 44; }
    for file in "$folder/.home-$run"-*; do say "seen ${file##*/}"; done
    # what masters that were killed have left here; only tidiness depends on the clock
    find "$folder" \( -name '.home-*' -o -name '.client-*' \) -mmin +60 -exec rm -f {} + 2>/dev/null
    shown && probe "$found" "$client" # it may have come meanwhile
    code=$?
    [ "$code" = 0 ] || { say "python $found"; say "folder $folder"; exit 43; }
fi
[ "$code" != 0 ] || [ ! -e "$folder/$nonce" ] || rm -f "$folder/$nonce"
[ "$code" = 0 ] && [ "$task" = start ] || exit "$code"
"""
)

_START = r"""
"$found" "$client" "$@"
code=$?
case $code in 0 | [3-9] | 10) exit "$code" ;; esac # it has begun, and says why it ended; it may have removed its file
for file in "$folder"/*; do [ "$file" = "$client" ] && exit "$code"; done
exit 43 # another host of this home left, and took the file along
"""

_PLACE = (
    SHOWN
    + r"""
client=$folder/$name
if shown && cmp -s "$client" "$folder/$incoming"; then
    # replaced, it would be a stale handle for a host of this home that is just reading it
    rm -f "$folder/$incoming"
else
    mv -f "$folder/$incoming" "$client" || exit 45
fi
rm -f "$folder/$nonce" # after it: whoever does not see the nonce any more sees the client
[ "$task" = start ] || exit 0
"""
)

_INODES = r"""
LC_ALL=C; export LC_ALL
parent=${XDG_CACHE_HOME:-${HOME:?}/.cache}
while [ ! -d "$parent" ]; do parent=$(dirname "$parent"); done
case $workdir in "~/"*) workdir=$HOME/${workdir#"~/"} ;; esac
tmp=${TMPDIR:-/tmp}
[ -z "$XDG_RUNTIME_DIR" ] || case $tmp/ in "${XDG_RUNTIME_DIR%/}"/*) tmp=/tmp ;; esac # as the client passes it over
df -Pi "$parent" "${workdir:-$tmp}"
exit 0
"""

_CLEAN = r"""
parent=${XDG_CACHE_HOME:-${HOME:?}/.cache}
folder=$parent/spe
for file in $unwanted; do rm -f "$folder/$file"; done
for empty in "$folder" "$parent"; do
    [ "$(ls -A "$empty" 2>/dev/null)" = .spe-made ] && rm -f "$empty/.spe-made" && rmdir "$empty"
done
exit 0
"""


def look_script(host: Host, offer: Offer, run: str, nonce: str) -> str:
    """The script that says whether the client is there, and if not, where to copy it and who shares that folder."""
    return assigned({**basics(host, offer), "task": "look", "run": run, "nonce": nonce}) + _SCRIPT


def start_script(host: Host, offer: Offer, url: str, run: str, nonce: str, holds: bool = False) -> str:
    """The same, and when it is there it is started; it reads the session ID from standard input.

    `holds`: the script goes on until the client has ended.
    """
    words = assigned({**basics(host, offer), "task": "start", "run": run, "nonce": nonce})
    return words + _arguments(host, offer, url, holds) + _SCRIPT + _START


def place_script(place: Place, copied: str, nonce: str, offer: Offer) -> str:
    """The script that gives a whole copy its name: until then nobody starts it."""
    return _placed("place", place, copied, nonce, offer) + _PLACE


def place_and_start_script(
    place: Place, copied: str, nonce: str, host: Host, offer: Offer, url: str, holds: bool = False
) -> str:
    """The same, and the client is started with the Python that was found before."""
    return _placed("start", place, copied, nonce, offer) + _arguments(host, offer, url, holds) + _PLACE + _START


def _placed(task: str, place: Place, copied: str, nonce: str, offer: Offer) -> str:
    words = {"folder": place.folder, "found": place.python, "incoming": copied, "name": offer.client_name}
    return assigned({**words, "task": task, "nonce": nonce})


def _arguments(host: Host, offer: Offer, url: str, holds: bool) -> str:
    words = [*offer.arguments(url, host), "--detach", *(["--hold"] if holds else [])]
    return f"set -- {shlex.join(words)}\n"


def inodes_script(workdir: str | None) -> str:
    """The script that prints `df -Pi` of the home and of the working folder."""
    return assigned({"workdir": workdir or ""}) + _INODES


def clean_script(*unwanted: str) -> str:
    """The script that removes files of ours from the folder, and the folders that were made for them."""
    return assigned({"unwanted": " ".join(unwanted)}) + _CLEAN


def basics(host: Host, offer: Offer) -> dict[str, str]:
    """What the search for a Python and the client has to know."""
    return {"name": offer.client_name, "sha256": offer.client_sha256, "python": host.python or "", "probe_text": PROBE}


def assigned(words: dict[str, str]) -> str:
    """Shell variables."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in words.items())
