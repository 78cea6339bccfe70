"""The shell script (POSIX) that runs on a host before the client does. remote_shell.py sends it.

The script finds a Python, checks the client's file by its content, and starts it with the session ID
still waiting on standard input. It makes no decisions: it reports by its exit code and by lines
`spe: …` what it found.
"""

from __future__ import annotations

import shlex

from ...model import Host
from ..offer import Offer
from ..outcome import Code, CopyTarget
from ..places import PLACES

# For any Python from 2.7 on. Exit codes: 7 too old, 42 a module is missing, 43 the client's file is not
# there or not ours, 0 all is well. The folder is listed before the file is opened: on NFS a name that
# was looked up too early stays missing for seconds, while a listing is fresh.
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

# Set before it: sha256, python, probe_text. Sets $found to the first suitable Python; when there is
# none, returns the exit code of the fault that is nearest to being suitable.
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
            126) say "$found is no program that can be executed" ;;
            *) say "$found does not run (exit $code)" ;;
        esac
    done
    return "$worst"
}
"""

# True when the client's file is there. A listing and not `[ -e ]` alone, see PROBE.
SHOWN = r"""
shown() { # when another host has just put the file there, NFS may deny it for seconds more
    for file in "$folder"/*; do
        [ "$file" = "$client" ] || continue
        for second in 1 2 3 4 5; do [ -e "$client" ] && return 0; sleep 1; done
    done
    return 1
}
"""

# Set before it: task ("start", or "look" to stop before the start), name, workdir, number (of the first
# place to be tried), run and nonce (see homes.py), and "$@", the client's arguments. When the client
# is not there, the script makes the folder to copy it to, and reports the nonces of the hosts that
# share the folder.
_SCRIPT = (
    FIND_PYTHON
    + SHOWN
    + PLACES
    + r"""
made() { # a folder that we had to make is marked, so that the last client to leave may remove it
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
deep() { [ -d "$1" ] || { [ -z "${1%/*}" ] || deep "${1%/*}"; } && made "$1"; }
meet() { # again, when another host of this home has just removed a folder; NFS may show it for seconds more
    for try in 1 2 3 4 5; do
        [ "$try" = 1 ] || sleep 1
        { [ -z "$workdir" ] || deep "$parent"; } && made "$parent" && made "$folder" &&
            { [ "$folder" = "$parent/spe" ] || ours "$folder" || return 1; } &&
            why=$( (LC_ALL=C; : >"$folder/$nonce") 2>&1) && return 0
        case $why in *"o such file"* | *nonexistent* | *tale*) ;; *) return 1 ;; esac
    done
    return 1
}
place
find_python
code=$?
refused=
while [ "$code" = 43 ] && ! meet; do
    refused=${refused:-${why:-cannot write into $folder}}
    number=$((number + 1))
    place || { say "$refused"; exit 44; }
    probe "$found" "$client" >/dev/null
    code=$?
done
[ -z "$refused" ] || { say "elsewhere $folder"; say "refused $refused"; }
if [ "$code" = 43 ]; then
    for file in "$folder/.home-$run"-*; do say "seen ${file##*/}"; done
    # files that killed masters have left; only tidiness depends on the clock
    find "$folder" \( -name '.home-*' -o -name '.client-*' \) -mmin +60 -exec rm -f {} + 2>/dev/null
    shown && probe "$found" "$client" # another host may have copied it meanwhile
    code=$?
    [ "$code" = 0 ] || { say "python $found"; say "folder $folder"; exit 43; }
fi
[ "$code" != 0 ] || [ ! -e "$folder/$nonce" ] || rm -f "$folder/$nonce"
[ "$code" = 0 ] && [ "$task" = start ] || exit "$code"
"""
)

# The codes with which a client ends that has begun, but for those that a shell or Python has, too.
_OWN = "|".join(
    str(code.value) for code in Code if code < Code.NO_PYTHON and code is not Code.OTHER
)
_START = (
    r"""
run=$client
case $folder in */.spe-cache-"$uid")
    # entered before it is looked at: others may exchange a folder below one of theirs, not the one we stand in
    set -- "$@" --cache "$folder" --start-in "$PWD"
    cd "$folder" && ours . || { say "${why:-cannot enter $folder}"; exit 44; }
    run=./$name ;;
esac
"$found" "$run" "$@"
code=$?
# these are the client's own codes: it has begun and said why it ended, and may have removed its file
case $code in """
    + _OWN
    + r""") exit "$code" ;; esac
