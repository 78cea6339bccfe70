"""Code in a pattern ends where jinja's own lexer says. spe does without that lexer: see sweep/segments.py."""

from __future__ import annotations

import re

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from jinja2 import Environment, TemplateSyntaxError
from spe.errors import ConfigError
from spe.sweep.segments import segments_of

#: Without comments: `{#` is text for spe, as in any other file.
LEXER = Environment(keep_trailing_newline=True, comment_start_string="\0<", comment_end_string=">\0")
PIECES = [
    "{{", "}}", "{%", "%}", "{#", "#}", "{", "}", "[", "]", "(", ")", "'", '"', "\\", "'}}'", '"%}"', "x", "x.y", " ",
    "\n", "|", "{'a': {1: 2}}", "{% raw %}", "{% endraw %}", "{% if x %}", "{% endif %}", "text", "1", ":",
    ",", "$", "%", "\\'", '\\"', "{%raw%}", "{%  endraw%}", "-}}", "{%-", "{{-", "{%- raw -%}", "{%- endraw %}",
]  # fmt: skip
ANYTHING = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
# Loose pieces seldom make a closed string, comment or raw block with something in it that looks like an end.
FRAMES = [
    "{{ %s }}", "{{ '%s' }}", '{{ x["%s"] }}', "{%% if '%s' %%}", "{#%s#}", "{%% raw %%}%s{%% endraw %%}", "%s",
]  # fmt: skip
FRAMED = st.builds(lambda frame, inner: frame % inner, st.sampled_from(FRAMES), ANYTHING)
TEXTS = st.lists(FRAMED, min_size=1, max_size=3).map("".join)
BEGIN = {"variable_begin": "{{", "block_begin": "{%", "raw_begin": "raw"}
TRIMS = re.compile(r"-[}%]}|\{[{%]-")
ENDS = {"variable_end", "block_end", "raw_end"}


def as_jinja_has_it(text: str) -> list[tuple[bool, str]] | None:
    """Code and literal pieces, as the tokens of jinja's lexer have them; None where code is not closed."""
    found: list[tuple[bool, str]] = []
    code = ""
    for _, kind, value in LEXER.lex(text):
        if kind in BEGIN and not code:
            code = value
        elif code:
            code += value
            if kind in ENDS:
                found.append((True, code))
                code = ""
        else:
            found.append((False, value))
    return None if code else found


def as_we_have_it(text: str) -> list[tuple[bool, str]] | None:
    try:
        return [(one.code, one.text) for one in segments_of(text) if one.text]
    except ConfigError:
        return None


def without_trimming(text: str, pieces: list[tuple[bool, str]] | None) -> list[tuple[bool, str]] | None:
    """The pieces; only their code, without white space, where a minus has jinja trim the text beside it."""
    if pieces is None or not TRIMS.search(text):
        return pieces
    return [(code, "".join(piece.split())) for code, piece in pieces if code]


@settings(deadline=None, max_examples=300)
@given(TEXTS)
@example("{{ {'a': {1: 2}} }}")
@example("{{ '}}' }}{% raw %}{{{% endraw %}")
@example("{{ x['}}'] }} {# }} #}")
@example(r"{{ '\'}}' }}")
@example("{# it's ( #}")
@example("{%raw%}{{{%  endraw%}")
@example("a {%- raw -%} {{ {%- endraw %} b")
def test_code_ends_where_jinjas_lexer_says(text: str) -> None:
    try:
        theirs = as_jinja_has_it(text)
    except TemplateSyntaxError:
        assume(False)  # ours may find an end where jinja finds a mistake: jinja reads it again, and says which one
    assert without_trimming(text, as_we_have_it(text)) == without_trimming(text, theirs)
