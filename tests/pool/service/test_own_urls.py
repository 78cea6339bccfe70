"""The addresses of a gate that users get: they lead to this machine from others, too."""

from __future__ import annotations

import socket

import pytest
from spe.pool.joining.cards import checked_answer
from spe.pool.service.process import own_urls


@pytest.mark.parametrize(
    ("full", "short", "urls"),
    [
        ("srv.uni.edu", "srv", ["https://srv.uni.edu:8040", "https://srv:8040"]),
        ("srv", "srv", ["https://srv:8040"]),
        ("localhost", "srv", ["https://srv:8040"]),
        ("localhost.localdomain", "srv", ["https://srv:8040"]),
    ],
)
def test_a_gate_on_all_addresses_is_named_by_its_host_and_never_localhost(
    full: str, short: str, urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: full)
    monkeypatch.setattr(socket, "gethostname", lambda: short)
    assert own_urls(None, 8040) == urls


@pytest.mark.parametrize(
    ("address", "url"), [("10.0.0.1", "https://10.0.0.1:8040"), ("fd00::1", "https://[fd00::1]:8040")]
)
def test_a_gate_on_one_address_is_named_by_it_in_a_form_that_users_take(address: str, url: str) -> None:
    assert own_urls(address, 8040) == [url]
    given = {"user": "ada", "token": "t" * 40, "farm": "f00d", "fingerprint": "0" * 64, "urls": [url]}
    assert checked_answer(given, "srv")["urls"] == [url]
