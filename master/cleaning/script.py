"""The script that looks on a host for what spe has left, and removes what it is then told.

It prints a line for each thing, and `spe: looked`. Then it reads paths from its standard input, one a
line and each behind its kind, and removes them; an empty line ends it. Only what lies in the folders of
spe's own cache is removed, and links in it are not followed.
"""

from __future__ import annotations

from ..launch.places import PLACES
from ..launch.ssh import remote
from ..model import Host
from ..record import record

CLIENT, WORKER, BUILT = "client", "worker", "built"
WORDS = {CLIENT: "client", WORKER: "worker", BUILT: "environment, image or prepared folder"}

# Set before it: workdir, name, number.
_SCRIPT = (
    PLACES
    + r"""
LC_ALL=C; export LC_ALL
umask 077
say() { printf 'spe: %s\n' "$*"; }
now=$(date +%s)
# A client is a process whose command line has its file: also one of another session, or by hand.
living=$(ps -A -o uid= -o args= 2>/dev/null | grep -c -E \
    "^ *$uid .*(client-[0-9a-f]{16}\.pyz|client/installed\.py)")
say living "${living:-0}"
age() { # seconds since the newest of these files was changed
    newest=0
    for one in "$@"; do
        changed=$(stat -c %Y "$one" 2>/dev/null || stat -f %m "$one" 2>/dev/null || echo 0)
        [ "$changed" -gt "$newest" ] && newest=$changed
    done
    echo $((now - newest))
}
size() { du -sk "$1" 2>/dev/null | { read -r found rest; echo "${found:-0}"; }; }
item() { # KIND PATH AGE MARKS
    say item "$1" "$3" "$4" "$(size "$2")" "$2"
}
look() {
    for file in "$folder"/client-*.pyz; do
        [ -f "$file" ] && item client "$file" "$(age "$file")" 0
    done
    for file in "$folder"/workers/*/*; do
        [ -f "$file" ] && item worker "$file" "$(age "$file")" 0
    done
    for made in "$folder"/built/*; do
        case $made in *.users | *.lock | *.failed) continue ;; esac
        [ -d "$made" ] && [ ! -L "$made" ] || continue
        marks=0
        for mark in "$made".users/*; do
            [ -e "$mark" ] && [ "${mark##*/}" != kept ] && marks=$((marks + 1))
        done
        item built "$made" "$(age "$made" "$made".users/*)" "$marks"
    done
}
is_place() { [ -d "$folder" ] && { [ "$folder" = "$parent/spe" ] || ours "$folder"; }; }
number=1
while place; do
    if is_place; then
        set -- $(ls -di "$folder")
        say place "$1 $folder"
        look
    fi
    number=$((number + 1))
done
say looked
lies_in_place() { # a path that this script may have told
    number=1
    while place; do
        case $1 in "$folder"/*/../* | "$folder"/../*) ;; "$folder"/*) is_place && return 0 ;; esac
        number=$((number + 1))
    done
    return 1
}
emptied() { # removes a folder in which only our marker is left, and those above it
    empty=$1
    while [ "$(ls -A "$empty" 2>/dev/null)" = .spe-made ]; do
        rm -f "$empty/.spe-made"
        if ! rmdir "$empty" 2>/dev/null; then # a host that shares it has just made something there
            (: >"$empty/.spe-made") 2>/dev/null
            break
        fi
        empty=${empty%/*}
    done
}
# A host that shares this home may remove the same things at the same time: whatever fails, what is gone
# then is gone.
lock_built() { # under the lock of clients, so that none takes it for whole while it goes
    tries=0
    until (set -C; echo "spe clean $$" >"$1.lock") 2>/dev/null; do
        case $(cat "$1.lock" 2>/dev/null) in "spe clean "* | "") ;; *) return 1 ;; esac
        [ -e "$1" ] && [ "$tries" -lt 5 ] || return 1
        tries=$((tries + 1))
        sleep 1
    done
}
remove_built() {
    lock_built "$1" || { why="a client works on it"; return 1; }
    rm -rf "$1.users" "$1.failed"
    gone=${1%/*}/.gone-$$
    mv "$1" "$gone" 2>/dev/null
    rm -f "$1.lock"
    find "$gone" -type d ! -perm -700 -exec chmod u+rwx {} + 2>/dev/null
    why=$(rm -rf "$gone" 2>&1)
}
while IFS= read -r line && [ -n "$line" ]; do
    kind=${line%% *} path=${line#* } why= gone=
    if ! lies_in_place "$path"; then
        if [ -e "$path" ]; then say stays "$path: this is no file of spe's"; else say gone "$path"; fi
    elif [ ! -e "$path" ]; then
        say gone "$path"
    else
        case $kind in
            built) remove_built "$path" ;;
            *) why=$(rm -f "$path" 2>&1) ;;
        esac
        if [ -e "$path" ] || { [ "$gone" ] && [ -e "$gone" ]; }; then
            say stays "$path: $why"
        else
            say removed "$path"
        fi
        [ "$kind" != worker ] || rmdir "${path%/*}" 2>/dev/null || emptied "${path%/*}"
        emptied "$folder/workers"
        emptied "$folder/built"
        emptied "$folder"
    fi
done
say end
exit 0
"""
)


@record
class Item:
    """One thing that spe has left on a host.

    `age`: seconds since it was last made or used. `marks`: clients that have noted that they use it.
    `size`: bytes on the disk.
    """

    kind: str
    age: float
    marks: int
    size: int
    path: str
    home: str  # tells which cache folder it lies in: equal ones are perhaps one, shared by hosts


@record
class Found:
    """The things that were found on a host. `living`: processes of clients of this account there now."""

    living: int
    homes: frozenset[str]
    items: tuple[Item, ...]


def script(host: Host) -> str:
    """Return the script for a host."""
    words = {"workdir": host.workdir or "", "name": "", "number": "1"}
    return remote.assigned(words) + _SCRIPT


def read_found(lines: list[str]) -> Found:
    """Return what the lines of a host say; lines of its login count for nothing."""
    living = 0
    home = ""
    homes: set[str] = set()
    items: list[Item] = []
    for line in lines:
        word, _, rest = line.removeprefix("spe: ").partition(" ")
        if not line.startswith("spe: "):
            continue
        if word == "living" and rest.isdecimal():
            living = int(rest)
        elif word == "place":
            home = rest
            homes.add(home)
        elif word == "item":
            kind, age, marks, size, path = rest.split(" ", 4)
            items.append(Item(kind, float(age), int(marks), int(size) * 1024, path, home))
    return Found(living, frozenset(homes), tuple(items))


def read_removed(lines: list[str]) -> dict[str, str]:
    """Return what became of each path: "" removed, else why it stays; one that was gone is left out."""
    said: dict[str, str] = {}
    for line in lines:
        word, _, rest = line.removeprefix("spe: ").partition(" ")
        if word == "removed":
            said[rest] = ""
        elif word == "stays":
            path, _, why = rest.partition(": ")
            said[path] = why or "it could not be removed"
    return said
