"""What is said of a connection that failed: the error at the bottom of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest
from support.answers import CONNECT, SETTINGS
from support.rawserver import RawServer
from trial.ports import free_port

from traptor.common.messages import Disconnected, DisconnectKind
from traptor.worker.stream.failure import short
from traptor.worker.stream.v1 import V1Stream


@pytest.fixture
def closed_port() -> int:
    return free_port()


@pytest.fixture
def server() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


def outcome(url: str, **others: str) -> Disconnected:
    settings = replace(SETTINGS, stream_url=url)
    order = msgspec.structs.replace(CONNECT, **others)
    return V1Stream(order, settings, on_open=lambda: None, on_lines=lambda _lines: None).run(())


def test_a_refused_connection_says_so(closed_port: int) -> None:
    ended = outcome(f"http://127.0.0.1:{closed_port}")
    assert ended.detail == "ConnectionRefusedError: [Errno 111] Connection refused"
    assert (ended.kind, ended.reached) == (DisconnectKind.NETWORK, False)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_that_is_away_is_named_as_such(closed_port: int, scheme: str) -> None:
    ended = outcome("http://127.0.0.1:9", proxy=f"{scheme}://127.0.0.1:{closed_port}")
    assert "Connection refused" in ended.detail
    assert ended.detail.startswith("proxy: ")
    assert not ended.reached


def test_a_name_that_does_not_exist_says_so() -> None:
    ended = outcome("http://no-such-host.invalid")
    assert ended.detail.startswith("gaierror: ")
    assert not ended.reached


def test_a_certificate_that_nobody_vouches_for_says_so(server: RawServer) -> None:
    server.answer = lambda _request: [b"this is not TLS"]
    assert outcome(server.url.replace("http:", "https:")).detail.startswith("SSLError: [SSL: WRONG_VERSION")


def test_an_end_without_an_answer_says_so(server: RawServer) -> None:
    ended = outcome(server.url)
    assert ended.detail == "RemoteDisconnected: Remote end closed connection without response"
    assert ended.reached


def test_the_bottom_is_found_through_reasons_arguments_and_causes() -> None:
    assert short(None) == ""
    assert short(ValueError("a")) == "ValueError: a"
    loop = ValueError("b")
    loop.__cause__ = loop
    assert short(loop) == "ValueError: b"
    assert len(short(ValueError("x" * 1_000))) == 200


# ---- the environment


@pytest.fixture
def proxy_of_environment(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> RawServer:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, server.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server.answer = lambda _request: [b"HTTP/1.1 420 by the proxy\r\nContent-Length: 0\r\n\r\n"]
    return server


def test_a_proxy_of_the_environment_is_ignored(proxy_of_environment: RawServer, closed_port: int) -> None:
    assert outcome(f"http://127.0.0.1:{closed_port}").status is None


def test_a_proxy_of_the_environment_is_used_when_the_operator_says_so(
    proxy_of_environment: RawServer, closed_port: int
) -> None:
    settings = replace(SETTINGS, stream_url="http://stream.invalid", proxy_of_environment=True)

    def status(**others: str) -> int | None:
        order = msgspec.structs.replace(CONNECT, **others)
        return V1Stream(order, settings, on_open=lambda: None, on_lines=lambda _lines: None).run(()).status

    assert status() == 420
    assert status(proxy=f"http://127.0.0.1:{closed_port}") is None, "a key's own comes first"
