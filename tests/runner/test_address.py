"""Where the master listens, and when with TLS."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace

import pytest
from aiohttp import web
from spe.errors import ConfigError
from spe.model import Host
from spe.runner.address import Address, is_loopback, listen_address, own_address
from spe.wire.server import Server


def sweep(address: str | None = None, port: int = 0, tls: bool = True) -> SimpleNamespace:
    return SimpleNamespace(config=SimpleNamespace(listen=SimpleNamespace(address=address, port=port), tls=tls))


HERE, LAB = Host("localhost"), Host("lab01")


@pytest.mark.parametrize(
    ("hosts", "by_hand", "listen", "wanted"),
    [
        ((HERE,), False, sweep(), Address("127.0.0.1", 0, False, None)),
        ((HERE, LAB), False, sweep(), Address(None, 0, True, None)),
        ((), True, sweep(), Address(None, 0, True, None)),
        ((LAB,), False, sweep(tls=False), Address(None, 0, False, None)),
        ((LAB,), False, sweep("0.0.0.0", 99), Address(None, 99, True, None)),
        ((LAB,), False, sweep("10.1.2.3", 99), Address("10.1.2.3", 99, True, "10.1.2.3")),
        ((LAB,), False, sweep("127.0.0.1"), Address("127.0.0.1", 0, False, None)),
        ((HERE,), False, sweep("::1"), Address("::1", 0, False, None)),
        ((HERE,), False, sweep("10.1.2.3"), Address("10.1.2.3", 0, True, "10.1.2.3")),
    ],
)
def test_https_wherever_it_is_not_loopback(
    hosts: tuple[Host, ...], by_hand: bool, listen: SimpleNamespace, wanted: Address
) -> None:
    assert listen_address(listen, hosts, by_hand) == wanted  # type: ignore[arg-type]


def test_an_address_is_shown_as_a_url() -> None:
    assert Address("127.0.0.1", 0, False, None).url(80) == "http://127.0.0.1:80"
    assert Address("::1", 0, False, None).url(80) == "http://[::1]:80"
    assert Address("10.1.2.3", 0, True, "10.1.2.3").url(443) == "https://10.1.2.3:443"
    assert Address(None, 0, True, None).url(1) == f"https://{own_address()}:1"


@pytest.mark.parametrize(
    ("address", "yes"), [("127.0.0.1", 1), ("127.9.9.9", 1), ("::1", 1), ("localhost", 1), ("10.0.0.1", 0), ("lab", 0)]
)
def test_loopback_is_known(address: str, yes: int) -> None:
    assert is_loopback(address) == bool(yes)


async def here(_request: web.Request) -> web.Response:
    return web.Response(text="here")


def listens(address: Address, earlier: int) -> int:
    """The port that it got; the server answers there."""

    async def run() -> int:
        app = web.Application()
        app.router.add_get("/", here)
        server = Server(app)
        try:
            await address.listen(server, None, earlier)
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            assert (await asyncio.wait_for(reader.read(), 20)).endswith(b"here")
            writer.close()
            return server.port
        finally:
            await server.stop()

    return asyncio.run(run())


LOCAL = Address("127.0.0.1", 0, False, None)


def test_a_master_that_comes_back_takes_its_port_again() -> None:
    port = listens(LOCAL, 0)
    assert listens(LOCAL, port) == port


def test_a_master_that_comes_back_and_finds_its_port_taken_takes_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        assert listens(LOCAL, taken) not in (0, taken)


def test_a_port_that_was_asked_for_and_is_in_use_is_an_error_that_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1, port {taken} is in use by another program") as caught:
            listens(Address("127.0.0.1", taken, False, None), 0)
    assert caught.value.where == "listen" and "listen: [ADDRESS:]PORT" in caught.value.todo


def test_an_address_that_is_not_ours_is_an_error_that_says_so() -> None:
    with pytest.raises(ConfigError, match="is not an address of this machine"):
        listens(Address("192.0.2.1", 0, False, None), 0)
