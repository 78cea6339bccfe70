"""What may be asked of a running task: the programs that the sweep allows, on files of the task's own directory.

It keeps people from mistakes and from looking elsewhere by accident. It is no prison: whoever may ask may also give
the sweep another command.
"""

import os
from typing import Iterator, Optional, Sequence

ANY = "any"
LISTS = "--files"  # of du, wc, sort: a file that names more files


def refusal(words: Sequence[str], allowed: Sequence[str], folder: str) -> Optional[str]:
    """Why this command is not run in this directory, in one sentence; None: it is."""
    if not words or "\0" in "".join(words):
        return "there is no command"
    if ANY in allowed:
        return None
    if words[0] not in allowed:
        return "'%s' is not allowed here; `ask:` in spe.yaml allows: %s" % (words[0], " ".join(allowed) or "nothing")
    for path in _paths(words[1:]):
        if not _is_inside(path, folder):
            return "'%s' leads out of the task's directory" % path
    return None


def _paths(words: Sequence[str]) -> Iterator[str]:
    """All that may be a path in these words."""
    for word in words:
        name, found, value = word.partition("=")
        if word.startswith(LISTS):
            yield "/"
        elif word.startswith("-"):
            if found:
                yield value
            elif "/" in word:
                yield word[word.index("/") :]
        else:
            yield word


def _is_inside(path: str, folder: str) -> bool:
    """Where it leads in the end, links followed."""
    top = os.path.realpath(folder)
    return (os.path.realpath(os.path.join(top, path)) + "/").startswith(top + "/")
