"""What may be asked of a running task: the programs that the sweep allows, on files of the task's own directory.

Of the programs in KNOWN only the options that stand there may be asked: none of them follows links, reads names from a
file, writes, or starts a program. A list of what is forbidden was rejected: programs take abbreviations (`--deref`),
letters in one word (`-lRL`), and other options on each system.
It keeps people from mistakes and from looking elsewhere by accident. It is no prison: whoever may ask may also give
the sweep another command.
"""

import errno
import os
import re
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from ..machine import facts

ANY = "any"
PS = "ps"
MOST_LINKS = 40  # in one path, as for Linux
MOST_SHOWN = 80  # characters of a word in a sentence
MOST_TAILS = 255  # characters of an option of an unknown program: each of its tails may be a path

# By program: letters, and long options; those with = may have a value. A number may follow the letters (-n5).
KNOWN: Dict[str, Tuple[str, str]] = {
    "ls": (
        "aAbBcCdfFgGhiIklmnNopqQrRsStTuUvwxX1",
        "all almost-all block-size= color= directory file-type format= full-time group-directories-first hide="
        " human-readable ignore= inode recursive reverse si size sort= time= time-style= width= zero",
    ),
    "du": (
        "0aBbcdhklmPsStx",
        "all apparent-size block-size= bytes exclude= human-readable inodes max-depth= one-file-system si summarize"
        " threshold= time= time-style= total",
    ),
    "cat": ("AbeEnstTuv", "number show-all"),
    "head": ("cnqvz", "bytes= lines= quiet"),
    "tail": ("cfnqsvz", "bytes= follow lines= quiet"),
    "wc": ("clLmw", "bytes lines words"),
    "stat": ("cft", "format= printf="),
    "df": ("aBhHiklPtTvx", "output= total"),
    "grep": ("ABcCeEFGhHilLmnoqrsvwxyzZ", "color= exclude= exclude-dir= ignore-case include= recursive"),
    PS: ("fFHjlLw", "forest no-headers"),  # and -o FIELDS
}
NUMBER = r"(?:[+-]?[0-9]+(?:\.[0-9]+)?[bkKMGTPE]?)?"
FIELDS = r"[a-z%][a-z0-9_%,]*=?"
LISTS = ("--files0-from", "--files-from", "--from-file")  # a file that names more files, in whatever program


def refusal(words: Sequence[str], allowed: Sequence[str], folder: str) -> Optional[str]:
    """Return why this command is not run in this directory, in one sentence. None: it is run."""
    if not words or "\0" in "".join(words):
        return "there is no command"
    if ANY in allowed:
        return None
    if words[0] not in allowed:
        listed = " ".join(allowed) or "nothing"
        return "'%s' is not allowed here; `ask:` in spe.yaml allows: %s" % (_short(words[0]), listed)
    if is_ps(words):
        return _refusal_of_ps(words)
    program = os.path.basename(words[0])
    top = os.path.realpath(folder)
    if not os.path.isabs(folder) and top != os.path.abspath(folder):  # relative: the client stands above it
        return "the task has put a link in place of its directory"
    for word in words[1:]:
        why = _refusal_of_option(program, word) or _refusal_of_path(program, word, top)
        if why:
            return why
    return None


def is_ps(words: Sequence[str]) -> bool:
    """Tell whether this is `ps`, which is about processes and not about files."""
    return os.path.basename(words[0]) == PS


def narrowed(words: List[str], pids: Sequence[int]) -> List[str]:
    """Return the words that are run. `ps` selects these processes, because it is allowed no option that selects any."""
    return words + ["-p", ",".join(map(str, pids))] if is_ps(words) else words


def _refusal_of_option(program: str, word: str) -> Optional[str]:
    """No word may be an option that is not allowed, wherever it stands: also as a value, also behind `--`."""
    if program in KNOWN:
        if word.startswith("-") and word != "--" and not _is_option(program, word):
            return _not_asked_of(program, word)
        return None
    name = word.partition("=")[0]
    is_abbreviated = len(name) > 2 and any(one.startswith(name) for one in LISTS)
    if word.startswith(("@",) + LISTS) or is_abbreviated:
        return "'%s' may be a file that names more files; these are not looked at" % _short(word)
    return None


