"""Checks the name of a parameter, in a file, in spe.yaml and on the command line."""

from __future__ import annotations


def name_fault(name: str) -> str:
    """Return why a parameter can't have this name; empty if it can."""
    if not name:
        return "the name is empty"
    if name != name.strip():
        return f"the name {name!r} has spaces around it, which cells would have too"
    if not name.isidentifier():
        return f"{name!r} can't be used in {{{{ … }}}}: letters, digits and _ make a name"
    if name in RESERVED:
        return f"{name} is a word of the pattern language"
    return ""


#: Names that jinja reads as its own, so that no parameter can have them.
RESERVED = frozenset(
    ["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"]
)
