"""The places on a host where the client's file may lie, as functions of the shell scripts for it.

With `workdir=` everything of ours lies below that folder. Without it, the file lies in the user's
cache folder, or, where that takes no files, below $TMPDIR or /tmp.
"""

from __future__ import annotations

# Set before it: workdir ("": none), name. `place` goes from the first place to the next by $number.
PLACES = r"""
uid=$(id -u)
case $workdir in "~"|"~/"*) workdir=$HOME${workdir#"~"} ;; ""|/*) ;; *) workdir=$PWD/$workdir ;; esac
existing() { # the nearest folder that is there
    near=$1
    while [ ! -d "$near" ] && [ "$near" != / ] && [ "$near" != . ]; do near=$(dirname "$near"); done
}
temporary() { # as the client chooses it (client/arguments.py)
    tmp=${TMPDIR:-/tmp}
    [ -z "$XDG_RUNTIME_DIR" ] || case $tmp/ in "${XDG_RUNTIME_DIR%/}"/*) tmp=/tmp ;; esac
    [ "$tmp" = /tmp ] && return
    existing "$tmp"
    trial=$near/.spe-trial-$$
    (echo "$trial" >"$trial") 2>/dev/null || tmp=/tmp # also a full one, or one over quota
    rm -f "$trial"
}
temporary
place() { # sets where the client's file may lie; false when there are no more places
    case $number,$workdir in
        1,) parent=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache} folder=$parent/spe ;;
        1,*) parent=${workdir%/} folder=$parent/.spe-cache-$uid ;;
        2,) parent=${tmp%/} folder=$parent/.spe-cache-$uid ;;
        3,) [ "$tmp" != /tmp ] || return 1; parent=/tmp folder=/tmp/.spe-cache-$uid ;;
        *) return 1 ;;
    esac
    client=$folder/$name
}
ours() { # where others may write, they could have put a folder of theirs in the place of ours
    [ ! -L "$1" ] && [ -O "$1" ] && case $(LC_ALL=C ls -ld "$1") in
        drwx------* | drwx--S---*) return 0 ;; # S: inherited from the folder above
    esac
    why="$folder belongs to somebody else, or others may write there: remove it"
    return 1
}
"""