def _is_option(program: str, word: str) -> bool:
    letters, listed = KNOWN[program]
    name, found, _ = word[2:].partition("=")
    if word.startswith("--"):
        return name + "=" in listed.split() or (not found and name in ["help", "version"] + listed.split())
    return bool(re.fullmatch(("-[%s]+" if program == PS else "-[%s]*" + NUMBER) % letters, word))


def _not_asked_of(program: str, word: str) -> str:
    letters, listed = KNOWN[program]
    text = "'%s' may not be asked of %s; these options may, spelled out, values in words of their own: -%s --%s"
    text %= (_short(word), program, letters, " --".join(listed.split()))
    return text + (" -o FIELDS" if program == PS else "; a file of that name is './%s'" % _short(word))


def _refusal_of_ps(words: Sequence[str]) -> Optional[str]:
    """Of `ps`, words without a dash are options, too (`ps e` shows environments), but for the fields behind -o."""
    are_fields = False
    for word in words[1:]:
        if not (re.fullmatch(FIELDS, word) if are_fields else word == "-o" or _is_option(PS, word)):
            return _not_asked_of(PS, word)
        are_fields = word == "-o"
    return _not_asked_of(PS, "-o") if are_fields else None


def _refusal_of_path(program: str, word: str, top: str) -> Optional[str]:
    """Any word may be a path: a value, an option (BSD's programs take none behind a file), or one behind `--`."""
    if program not in KNOWN and word.startswith("-") and len(word) > MOST_TAILS:
        return "'%s' is too long for an option" % _short(word)
    for path in _paths(program, word):
        try:
            if not (_end_of(top, path) + "/").startswith(top + "/"):
                return "'%s' leads out of the task's directory" % _short(path)
        except OSError as fault:
            return "where '%s' leads cannot be seen: %s" % (_short(path), fault.strerror)
    return None


def _paths(program: str, word: str) -> Iterator[str]:
    """All that may be a path in this word."""
    yield word
    if "=" in word:
        yield word.partition("=")[2]
    if program not in KNOWN and word.startswith("-"):
        for begin in range(1, len(word)):  # -Xfile: nobody here knows which letter takes a value
            yield word[begin:]


def _end_of(top: str, path: str) -> str:
    """Return where a path leads in the end, links followed. Raises OSError where that cannot be seen.

    os.path.realpath takes what it cannot look at for no link: so a link was not seen whose whole path is too long for
    the system, though the program, which stands in the directory, opens it by a shorter one.
    """
    here, names, links = "/" if path.startswith("/") else top, path.split("/")[::-1], 0
    while names:
        name = names.pop()
        if name == "..":
            here = os.path.dirname(here)
        elif name not in ("", "."):
            path = os.path.join(here, name)
            target = _target(path)
            if target is None:
                here = path
                continue
            if _is_of_proc(path):
                raise OSError(errno.EINVAL, "a link of /proc leads elsewhere for each process")
            links += 1
            if links > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if target.startswith("/"):
                here = "/"
            names += target.split("/")[::-1]
    return here


def _target(path: str) -> Optional[str]:
    """What is written in a link. None: it is no link, or nothing is there."""
    try:
        return os.readlink(path)
    except OSError as fault:
        if fault.errno not in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR):
            raise
        return None


def _is_of_proc(path: str) -> bool:
    """Tell whether a file lies in /proc, or in another mount of that kind."""
    device = os.lstat(path).st_dev
    number = "%d:%d" % (os.major(device), os.minor(device))
    mounts = [line.partition(" - ") for line in facts.content("/proc/self/mountinfo").splitlines()]
    return any(left.split()[2] == number and right.startswith("proc ") for left, _, right in mounts)


def _short(word: str) -> str:
    return word if len(word) <= MOST_SHOWN else word[:MOST_SHOWN] + "…"
