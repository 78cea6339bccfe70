"""A delegate that lost its farm, its folder, or what ran before a boot; and a home that several hosts share."""

from __future__ import annotations

import json
import os
import pwd
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from spe.delegate import delegate as delegate_module
from spe.delegate import masters, trouble
from spe.delegate.address import card_before_move, moved
from spe.delegate.answers import Granted
from spe.delegate.orders import Order
from spe.errors import UsageError
from spe.pool.joining import cards
from spe.pool.joining.cards import Card, load_card, load_cards, save_card
from spe.pool.joining.knocking import boot_id, own_name
from spe.session.living import Living

from .ada import JOB, PLACE, Ada
from .evil_gate import EvilGate, answer

ACCOUNT = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def public(tmp_path: Path) -> Path:
    folder = tmp_path / "public"
    folder.mkdir(mode=0o755)
    return folder


def tell(public: Path, card: Card, **more: Any) -> None:
    said = {"farm": card.farm, "fingerprint": card.fingerprint, "epoch": 5, "urls": ["https://srv:2"], **more}
    (public / "farm.json").write_text(json.dumps(said))


def here(ada: Ada, public: Path) -> Card:
    """Her card of a farm on this host."""
    card = replace(ada.card, srv="localhost", account=ACCOUNT, public=str(public), urls=["https://127.0.0.1:1"])
    save_card(card)
    return card


def test_a_farm_that_moved_is_found_by_its_address_file_and_kept(ada: Ada, public: Path) -> None:
    card = here(ada, public)
    tell(public, card)
    assert moved(card, 5).urls == ["https://srv:2"]
    kept = load_card(card.farm, PLACE)
    assert kept is not None and kept.urls == ["https://srv:2"] and kept.token == card.token


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"fingerprint": "0" * 64}, "a farm with another key is there now"),
        ({"farm": "beef", "fingerprint": "0" * 64}, "a farm with another key is there now"),
        ({"epoch": 4}, "epoch 4, before 5"),
        ({"epoch": "9"}, "epoch 9, before 5"),
        ({"urls": []}, "its address is none"),
        ({"urls": ["http://srv:2"]}, "its address is none"),
    ],
)
def test_an_address_that_is_not_the_pinned_farms_is_not_followed(
    ada: Ada, public: Path, said: dict[str, Any], why: str
) -> None:
    card = here(ada, public)
    tell(public, card, **said)
    with pytest.raises(UsageError, match=why):
        moved(card, 5)
    assert load_card(card.farm, PLACE) == card


def test_a_farm_that_moved_with_a_new_id_is_known_by_its_key(ada: Ada, public: Path) -> None:
    card = here(ada, public)
    tell(public, card, farm="beef", epoch=1_800_000_000)
    assert moved(card, 5) == replace(card, urls=["https://srv:2"]), "the orders go by the first ID"


def test_a_restored_farm_without_a_new_id_is_refused_with_what_its_administrator_does(ada: Ada, public: Path) -> None:
    card = here(ada, public)
    tell(public, card, epoch=4)
    with pytest.raises(UsageError) as caught:
        moved(card, 5)
    assert caught.value.todo == "After a backup was restored, its administrator starts it with --new-id."


