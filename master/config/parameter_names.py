"""Names that a parameter may have. Apart from names.py, which loads pydantic: `spe status` needs none of it."""

from __future__ import annotations


def name_fault(name: str) -> str:
    """Why a parameter can't have this name; empty if it can."""
    if not name:
        return "the name is empty"
    if name != name.strip():
        return f"the name {name!r} has spaces around it, which cells would have too"
    if not name.isidentifier():
        return f"{name!r} can't be used in {{{{ … }}}}: letters, digits and _ make a name"
    return f"{name} is a word of the pattern language" if name in RESERVED else ""


#: Names that jinja reads as its own, so that no parameter can have them.
RESERVED = frozenset(["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"])
