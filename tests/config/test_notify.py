"""`notify:` in spe.yaml and --notify: who is told, and that no secret stands there."""

from __future__ import annotations

import pytest
from spe.config import config, yaml_file
from spe.config.notify.recipients import EVENTS, STALLED_AFTER, Recipient, without_secret
from spe.errors import ConfigError
from spe.line.options import keys_of_options


def told(text: str) -> tuple[Recipient, ...]:
    return config.check(yaml_file.parse(f"command: x\nnotify: {text}\n", "spe.yaml"))[0].notify


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        told(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("me", [("me", EVENTS)]),
        ("[me, you]", [("me", EVENTS), ("you", EVENTS)]),
        ("done=me", [("me", ("done",))]),
        ("'stalled, first failure=me'", [("me", ("first_failure", "stalled"))]),
        ("[{to: me, on: [done, given-up]}]", [("me", ("done", "given_up"))]),
        ("{to: me, on: done}", [("me", ("done",))]),
        ("mailto:ada@example.org,bob@example.org", [("mailto:ada@example.org,bob@example.org", EVENTS)]),
        ("'cmd:notify-send a=b'", [("cmd: notify-send a=b", EVENTS)]),
        ("'done=cmd: notify-send \"$SPE_SUBJECT\" a=b'", [('cmd: notify-send "$SPE_SUBJECT" a=b', ("done",))]),
        ("https://ci.example:8443/hooks/sweep-done/v2", [("https://ci.example:8443/hooks/sweep-done/v2", EVENTS)]),
    ],
)  # fmt: skip
def test_who_is_told_of_what(text: str, wanted: list[tuple[str, tuple[str, ...]]]) -> None:
    assert [(one.to, one.on) for one in told(text)] == wanted


def test_the_time_of_a_stall_has_a_default_and_a_key() -> None:
    assert told("me")[0].after == STALLED_AFTER
    assert told("{to: me, after: 2h}")[0].after == 7200


@pytest.mark.parametrize(
    "text",
    [
        "https://ada:geheim@example.org/hook",
        "https://example.org/hook?token=geheim",
        "https://example.org/hook#geheim",
        "https://hooks.example.org/services/T0001/B0002/geheimGEHEIM",
        "https://example.org/0123456789abcdef",
        "https://example.org/geheimgeheimgeheimgeheim/x",
        "https://geheim@example.org",
        "mailtos://ada:geheim@example.org",
        "mailto:ada@example.org?pass=geheim",
        "json://geheim@example.org",
        "slack://geheim/b/c",
        "done=tgram://geheim/1",
        "{to: 'ntfy://geheim'}",
    ],
)
def test_an_address_that_may_hold_a_secret_is_refused_and_not_shown(text: str) -> None:
    error = refused(text)
    assert "may hold a password or a token" in error.what and "~/.config/spe/notify.yaml" in error.todo
    assert "0600" in error.todo and "`notify: me`" in error.todo
    assert "geheim" not in str(error) and "0123456" not in str(error)


@pytest.mark.parametrize(
    ("text", "where", "what", "todo"),
    [
        ("dnoe=me", "spe.yaml:2: notify.on", "found 'dnoe', wanted done, first_failure, stalled", "Did you mean done?"),
        ("{to: me, on: [done, ended]}", "spe.yaml:2: notify.on", "found 'ended', wanted done, first_failure", ""),
        ("'=me'", "spe.yaml:2: notify.on", "found nothing", ""),
        ("{on: done}", "spe.yaml:2: notify", "there is no `to`", "Write it like {to: me"),
        ("[me, {to: me, when: done}]", "spe.yaml:2: notify.1.when", "unknown key 'when'", "There are to, on, after."),
        ("a@example.org", "spe.yaml:2: notify.to", "an e-mail address without mailto:", "Write mailto:a@example.org."),
        ("'cmd: '", "spe.yaml:2: notify.to", "no command after cmd:", ""),
        ("http://example.org/geheim", "spe.yaml:2: notify.to", "http: would send the message", "Write https:."),
        ("two words", "spe.yaml:2: notify.to", "found 'two words', wanted a name", ""),
        ("{to: me, after: soon}", "spe.yaml:2: notify.after", "found 'soon', wanted a duration", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_refused(text: str, where: str, what: str, todo: str) -> None:
    error = refused(text)
    assert (error.where, what in error.what, todo in error.todo) == (where, True, True), str(error)
    assert "geheim" not in str(error)


def test_the_option_says_the_same_and_its_message_shows_no_secret() -> None:
    keys, options = keys_of_options({"notify": ("done=me", "stalled=slack://geheim/b", "https://a:geheim@b/c")})
    assert keys == {"notify": ["done=me", "stalled=slack://geheim/b", "https://a:geheim@b/c"]}
    assert options["notify", 1] == "--notify stalled=slack:…" and options["notify", 2] == "--notify https:…"


@pytest.mark.parametrize("text", ["me", "done=me", "mailto:a@b", "cmd: x --token=y", "done=https://a.example/b"])
def test_what_holds_no_secret_is_shown_as_it_is(text: str) -> None:
    assert without_secret(text) == text


@pytest.mark.parametrize("word", ["mail", "email", "mail_type", "notification"])
def test_words_of_other_tools_name_the_key(word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.check(yaml_file.parse(f"command: x\n{word}: me\n", "spe.yaml"))
    assert "`notify: mailto:ADDRESS`" in caught.value.todo
