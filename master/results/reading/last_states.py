"""Output of a program as a person sees it: of a line that was written over, its last state.

Pure. A progress bar goes back to the begin of its line with a carriage return and writes over it. A
terminal shows the last state, and values are looked for in what it shows. A state that is shorter
than the one before is taken as a whole: nobody means the end of the bar that would stay behind it.
"""

from __future__ import annotations

import re

_ERASED = re.compile(r"\x1b\[[0-2]?K")  # "erase this line", of progress bars that do it properly


def last_states(text: str) -> str:
    """Return the text with the last state of each line, and line ends `\\n`. Lines stay in number."""
    if "\r" not in text:
        return text
    return "\n".join(map(_last_state, text.split("\n")))


def _last_state(line: str) -> str:
    """Return what stands behind the last carriage return of a line; those at its end do not count."""
    if "\r" not in line:
        return line
    return _ERASED.sub("", line.rstrip("\r").rpartition("\r")[2])