def test_a_farm_that_is_not_found_any_more_is_said_in_one_sentence_with_what_to_do(
    ada: Ada, gate: EvilGate, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada.card = here(ada, public)
    ada.submit()
    made = ada.delegate()
    monkeypatch.setattr(delegate_module, "LOOK_AGAIN", 0.0)
    made._one_turn()
    said = trouble.noted(ada.card)
    assert said.startswith("the farm does not answer, and was looked for: localhost: the farm is not there")
    assert said.endswith("If it is on another machine by now: spe farm join SRV, with that one.")
    monkeypatch.setattr(delegate_module, "LOOK_AGAIN", 60.0)
    made._one_turn()
    assert trouble.noted(ada.card) == said, "also between two looks"
    save_card(replace(ada.card, urls=[gate.url]))  # as `spe farm join` does
    gate.answers["/grants"] = answer({"jobs": {}})
    made._one_turn()
    assert trouble.noted(ada.card) == ""


def test_a_farm_under_another_name_is_the_same_where_it_has_the_key_and_has_left_its_old_place(
    ada: Ada, gate: EvilGate
) -> None:
    gate.answers["/hosts"] = answer({"hosts": []})
    assert card_before_move(ada.card.fingerprint) is None, "it answers: the other one is another farm"
    gate.answers["/hosts"] = answer({"error": "no valid token"}, "403 Forbidden")
    assert card_before_move(ada.card.fingerprint) is None
    gone = replace(ada.card, urls=["https://127.0.0.1:1"])
    save_card(gone)
    assert card_before_move(gone.fingerprint) == gone
    assert card_before_move("0" * 64) is None


def test_an_address_file_of_another_account_is_not_read(ada: Ada, public: Path) -> None:
    card = here(ada, public)
    tell(public, card)
    with pytest.raises(UsageError, match=r"belongs to uid|no account"):
        moved(replace(card, account="www-data" if ACCOUNT != "www-data" else "backup"), 0)


def test_a_delegate_follows_its_farm_to_another_port_after_a_minute(
    ada: Ada, gate: EvilGate, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada.card = here(ada, public)
    tell(public, ada.card, urls=[gate.url])
    gate.answers["/grants"] = answer({"jobs": {}})
    ada.submit()
    made = ada.delegate()
    made._take_orders()
    assert 1.0 <= made._one_turn() <= 15.0 and gate.asked == []
    assert "the farm does not answer" in trouble.noted(ada.card)
    monkeypatch.setattr(delegate_module, "LOOK_AGAIN", 0.0)
    made._one_turn()
    assert made._one_turn() == 1.0 and [path.partition("?")[0] for _, path, _ in gate.asked] == ["/grants"]
    assert trouble.noted(ada.card) == ""


@pytest.mark.parametrize(
    ("status", "after", "pause"), [(503, "7", 7.0), (429, "2", 2.0), (503, "99999", 300.0), (503, "soon", 1.0)]
)
def test_a_pause_that_the_farm_names_is_kept_within_limits(
    ada: Ada, gate: EvilGate, status: int, after: str, pause: float
) -> None:
    gate.answers["/grants"] = answer({"error": "not now"}, f"{status} No", f"Retry-After: {after}")
    ada.submit()
    assert ada.delegate()._one_turn() == pause
    assert trouble.noted(ada.card).endswith(f"not now. Try again in {pause:.0f} s.")


def test_a_delegate_ends_when_its_user_has_left_the_farm_and_sees_hosts_accepted_since(
    ada: Ada, gate: EvilGate
) -> None:
    gate.answers["/grants"] = answer({"jobs": {}})
    ada.submit()
    made = ada.delegate()
    made._one_turn()
    master = made._masters[JOB]
    assert not master._accepts("new1")
    save_card(replace(ada.card, accepted=["new1"]))
    made._one_turn()
    assert master._accepts("new1")
    cards.remove_card(ada.card)
    made.run()


def test_hosts_that_share_a_home_have_a_token_each_and_one_pin(ada: Ada, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(ada.card, host="lab08", token="u" * 40)
    save_card(other)
    assert load_cards() == [ada.card]
    monkeypatch.setattr(cards, "own_name", lambda: "lab08")
    assert load_cards() == [other]
    monkeypatch.setattr(cards, "own_name", lambda: "lab09")
    assert load_cards() == []
    assert cards.earlier_card(other.farm, other.fingerprint, "srv", "farm") is not None
    with pytest.raises(UsageError, match="the key of this farm has changed"):
        cards.earlier_card(other.farm, "0" * 64, "srv", "farm")


def order(folder: Path, **more: Any) -> Order:
    return Order("f00d", JOB, [], str(folder), str(folder / "runs" / "x"), own_name(), **more)


GRANT = Granted(5, 1, {"localhost": 1}, {"localhost": 1}, "pending")


def test_what_ran_before_a_boot_counts_as_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masters, "living", lambda _: Living(1, "page"))
    assert masters.Master(order(tmp_path, boot=boot_id()), bool)._lives()
    assert masters.Master(order(tmp_path), bool)._lives()
    assert not masters.Master(order(tmp_path, boot="an earlier one"), bool)._lives()


def test_a_job_whose_folder_is_gone_is_over_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    master = masters.Master(order(tmp_path / "gone"), bool)
    assert master.step(GRANT) is None and master.ended == ""
    monkeypatch.setattr(masters, "GONE", 0.0)
    report = master.step(GRANT)
    assert report is not None and report["ended"] == f"the folder of its sweep is gone: {tmp_path / 'gone'}"
    assert not (tmp_path / "gone").exists()


def test_a_run_that_does_not_start_says_why_in_one_sentence(tmp_path: Path) -> None:
    from waiting import wait_until

    (tmp_path / "spe.yaml").write_text("command: true\nno_such_key: 1\n")
    master = masters.Master(order(tmp_path), bool)
    wait_until(lambda: master.step(GRANT) is not None, "it is given up", seconds=90)
    assert master.ended.startswith("its run does not start: spe.yaml"), master.ended
    assert "no_such_key" in master.ended and "\n" not in master.ended


def test_a_run_that_goes_on_does_not_run_all_sets_once_more(tmp_path: Path) -> None:
    words = ["--fresh", "--keep", "--", "./sim", "--fresh"]
    first = masters.Master(replace(order(tmp_path), words=words), bool)
    assert first._words() == ["run", "--granted", f"f00d/{JOB}", *words]
    again = masters.Master(replace(order(tmp_path, has_begun=True), words=words), bool)
    assert again._words() == ["run", "--granted", f"f00d/{JOB}", "--keep", "--", "./sim", "--fresh"]
