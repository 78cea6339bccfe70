"""Addresses, the user's own file of them, and that no message shows what they hold."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from spe.config.notify.recipients import recipients
from spe.errors import UsageError
from spe.notify.address_book import Target, file_of_user, read_book, targets
from spe.notify.addresses import Kind, Mail, address
from spe.notify.not_sent import without_secrets

from .kit import SECRET, write_book


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def mail(text: str) -> Mail:
    found = address(text, "me", "here").mail
    assert found
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("mailto:ada@example.org", Mail(("ada@example.org",))),
        ("mailto:a@b.org,c@d.org?from=spe@b.org", Mail(("a@b.org", "c@d.org"), sender="spe@b.org")),
        (
            "mailto:a@b.org?smtp=mail.b.org&user=a&pass=x%26%2By",
            Mail(("a@b.org",), "mail.b.org", 587, "starttls", "", "a", "x&+y"),
        ),
        (
            "mailtos://ada:p%40ss@b.org?smtp=mail.b.org:2525&to=c@d.org",
            Mail(("c@d.org",), "mail.b.org", 2525, "starttls", "ada@b.org", "ada", "p@ss"),
        ),
        ("mailtos://ada:pass@b.org", Mail(("ada@b.org",), "b.org", 587, "starttls", "ada@b.org", "ada", "pass")),
        ("mailtos://ada%40b.org:pass@smtp.b.org?mode=ssl",
         Mail(("ada@b.org",), "smtp.b.org", 465, "tls", "ada@b.org", "ada@b.org", "pass")),
        ("mailto://127.0.0.1:2525?to=a@b.org", Mail(("a@b.org",), "127.0.0.1", 2525)),
        ("mailto:a@b.org?smtp=mail.b.org&mode=insecure", Mail(("a@b.org",), "mail.b.org", 25)),
    ],
)  # fmt: skip
def test_a_mail_address_names_server_login_and_who_gets_it(text: str, wanted: Mail) -> None:
    assert mail(text) == wanted


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("nothing", "this is no address"),
        (f"mailto:a@b?pasw={SECRET}", "unknown option 'pasw' of a mail address"),
        (f"mailto:a@b?pass={SECRET}", "it has a password and no user"),
        ("mailtos://mail.b.org", "it does not say to whom"),
        (f"mailto:a@b?smtp=m.org&user=a&pass={SECRET}&mode=insecure", "would send the password unencrypted"),
        (f"mailto:a@b?smtp=m.org&user=a&pass={SECRET}#x", "write # as %23"),
        (f"mailtos://a:{SECRET}/@m.org", "this is no mailtos address"),
        (f"mailto:a@b?mode={SECRET[:3]}", "is none of insecure, starttls, ssl"),
        (f"http://example.org/{SECRET}", "http: would send"),
        (f"https://:{SECRET}", "this is no https address"),
        ("cmd: ", "no command"),
    ],
)
def test_what_cannot_be_an_address_is_told_without_its_secret(text: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        address(text, "me", "here")
    assert what in caught.value.what and caught.value.where == "here"
    assert SECRET not in str(caught.value) + repr(caught.value) + str(caught.value.__cause__)


def test_an_address_does_not_show_itself() -> None:
    for text in (f"https://x/{SECRET}", f"mailtos://a:{SECRET}@b.org", f"cmd: curl {SECRET}", f"slack://{SECRET}"):
        one = address(text, "me", "here")
        assert SECRET not in repr(one) + repr(Target(one, ("done",), 1.0))


def test_words_of_a_server_are_shown_without_any_part_of_the_address() -> None:
    one = address(f"https://hooks.example.org/services/{SECRET}?key=abcd1234", "me", "here")
    shown = without_secrets(f"hooks.example.org: no /services/{SECRET}, Xk7-geheim9, abcd1234 or geheim9", one)
    assert shown == "hooks.example.org: no ***, Xk7-***, *** or ***"
    quoted = address("mailtos://ada:p%40ss-word@b.org", "me", "here")
    assert without_secrets("535 ada and p@ss-word", quoted) == "535 ada and ***"


def test_the_file_of_the_user_lies_in_the_configuration_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert file_of_user() == tmp_path / "spe" / "notify.yaml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert file_of_user() == tmp_path / "home/.config/spe/notify.yaml"


def test_names_stand_for_addresses(config: Path) -> None:
    write_book(config, f"me: mailto:ada@example.org\nhook: https://example.org/{SECRET}\nsay: 'cmd: cat'\n")
    found = targets(recipients(["me", "done=hook", "say", "cmd: wall", "mailto:b@c"]))
    kinds = [Kind.MAIL, Kind.HTTPS, Kind.COMMAND, Kind.COMMAND, Kind.MAIL]
    assert [one.address.kind for one in found] == kinds
    assert [one.address.name for one in found] == ["me", "hook", "say", "cmd: wall", "mailto:b@c"]
    assert [one.address.is_private for one in found] == [True, True, True, False, False]


def test_an_unknown_name_is_told_with_those_that_there_are(config: Path) -> None:
    write_book(config, "team: mailto:a@b\nme: mailto:a@b\n")
    with pytest.raises(UsageError) as caught:
        targets(recipients("taem"))
    error = caught.value
    assert error.what == "there is no address named taem" and error.where.endswith("spe/notify.yaml")
    assert error.todo == "Did you mean team? There are team, me."


def test_without_a_file_the_line_to_write_is_told(config: Path) -> None:
    with pytest.raises(UsageError, match="no address named me: this file does not exist") as caught:
        targets(recipients("me"))
    assert not config.exists()
    line = caught.value.todo.removeprefix("This line makes it, with mode 0600: ")
    subprocess.run(["sh", "-c", line], check=True)
    assert file_of_user().stat().st_mode & 0o777 == 0o600
    assert read_book() == {"me": "mailto:NAME@HOST"}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("mailto:", "mailto: without an e-mail address"),
        ("mailto:nonsense", "this is no e-mail address after mailto:"),
        ("done=mailto:nonsense", "this is no e-mail address after mailto:"),
        ("http://example.org/hook", "http: would send the message"),
    ],
)
def test_an_address_that_no_file_can_help_says_what_is_wrong_with_it(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what) as caught:
        recipients(text)
    assert "notify.yaml" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o602])
def test_a_file_that_others_can_read_or_write_is_refused(config: Path, mode: int) -> None:
    path = write_book(config, f"me: https://example.org/{SECRET}\n", mode)
    with pytest.raises(UsageError) as caught:
        targets(recipients("me"))
    assert f"mode {mode:04o}" in caught.value.what and caught.value.todo == f"chmod 600 {path}"
    path.chmod(0o400)
    assert list(read_book()) == ["me"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user's file")
def test_another_users_file_is_refused(config: Path) -> None:
    os.chown(write_book(config, "me: cmd:id\n"), 65534, 65534)
    with pytest.raises(UsageError, match="another user's file"):
        read_book()


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        (f"me: !{SECRET}\n", "this is not readable as YAML", "notify.yaml:1"),
        (f"\nme: https://x/{SECRET}: x\n", "this is not readable as YAML", "notify.yaml:2"),
        (f"you: cmd:id\nme: [{SECRET}]\n", "this is no address", "notify.yaml: me"),
        ("me:\n", "this is no address", "notify.yaml: me"),
        (f"me: https://:{SECRET}\n", "this is no https address", "notify.yaml: me"),
    ],
)
def test_a_damaged_file_is_told_without_its_secrets(config: Path, text: str, what: str, where: str) -> None:
    write_book(config, text)
    with pytest.raises(UsageError) as caught:
        targets(recipients("me"))
    assert (caught.value.what, where in caught.value.where) == (what, True), str(caught.value)
    assert SECRET not in str(caught.value)


def test_an_address_of_apprise_without_the_extra_names_the_pip_line(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    write_book(config, f"me: json://127.0.0.1/{SECRET}\n")
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(UsageError) as caught:
        targets(recipients("me"))
    assert "me" in caught.value.what and "apprise" in caught.value.what
    assert caught.value.todo == "pip install 'spe[notify]'" and SECRET not in str(caught.value)


def test_an_address_that_apprise_does_not_know_is_refused(config: Path) -> None:
    pytest.importorskip("apprise")
    write_book(config, f"me: nosuch://{SECRET}\nyou: json://127.0.0.1\n")
    with pytest.raises(UsageError, match="Apprise does not know this address") as caught:
        targets(recipients("me"))
    assert SECRET not in str(caught.value)
    assert targets(recipients("you"))[0].address.kind is Kind.APPRISE
