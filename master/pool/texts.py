"""Names and texts that strangers send: their lengths and characters.

Other users read them in lists, terminals, and on the page.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME = 100  # characters of a name or group
LONGEST_INFO = 200  # characters of the text about a job or host
# No blank: rows keep several names as one text, divided by blanks.
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,99}")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,99}")


def is_user_name(text: object) -> bool:
    """Tell whether this may be the name of an account."""
    return isinstance(text, str) and _USER.fullmatch(text) is not None


def is_host_name(text: object) -> bool:
    """Tell whether this is a host name: letters, digits, dots and hyphens alone.

    A leading hyphen is refused: ssh would take the name for an option.
    """
    return isinstance(text, str) and _HOST.fullmatch(text) is not None


def checked(text: object, what: str, longest: int = LONGEST_NAME) -> str:
    """Return the text. Raises ValueError, one sentence, for what others should not have to read.

    what: its name in that sentence.
    """
    if not isinstance(text, str):
        raise ValueError(f"{what} is no text")
    if len(text) > longest:
        raise ValueError(f"{what} is longer than {longest} characters")
    # Category C: control characters, but also invisible ones that turn the direction of a line,
    # and lone surrogates, which no database stores.
    if any(unicodedata.category(one).startswith("C") for one in text):
        raise ValueError(f"{what} has a control character")
    return text
