"""Ports for servers of tests, of which none is given to two."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from trial import ports


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """The claims of this test alone, which it may give up."""
    claims: list[socket.socket] = []
    monkeypatch.setattr(ports, "_claims", claims)
    yield claims
    for claim in claims:
        claim.close()


@pytest.mark.usefixtures("claims")
def test_no_port_is_given_twice_though_nothing_listens_on_it_yet() -> None:
    drawn = [ports.free_port() for _ in range(400)]
    assert len(set(drawn)) == len(drawn)


def test_a_port_is_its_drawers_until_it_ends(claims: list[socket.socket]) -> None:
    port = ports.free_port()
    assert not ports._claim(port), "not even another process gets it"
    claims[0].close()
    assert ports._claim(port)


def test_a_port_on_which_somebody_listens_is_not_given(
    claims: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = ports.free_port()
    claims.pop().close()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        drawn = iter([taken.getsockname()[1], free])
        monkeypatch.setattr(ports._draw, "randrange", lambda *_: next(drawn))
        assert ports.free_port() == free
