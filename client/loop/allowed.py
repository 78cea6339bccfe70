"""The programs that people may run on files of a running task, and the words for them.

Of the programs in KNOWN only the options that stand there may be asked: none of them follows links,
reads names from a file, writes, or starts a program. A list of what is forbidden was rejected:
programs take abbreviations (`--deref`), letters in one word (`-lRL`), and other options on each
system. The rules keep people from mistakes and from looking elsewhere by accident. They are no
prison: a person who may ask may also give the sweep another command.
"""

import errno
import os
import re
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

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
    "grep": (
        "ABcCeEFGhHilLmnoqrsvwxyzZ",
        "color= exclude= exclude-dir= ignore-case include= recursive",
    ),
    PS: ("fFHjlLw", "forest no-headers"),  # and -o FIELDS
}
NUMBER = r"(?:[+-]?[0-9]+(?:\.[0-9]+)?[bkKMGTPE]?)?"
FIELDS = r"[a-z%][a-z0-9_%,]*=?"
# A file that names more files, in whatever program.
LISTS = ("--files0-from", "--files-from", "--from-file")


def refusal(words: Sequence[str], allowed: Sequence[str], folder: str) -> Optional[str]:
    """Return in one sentence why this command is not run in this directory; None when it is run."""
    if not words or "\0" in "".join(words):
        return "there is no command"
    if ANY in allowed:
        return None
    if words[0] not in allowed:
        listed = " ".join(allowed) or "nothing"
        text = "'%s' is not allowed here; `ask:` in spe.yaml allows: %s"
        return text % (_short(words[0]), listed)
    if is_ps(words):
        return _refusal_of_ps(words)
    return _refusal_of_files(words, folder)


def _refusal_of_files(words: Sequence[str], folder: str) -> Optional[str]:
    program = os.path.basename(words[0])
    top = os.path.realpath(folder)
    # A relative path is below the folder in which the client stands, which nobody can replace.
    if not os.path.isabs(folder) and top != os.path.abspath(folder):
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
    """Return the words that are run: for `ps` with the processes that it is to show.

    `ps` is allowed no option of its own that selects processes.
    """
    if not is_ps(words):
        return words
    return [*words, "-p", ",".join(map(str, pids))]


def _refusal_of_option(program: str, word: str) -> Optional[str]:
    """Return why a word that looks like an option is refused, wherever it stands.

    A word may be taken for an option where it looks like a value, and behind `--`: programs differ.
    """
    if program in KNOWN:
        if word.startswith("-") and word != "--" and not _is_option(program, word):
            return _not_asked_of(program, word)
        return None
    if _may_name_a_list(word):
        return "'%s' may be a file that names more files; these are not looked at" % _short(word)
    return None


def _may_name_a_list(word: str) -> bool:
    """Tell whether an unknown program may take this word, or its beginning, for a file of names."""
    name = word.partition("=")[0]
    is_abbreviated = len(name) > 2 and any(one.startswith(name) for one in LISTS)
    return is_abbreviated or word.startswith(("@",) + LISTS)


def _is_option(program: str, word: str) -> bool:
    """Tell whether a known program may be given this option."""
    letters, listed = KNOWN[program]
    name, found, _ = word[2:].partition("=")
    if word.startswith("--"):
        return name + "=" in listed.split() or (
            not found and name in ["help", "version"] + listed.split()
        )
    pattern = "-[%s]+" if program == PS else "-[%s]*" + NUMBER
    return bool(re.fullmatch(pattern % letters, word))


def _not_asked_of(program: str, word: str) -> str:
    """Return the sentence that refuses an option, with the options that are allowed."""
    letters, listed = KNOWN[program]
    text = "'%s' may not be asked of %s; these options may, spelled out, values in words of their own: -%s --%s"
    text %= (_short(word), program, letters, " --".join(listed.split()))
    if program == PS:
        return text + " -o FIELDS"
    return text + "; a file of that name is './%s'" % _short(word)


def _refusal_of_ps(words: Sequence[str]) -> Optional[str]:
    """Return why these words of `ps` are refused.

    Words without a dash are options of `ps`, too (`ps e` shows environments), but for the fields
    behind -o.
    """
    are_fields = False
    for word in words[1:]:
        if not (re.fullmatch(FIELDS, word) if are_fields else word == "-o" or _is_option(PS, word)):
            return _not_asked_of(PS, word)
        are_fields = word == "-o"
    return _not_asked_of(PS, "-o") if are_fields else None


def _refusal_of_path(program: str, word: str, top: str) -> Optional[str]:
    """Return why a word is refused as a path; any word may be one.

    A path may be a value, an option (BSD's programs take none behind a file), or a word behind
    `--`.
    """
    if program not in KNOWN and word.startswith("-") and len(word) > MOST_TAILS:
        return "'%s' is too long for an option" % _short(word)
    for path in _paths(program, word):
        try:
            if not (_end_of(top, path) + "/").startswith(top + "/"):
                return "'%s' leads out of the task's directory" % _short(path)
        except OSError as fault:
            return "cannot see where '%s' leads: %s" % (_short(path), fault.strerror)
    return None


def _paths(program: str, word: str) -> Iterator[str]:
    """Yield all that may be a path in this word."""
    yield word
    if "=" in word:
        yield word.partition("=")[2]
    if program not in KNOWN and word.startswith("-"):
        for begin in range(1, len(word)):  # -Xfile: nobody here knows which letter takes a value
            yield word[begin:]


def _end_of(top: str, path: str) -> str:
    """Return where a path leads in the end, links followed.

    Raises OSError where that cannot be seen.

    `os.path.realpath` was rejected: it takes what it cannot look at for no link. So it did not see
    a link whose whole path is too long for the system, though the program, which stands in the
    directory, opens it by a shorter one.
    """
    here = "/" if path.startswith("/") else top
    names, links = path.split("/")[::-1], 0
    while names:
        name = names.pop()
        if name == "..":
            here = os.path.dirname(here)
        elif name not in ("", "."):
            target = _target(os.path.join(here, name))
            if target is None:
                here = os.path.join(here, name)
                continue
            links += 1
            if links > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if target.startswith("/"):
                here = "/"
            names += target.split("/")[::-1]
    return here


def _target(path: str) -> Optional[str]:
    """Return what a link leads to; None for what is no link, or is not there."""
    try:
        return os.readlink(path)
    except OSError as fault:
        if fault.errno not in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR):
            raise
        return None


def _short(word: str) -> str:
    """Return a word, shortened if it is too long for a sentence."""
    return word if len(word) <= MOST_SHOWN else word[:MOST_SHOWN] + "…"
