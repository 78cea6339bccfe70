"""Words, expressions and conditions."""

from __future__ import annotations

import itertools
import random
import re
import shlex
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from needs import need_program
from spe.errors import ConfigError
from spe.sweep.pattern import Pattern, split
from spe.sweep.where.condition import Condition
from spe.sweep.where.numbers import number

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = TEXT.filter(lambda text: not any(opener in text for opener in ("{{", "{%")))
EXPRESSIONS = st.sampled_from(
    [
        "{{ x }}",
        "{{x}}",
        "{{ '}}' }}",
        '{{ "a b\\"}}" }}',
        "{{ {'a': {'b': 1}}['a'] }}",
        "{{ x ~ ' ' ~ y }}",
        "{% raw %}{{ ' }}{% endraw %}",
        "{% if x == 'a b' %}a{% endif %}",
    ]
)


def filled(command: str, **values: str) -> list[str]:
    return [word.fill(values) for word in split(command)]


@given(st.lists(PLAIN.filter(lambda text: not text.endswith("{"))))
def test_quoted_words_come_back(words: list[str]) -> None:
    assert [word.literal for word in split(" ".join(map(shlex.quote, words)))] == words


def words_of_a_shell(text: str) -> list[str]:
    """As POSIX splits it; raises ValueError for a quote that is not closed and for a backslash at the end.

    Not shlex: it keeps the newline of a continued line, and after an escaped backslash there is no continued line. So
    the text is read from the front, a backslash always together with what it quotes.
    """
    words, word, quote, rest = list[str](), None, "", text
    while rest:
        char, rest = rest[0], rest[1:]
        if char == "\\" and quote != "'":
            if not rest:
                raise ValueError("nothing is behind the backslash")
            escaped, rest = rest[0], rest[1:]
            if escaped != "\n":
                word = (word or "") + ("\\" if quote and escaped not in '$`"\\' else "") + escaped
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote, word = char, word or ""
        elif quote or char not in " \t\n":
            word = (word or "") + char
        elif word is not None:
            words.append(word)
            word = None
    if quote:
        raise ValueError("a quote is not closed")
    return words if word is None else [*words, word]


@given(st.text(st.sampled_from("ab '\"\\\n\t$`"), max_size=15))
@example("\\\\\n")  # an escaped backslash, and a newline that ends its word
@example("a\\\\\\\nb")  # an escaped backslash, and a line that goes on
@example('"\\\\\n"')
def test_words_are_those_of_a_shell(text: str) -> None:
    try:
        expected = words_of_a_shell(text)
    except ValueError:
        with pytest.raises(ConfigError):
            split(text)
        return
    assert [word.literal for word in split(text)] == expected
    if "\\\n" not in text and not re.search(r"\\[`$]", text):  # where shlex is right, too
        assert expected == shlex.split(text)


@pytest.mark.parametrize("shell", ["/bin/sh", "bash"])
def test_real_shells_see_the_same_words(shell: str) -> None:
    """Each text is the end of a command, so that a newline in it that is quoted by nothing ends the command."""
    program = need_program(shell, shell)
    pieces = ["\\\\", "\\\n", "\\a", "\\$", "\\`", '\\"', "\\'", "\\ ", "a", " ", '"', "'", "''", "\n"]
    texts = ["".join(some) for count in (1, 2, 3, 4) for some in itertools.product(pieces, repeat=count)]
    texts = [text for text in random.Random(1).sample(texts, 3000) if _is_whole(text)]
    texts += ["\\\\\n", "a\\\\\n", "\\\\\\\nb", 'x"\\\\\n"y', 'x"\\\n"y', "x'\\\n'y", "'\\\\'\n", "\\\\\\\\\n"]
    script = "show() { for word; do printf '%s\\0' \"$word\"; done; printf '\\1\\0'; }\n"
    script += "".join(f"show {text}\n" for text in texts)
    done = subprocess.run([program], input=script.encode(), capture_output=True, timeout=60, check=True)
    seen = [one.split("\0")[:-1] for one in done.stdout.decode().split("\1\0")[:-1]]
    assert not done.stderr and len(seen) == len(texts) > 500
    for text, words in zip(texts, seen, strict=True):
        assert words == words_of_a_shell(text) == [word.literal for word in split(text)], repr(text)


def _is_whole(text: str) -> bool:
    """Whether it is one command, with all quotes closed, for a shell that is given it line by line."""
    try:
        words_of_a_shell(text)
        rest = text.rstrip("\n") if not text.endswith("\\\n") else text
        # A newline that ends a word ends the command: marked by what no other text here has, it would be a word.
        marked = words_of_a_shell(rest.replace("\n", "\n;"))
    except ValueError:
        return False
    return not text.endswith("\\\n") and ";" not in [word[:1] for word in marked]


@settings(deadline=None)  # the first expression of a process loads jinja
@given(st.lists(st.tuples(PLAIN, EXPRESSIONS), min_size=1, max_size=4))
def test_expressions_stay_whole_within_their_word(parts: list[tuple[str, str]]) -> None:
    parts = [(text.replace("{", ""), code) for text, code in parts]
    command = " ".join(shlex.quote("(" + text) + code for text, code in parts)
    words = split(command)
    assert [str(word) for word in words] == ["(" + text + code for text, code in parts]


@given(TEXT, TEXT)
def test_a_value_is_one_unchanged_argument_whatever_it_holds(x: str, y: str) -> None:
    assert filled("./p {{ x }} '{{ y }}' --x={{ x }},{{y}}", x=x, y=y) == ["./p", x, y, f"--x={x},{y}"]