for file in "$folder"/*; do [ "$file" = "$client" ] && exit "$code"; done
exit 43 # a client of another host of this home ended, and removed the file
"""
)

# Gives a whole copy its own name. Set before it: folder, found, incoming, name, nonce, task, workdir.
_PLACE = (
    SHOWN
    + PLACES
    + r"""
client=$folder/$name
if shown && cmp -s "$client" "$folder/$incoming"; then
    # not replaced: a host of this home that is just reading it would get a stale handle
    rm -f "$folder/$incoming"
else
    mv -f "$folder/$incoming" "$client" || exit 45
fi
rm -f "$folder/$nonce" # last: a host that does not see the nonce any more sees the client
[ "$task" = start ] || exit 0
"""
)

# Prints `df -Pi` of the place of the client's file and of the working folder, chosen as the client does.
_INODES = (
    PLACES
    + r"""
LC_ALL=C; export LC_ALL
place
existing "$parent"
df -Pi "$near" "${workdir:-$tmp}"
exit 0
"""
)

# Removes the files named in $unwanted from all places, and the folders that only we needed.
_CLEAN = (
    PLACES
    + r"""
while place; do
    for file in $unwanted; do rm -f "$folder/$file"; done
    empty=$folder
    while [ "$(ls -A "$empty" 2>/dev/null)" = .spe-made ]; do
        rm -f "$empty/.spe-made" && rmdir "$empty" || break
        empty=${empty%/*}
    done
    number=$((number + 1))
done
exit 0
"""
)


def look_script(host: Host, offer: Offer, run: str, nonce: str, number: int = 1) -> str:
    """Return the script that reports whether the client is there.

    If not, it reports the folder to copy the client to, and the hosts that share that folder.
    """
    words = {"task": "look", "run": run, "nonce": nonce, "number": str(number)}
    return assigned({**basics(host, offer), **words}) + _SCRIPT


def start_script(
    host: Host,
    offer: Offer,
    url: str,
    *,
    run: str,
    nonce: str,
    number: int = 1,
    holds: bool = False,
) -> str:
    """Return the script that does the same and starts the client when it is there.

    `number`: of the first place to be tried (places.py). The client reads the session ID from
    standard input. `holds`: the script goes on until the client has ended.
    """
    more = {"task": "start", "run": run, "nonce": nonce, "number": str(number)}
    words = assigned({**basics(host, offer), **more})
    return words + _arguments(host, offer, url, holds) + _SCRIPT + _START


def place_script(place: CopyTarget, *, copied: str, nonce: str, host: Host, offer: Offer) -> str:
    """Return the script that gives a whole copy its own name: before that no host starts it."""
    return _placed("place", place, copied, nonce, host, offer) + _PLACE


def place_and_start_script(
    place: CopyTarget,
    *,
    copied: str,
    nonce: str,
    host: Host,
    offer: Offer,
    url: str,
    holds: bool = False,
) -> str:
    """Return the script that does the same and starts the client with the Python found before."""
    words = _placed("start", place, copied, nonce, host, offer)
    return words + _arguments(host, offer, url, holds) + _PLACE + _START


def _placed(task: str, place: CopyTarget, copied: str, nonce: str, host: Host, offer: Offer) -> str:
    return assigned(
        {
            "folder": place.folder,
            "found": place.python,
            "incoming": copied,
            "name": offer.client_name,
            "task": task,
            "nonce": nonce,
            "workdir": host.workdir or "",
        }
    )


def _arguments(host: Host, offer: Offer, url: str, holds: bool) -> str:
    words = [*offer.arguments(url, host), "--detach"]
    if holds:
        words.append("--hold")
    return f"set -- {shlex.join(words)}\n"


def inodes_script(workdir: str | None) -> str:
    """Return the script that prints `df -Pi` of the home and of the working folder."""
    return assigned({"workdir": workdir or "", "name": "", "number": "1"}) + _INODES


def clean_script(workdir: str | None, *unwanted: str) -> str:
    """Return the script that removes files of ours, and the folders that were made for them."""
    words = {"workdir": workdir or "", "name": "", "number": "1", "unwanted": " ".join(unwanted)}
    return assigned(words) + _CLEAN


def basics(host: Host, offer: Offer) -> dict[str, str]:
    """Return the shell variables for the search for a Python and for the client."""
    return {
        "name": offer.client_name,
        "sha256": offer.client_sha256,
        "python": host.python or "",
        "workdir": host.workdir or "",
        "probe_text": PROBE,
    }


def assigned(words: dict[str, str]) -> str:
    """Return lines that set these shell variables, quoted: host names and paths come from users."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in words.items())
