"""What a farm whose account has been taken over tells a user who joins it."""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

import pytest
from spe.cli.farm_join import command
from spe.errors import SpeError
from spe.pool.joining import answering
from spe.pool.joining.cards import Card, checked_answer, load_cards, save_card
from spe.pool.joining.invitations import read_invitation, write_invitation

from .ada import PLACE, Ada
from .evil_gate import NO_ANSWERS, OTHER_NAMES, WRONG_NAMES, EvilGate, answer


@pytest.fixture
def joins(ada: Ada, gate: EvilGate, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """`spe farm join 127.0.0.1 --code WORDS`: exit code or error, and all that was printed."""

    def join(*words: str, port: int | None = None) -> tuple[object, str]:
        code = write_invitation(port or gate.port, gate.keys.fingerprint, "0" * 32)
        typed = ada.root / "typed"
        typed.write_text(code)
        with typed.open() as stream:
            monkeypatch.setattr(sys, "stdin", stream)
            try:
                ended: object = command.main(["127.0.0.1", "--code", *words], standalone_mode=False)
            except SpeError as error:
                ended = error
        out, err = capfd.readouterr()
        return ended, out + err + (str(ended) if isinstance(ended, SpeError) else "")

    return join


def is_harmless(text: str) -> bool:
    return all(one.isprintable() or one in "\n\t" for one in text)


JOINED = {"user": "ada", "token": "u" * 40, "farm": "beef"}


def test_joining_names_hosts_to_ssh_that_are_names_and_that_the_user_accepts(
    joins: Any, ada: Ada, gate: EvilGate
) -> None:
    gate.answers["/join"] = answer(JOINED)
    listed = [
        {"name": name, "info": "\x1b[2J", "user": "root", "port": 22} for name in ("lab01", *OTHER_NAMES, *WRONG_NAMES)
    ]
    gate.answers["/hosts"] = answer({"hosts": [*listed, *listed, 5, None, [], {"name": ["lab02"]}]})
    ended, said = joins("--accept", "lab*")
    assert ended == 1 and "0 of 1 hosts let you in" in said, said
    names = {word for word in ada.ssh_was_told if "=" not in word and not word.startswith(("-", "echo"))}
    assert names == {"lab01"}, ada.ssh_was_told
    assert is_harmless(said)


@pytest.mark.parametrize("name", NO_ANSWERS)
@pytest.mark.parametrize("path", ["/join", "/hosts"])
def test_an_answer_that_is_none_is_one_sentence_to_who_joins(joins: Any, gate: EvilGate, name: str, path: str) -> None:
    gate.answers |= {"/join": answer(JOINED), "/hosts": answer({"hosts": []})}
    gate.answers[path] = NO_ANSWERS[name]
    ended, said = joins("--yes")
    assert isinstance(ended, SpeError), (name, said)
    assert is_harmless(said) and len(str(ended)) < 500


@pytest.mark.parametrize(
    "wrong",
    [
        {"farm": "../../x"}, {"farm": "a/b"}, {"farm": ""}, {"farm": ["f"]}, {"token": "t"}, {"token": "u" * 40 + "\n"},
        {"user": "\x1b[2Jroot"}, {"user": {"name": "ada"}}, {"user": "ada\nben"}, {"user": ""}, {"user": "-x"},
    ],
    ids=ascii,
)  # fmt: skip
def test_an_answer_to_who_joins_that_is_not_in_order_is_not_kept(
    joins: Any, gate: EvilGate, ada: Ada, wrong: Any
) -> None:
    gate.answers |= {"/join": answer(JOINED | wrong), "/hosts": answer({"hosts": []})}
    ended, said = joins("--yes")
    assert isinstance(ended, SpeError) and "no proper address" in str(ended), said
    assert is_harmless(said)
    folder = ada.root / "home" / ".config" / "spe"
    assert [one.name for one in folder.rglob("*.json")] == [f"{gate.farm}@{PLACE}.json"], "hers of before"


@pytest.mark.parametrize(
    "url",
    ["https://lab01:99999", "https://lab01:0", "https://u@lab01:22", "https://lab01", "http://lab01:22", "file:///etc",
     "https://[:::]:22", "https://lab01:22/path", "https://lab01:22\n", "https://-x:22", "ssh://lab01:22", "", 5],
)  # fmt: skip
def test_an_address_of_a_farm_is_one_of_https_with_a_port(url: Any) -> None:
    with pytest.raises(SpeError, match="no proper address"):
        checked_answer(JOINED | {"fingerprint": "0" * 64, "urls": [url]}, "srv")


def test_a_farm_that_comes_with_another_key_is_refused_and_the_token_is_not_sent(
    joins: Any, gate: EvilGate, ada: Ada
) -> None:
    # By its ID it is a farm that she has joined; its key is another one.
    card = json.loads((ada.root / "home/.config/spe/farms" / f"f00d@{PLACE}.json").read_text())
    save_card(Card(**{**card, "fingerprint": "1" * 64}))
    gate.answers |= {"/join": answer(JOINED | {"farm": gate.farm}), "/hosts": answer({"hosts": []})}
    ended, _ = joins()
    assert "the key of this farm has changed" in str(ended)
    with pytest.raises(SpeError, match="not the one that was pinned"):
        answering.ask_gate([gate.url], "1" * 64, "secret-token-of-ada-secret", "GET", "/hosts")
    assert [one[1] for one in gate.asked] == ["/join"], "nothing was asked of the other key"


@pytest.mark.parametrize("port", [0, 65536, 99999])
def test_a_code_with_a_port_that_cannot_be_is_no_code(port: int) -> None:
    with pytest.raises(SpeError, match="no code of a farm"):
        read_invitation(f"{port}.{'0' * 64}.{'1' * 32}")


def test_names_are_matched_label_by_label() -> None:
    card = Card("f", "srv", "farm", "", [], "", "ada", "", "here", [], ["lab*", "*.uni.edu"])
    names = (
        "lab01",
        "lab.evil.com",
        "a.uni.edu",
        "a.b.uni.edu",
        "uni.edu",
        "lab:22",
        "lab -oX=y",
        socket.gethostname(),
    )
    assert [name for name in names if card.accepts(name)] == ["lab01", "a.uni.edu"]


def test_no_text_of_an_answer_steers_a_terminal_whoever_prints_it(gate: EvilGate) -> None:
    evil = "a\x1b[2J\x07\u202eb\r\nc\udc80"
    gate.answers["/jobs"] = answer({"jobs": [{"name": evil, evil: [evil, {"info": [[evil]]}]}], "n": 1.5})
    found = answering.ask_gate([gate.url], gate.keys.fingerprint, "t" * 40, "GET", "/jobs")
    (job,) = found["jobs"]
    assert job["name"].isprintable() and job["name"].startswith("a·[2J") and found["n"] == 1.5
    assert json.dumps(found, ensure_ascii=False).isprintable()


def test_a_farm_that_got_another_id_after_a_backup_is_the_same_one_to_who_joined_it(
    joins: Any, gate: EvilGate, ada: Ada
) -> None:
    gate.answers |= {"/join": answer(JOINED), "/hosts": answer({"hosts": [{"name": "lab01"}]})}
    joins("--accept", "lab*")
    gate.answers["/join"] = answer(JOINED | {"farm": "cafe", "token": "v" * 40})
    joins()
    cards = {one.farm: one for one in load_cards()}
    assert set(cards) == {gate.farm, "beef"}, "its orders are found by the first ID"
    assert cards["beef"].token == "v" * 40 and cards["beef"].patterns == ["lab*"]