@given(PLAIN, TEXT)
def test_literal_text_goes_unchanged_through_jinja(text: str, x: str) -> None:
    text = text.rstrip("{")
    assert Pattern.parse(text + "{{ x ~ '' }}").fill({"x": x}) == text + x


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("a '' b", ["a", "", "b"]),
        ("a {{ e }} b", ["a", "", "b"]),
        ("a 'b c'd\"e f\"", ["a", "b cde f"]),
        ('"a\\"b\\$\\n"', ['a"b$\\n']),
        ("a \\\n b", ["a", "b"]),
        ("a\n  b", ["a", "b"]),
        ("awk '{ print $1 }'", ["awk", "{ print $1 }"]),
        ("{{ x | int + 1 }}", ["8"]),
        ("{{ '{{' }}", ["{{"]),
        ("{% if x == '7' %}-v{% endif %}", ["-v"]),
        ("100%s {{ x }}% %d", ["100%s", "7%", "%d"]),
        ("'{{ x }}'\"{{ x }}\"", ["77"]),
        ("{{ s | quote }}", ["'a b'"]),
        ("", []),
    ],
)
def test_commands_are_split_and_filled(command: str, words: list[str]) -> None:
    assert filled(command, x="7", e="", s="a b") == words


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("a 'b", "a quote ' is not closed"),
        ('a "b', 'a quote " is not closed'),
        ("a \\", "ends with a backslash"),
        ("a {{ x", "'{{ x' is not closed"),
        ("a {{ 'x }}", "is not closed"),
        ("a {% raw %}", "is not closed"),
        ("a {{ x + }}", "is not a pattern"),
        ("a {{ " + "(" * 3000 + "x" + ")" * 3000 + " }}", "is not a pattern"),
        ("a {{ x | nofilter }}", "nofilter"),
        ("{% if x %}a b{% endif %}", "is not a pattern"),
    ],
)
def test_a_command_that_is_none_is_refused(command: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint.replace("(", r"\(").replace("|", r"\|")) as caught:
        split(command)
    assert caught.value.todo


@pytest.mark.parametrize(
    ("where", "kept"),
    [("x == '007'", ["007"]), ("x != '007'", ["a7", "7", "7.0"]), ("x == 7", ["007", "7", "7.0"]),
     ("x in ['7', 'a7']", ["a7", "7"]),
     ("x == '7.0' or x == 'a7'", ["a7", "7.0"])],
)  # fmt: skip
def test_where_compares_a_number_with_a_text_as_it_is_written(where: str, kept: list[str]) -> None:
    condition = Condition(where)
    assert [text for text in ("007", "a7", "7", "7.0") if condition.holds({"x": text})] == kept


def test_names_are_those_that_have_to_be_given() -> None:
    assert Pattern.parse("{{ a }} {{ b|int + c }} {% for d in e %}{{ d }}{% endfor %}").names == {"a", "b", "c", "e"}
    assert Pattern.parse("{{ true }} {{ none }}").names == set()


def test_spaces_in_braces_make_no_other_pattern() -> None:
    assert Pattern.parse("a{{x}}b").canonical() == Pattern.parse("a{{  x }}b").canonical() == ["a", ["x"], "b"]
    assert Pattern.parse("a{{ x }}").canonical() != Pattern.parse("ax").canonical()


def test_an_expression_that_fails_says_which() -> None:
    with pytest.raises(ConfigError, match=r"'\{\{ 1 // \(x\|int\) \}\}' can't be filled in: .*zero"):
        filled("'{{ 1 // (x|int) }}'", x="0")


def test_patterns_reach_no_internals() -> None:
    with pytest.raises(ConfigError, match="can't be filled in"):
        filled("{{ x.__class__.__mro__ }}", x="0")


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("-5", -5), ("012", 12), ("1e3", 1000.0), (".5", 0.5), ("5.", 5.0), ("a", "a"), ("", ""), ("nan", "nan"),
     ("1:30", "1:30"), ("١", "١"), ("1_0", "1_0"), (" 1", " 1")],
)  # fmt: skip
def test_where_reads_what_looks_like_a_number_as_one(text: str, value: object) -> None:
    assert number(text) == value and type(number(text)) is type(value)


def test_a_condition_compares_numbers() -> None:
    condition = Condition("x <= 10 and y == 'a'")
    assert condition.names == {"x", "y"}
    assert condition.holds({"x": "9", "y": "a"}) and not condition.holds({"x": "9", "y": "b"})
    assert not condition.holds({"x": "100", "y": "a"})


def test_an_unknown_filter_names_the_one_that_is_meant() -> None:
    with pytest.raises(ConfigError) as caught:
        split("a {{ x | stam }}")
    assert "Write stem" in str(caught.value) and "<introspection>" not in str(caught.value)


def test_one_equals_sign_in_a_condition_is_told_as_what_it_is() -> None:
    with pytest.raises(ConfigError, match="Write == to compare"):
        Condition("x = 2")
    for text in ("x <= 2 +", "x != 2 +", "x == 2 +"):
        with pytest.raises(ConfigError) as caught:
            Condition(text)
        assert "to compare" not in str(caught.value)


def test_a_condition_that_cannot_be_told_says_so() -> None:
    with pytest.raises(ConfigError, match="can't be told"):
        Condition("x < 3").holds({"x": "a"})
    with pytest.raises(ConfigError, match="is not an expression"):
        Condition("x <")
