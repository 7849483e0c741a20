"""A stream that stalls, breaks, talks nonsense or ends: noticed, counted, opened again, never fatal."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.collection import Collection, Json, Key
from support.losses import check_all_written, check_nothing_lost
from support.rawserver import RawServer
from support.waiting import wait_for

Make = Callable[..., Collection]


def start_one(make: Make, *sandbox: str, **options: dict[str, object]) -> tuple[Collection, int]:
    """A collection with the connection track:0, for which tweets are made, and its pid."""
    collection = make(Key("k1"), sandbox=sandbox)
    collection.options = options
    if "--tls" in sandbox:
        by_tls = {"stream_url": collection.tls_url, "stream_ca_file": sandbox[sandbox.index("--tls") + 1]}
        collection.options = {**options, "twitter": {**options.get("twitter", {}), **by_tls}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    collection.sandbox.set_rules([("track", "storm")])
    wait_for(lambda: len(collection.tweets("track:0")) > 10, "tweets")
    return collection, pid


def wait_gap(collection: Collection, cause: str) -> tuple[float, float]:
    """Begin and end, as Unix times, of the first gap with this cause."""

    def found() -> Json | None:
        return next((gap for gap in collection.gaps("track:0") if gap["cause"] == cause), None)

    gap = wait_for(found, f"a gap with cause {cause}")
    assert gap is not None
    return span(gap)


def span(gap: Json) -> tuple[float, float]:
    """Begin and end as Unix times, widened by the rounding of the log's milliseconds."""
    since, until = (datetime.fromisoformat(gap[name]).timestamp() for name in ("since", "until"))
    return since - 0.002, until + 0.002


def counters(collection: Collection) -> Json:
    return collection.connection("track:0").get("total", {})


def others(collection: Collection, name: str = "track:0") -> list[Json]:
    """What was delivered and is no tweet."""
    return [message for message in collection.messages(name) if "id_str" not in message]


def delivered(collection: Collection) -> set[str]:
    return {tweet["id_str"] for tweet in collection.tweets("track:0")}


# ---- silence


@pytest.mark.parametrize("fault", ["stall", pytest.param("half_open", marks=pytest.mark.long)])
def test_a_silent_stream_is_given_up_and_its_gap_begins_with_the_last_byte(
    make_collection: Make, fault: str
) -> None:
    collection, pid = start_one(make_collection, twitter={"stall_timeout": "2s"})
    collection.sandbox.fault(fault)
    silent_from = time.time()
    since, until = wait_gap(collection, "stall")
    assert until - since >= 2.0
    assert since < silent_from + 0.1
    assert collection.wait_streaming("track:0") == {"track:0": pid}
    collection.wait_log("stream ended", "kind=stall", name="track:0")
    collection.sandbox.clear_faults()
    before = len(collection.tweets("track:0"))
    wait_for(lambda: len(collection.tweets("track:0")) > before, "tweets go on")
    check_nothing_lost(collection)


@pytest.mark.long
def test_keep_alives_keep_a_quiet_stream(make_collection: Make) -> None:
    collection, pid = start_one(make_collection, twitter={"stall_timeout": "2s"})
    collection.sandbox.stop_timeline()
    at = collection.status()["at"]
    wait_for(lambda: collection.status()["at"] > at + 3.5, "longer than stall_timeout")
    assert collection.streaming() == {"track:0": pid}
    assert len(collection.sandbox.connections()) == 1


@pytest.mark.long
def test_headers_that_come_late_are_waited_for(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.sandbox.fault("slow_start", after=2, times=1)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    assert [one["status"] for one in collection.sandbox.attempts()] == [200]
    since, until = wait_gap(collection, "start")
    assert until - since >= 2.0


def test_headers_that_never_come_count_as_a_network_error(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {"twitter": {"connect_timeout": "2s"}}
    collection.sandbox.fault("slow_start", after=60, times=1)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_log("connect failed", "kind=network", name="track:0")
    collection.wait_streaming("track:0")


# ---- broken streams


@pytest.mark.long
def test_a_reset_inside_a_message_costs_that_message_only(make_collection: Make) -> None:
    collection, pid = start_one(make_collection)
    for number in (1, 2, 3):
        collection.sandbox.fault("reset")
        wait_for(lambda number=number: len(collection.sandbox.connections()) == number + 1, "a new stream")
        collection.wait_streaming("track:0")
    causes = ["start", "network", "network", "network"]
    wait_for(lambda: [gap["cause"] for gap in collection.gaps("track:0")] == causes, "every gap in the log")
    assert collection.streaming() == {"track:0": pid}
    check_nothing_lost(collection)
    assert counters(collection)["broken"] <= 3
    assert all(
        line.startswith(b"{") for line in (collection.output / "track:0.jsonl").read_bytes().splitlines()
    )


@pytest.mark.long
def test_a_clean_end_of_a_lasting_stream_is_reconnected_at_once(make_collection: Make) -> None:
    """After more than 10 s of streaming there is no wait, and nothing that was sent is lost."""
    collection, pid = start_one(make_collection, twitter={"http_backoff": "30s"})
    opened = collection.sandbox.connections()[0]["opened_mono"]
    at = collection.status()["at"]
    wait_for(lambda: collection.status()["at"] > at + 11, "it has lasted")
    collection.sandbox.fault("close")
    wait_gap(collection, "server_close")
    first, second = collection.sandbox.connections()
    assert first["closed_mono"] - opened > 10
    assert second["opened_mono"] - first["closed_mono"] < 10
    assert collection.wait_streaming("track:0") == {"track:0": pid}
    assert collection.key("k1")["state"] == "OK"
    check_nothing_lost(collection)


def test_an_announced_disconnect_is_said_with_its_code_and_delivered(make_collection: Make) -> None:
    collection, pid = start_one(make_collection)
    collection.sandbox.fault("disconnect", code=7)
    collection.wait_log("the server announces a disconnect", "code=7", name="track:0")
    collection.wait_log("the server announces a disconnect", "code=7")
    wait_gap(collection, "server_close")
    assert collection.wait_streaming("track:0") == {"track:0": pid}
    assert [message["disconnect"]["code"] for message in others(collection)] == [7]


# ---- nonsense


def test_garbage_lines_are_counted_and_never_fatal(make_collection: Make) -> None:
    collection, pid = start_one(make_collection)
    for _ in range(15):
        collection.sandbox.fault("garbage")
    wait_for(lambda: counters(collection)["broken"] == 30, "all are counted")
    assert collection.streaming() == {"track:0": pid}
    assert len(collection.sandbox.connections()) == 1
    shown = [line for line in collection.log("track:0").splitlines() if "no JSON object" in line]
    assert len(shown) == 10, "so many a minute are shown"
    check_all_written(collection)


KINDS: dict[str, dict[str, Any]] = {
    "delete": {"delete": {"status": {"id": 1, "id_str": "1", "user_id": 3, "user_id_str": "3"}}},
    "scrub_geo": {"scrub_geo": {"user_id": 14, "user_id_str": "14", "up_to_status_id": 23}},
    "limit": {"limit": {"track": 12, "timestamp_ms": "1"}},
    "status_withheld": {"status_withheld": {"id": 1, "user_id": 2, "withheld_in_countries": ["DE"]}},
    "user_withheld": {"user_withheld": {"id": 1, "withheld_in_countries": ["DE", "AR"]}},
    "warning": {"warning": {"code": "FALLING_BEHIND", "message": "Your connection is falling behind"}},
    "friends": {"friends": [1, 2, 3]},
    "event": {"event": "favorite", "created_at": "Sat Sep 4 16:10:54 +0000 2010", "target": {"id": 1}},
    "for_user": {"for_user": "1888", "message": {"friends": []}},
    "control": {"control": {"control_uri": "/1.1/site/c/01_225167"}},
    "unknown": {"something": {"new": True}},
}


@pytest.mark.parametrize(
    "where", ["topic", *(pytest.param(name, marks=pytest.mark.long) for name in ("drop", "others"))]
)
def test_messages_of_all_kinds_are_counted_and_go_where_they_are_told_to(
    make_collection: Make, where: str
) -> None:
    """As they came, without anything added to them."""
    collection, pid = start_one(make_collection, traptor={"other_messages": where})
    for message in KINDS.values():
        collection.sandbox.message(message)
    wait_for(lambda: counters(collection)["other"] == dict.fromkeys(sorted(KINDS), 1), "all are counted")
    assert counters(collection)["broken"] == 0
    expected = sorted(map(json.dumps, KINDS.values()))
    beside = others(collection)
    apart = others(collection, "track:0.others")
    assert sorted(map(json.dumps, beside)) == (expected if where == "topic" else [])
    assert sorted(map(json.dumps, apart)) == (expected if where == "others" else [])
    assert (collection.output / "track:0.others.jsonl").exists() == (where == "others")
    collection.wait_log("the server warns", "FALLING_BEHIND", name="track:0")
    assert collection.streaming() == {"track:0": pid}


@pytest.mark.long
def test_limit_notices_count_what_is_new_in_them(make_collection: Make) -> None:
    """Totals may interleave and fall; each connection begins at zero."""
    collection, _ = start_one(make_collection)
    for total in (5, 3, 12, 9, 12):
        collection.sandbox.message({"limit": {"track": total}})
    wait_for(lambda: counters(collection)["limited"] == 12, "12 are withheld")
    collection.sandbox.fault("close")
    wait_for(lambda: len(collection.sandbox.connections()) == 2, "a new stream")
    collection.wait_streaming("track:0")
    collection.sandbox.message({"limit": {"track": 4}})
    wait_for(lambda: counters(collection)["limited"] == 16, "4 more are withheld")
    wait_for(lambda: int(collection.redis.hget("traptor:totals:track:0", "limited") or 0) == 16, "totals")

    def members() -> list[tuple[bytes, float]]:
        return collection.redis.zrange("limit:track:0", 0, -1, withscores=True)

    wait_for(lambda: sum(int(m.decode().partition(":")[2]) for m, _ in members()) == 16, "the rolling count")
    for member, score in members():
        assert abs(float(member.decode().partition(":")[0]) - score) < 0.001
    assert collection.redis.ttl("limit:track:0") > 0


# ---- odd forms


@pytest.mark.long
def test_compressed_chunks_that_end_anywhere_are_put_together(make_collection: Make) -> None:
    collection, pid = start_one(make_collection, "--chunking", "odd", "--rate", "200")
    wait_for(lambda: len(collection.tweets("track:0")) > 200, "many tweets")
    assert collection.sandbox.connections()[0]["gzip"]
    check_all_written(collection)
    assert counters(collection)["broken"] == 0
    assert collection.streaming() == {"track:0": pid}


FRAMINGS = {
    "split": ("--chunking", "split"),
    "close": ("--framing", "close"),
    "length": ("--framing", "length"),
    "gzip": ("--framing", "gzip"),
}


@pytest.mark.parametrize(
    "is_tls", [pytest.param(False, id="plain"), pytest.param(True, id="tls", marks=pytest.mark.long)]
)
@pytest.mark.parametrize(
    "framing",
    [pytest.param(name, marks=() if name in ("split", "close") else pytest.mark.long) for name in FRAMINGS],
)
def test_what_has_come_is_delivered_before_the_worker_is_killed(
    make_collection: Make, framing: str, is_tls: bool, tmp_path: Path
) -> None:
    """However the answer is framed: nothing waits in the reader for what comes later."""
    tls = ("--tls", str(tmp_path / "ca.pem")) if is_tls else ()
    collection, pid = start_one(make_collection, *FRAMINGS[framing], *tls)
    assert collection.ini.read_text().count("stream_url = https://") == is_tls
    collection.sandbox.stop_timeline()
    came = {tweet["id"] for tweet in collection.sandbox.tweets() if tweet["connections"]}
    wait_for(lambda: delivered(collection) >= came, "all that came, while nothing more comes")
    os.kill(pid, signal.SIGKILL)
    collection.wait_new_pid("track:0", pid)
    wait_gap(collection, "crash")
    check_nothing_lost(collection)


def test_the_gap_of_a_killed_worker_begins_before_what_came_in_part(make_collection: Make) -> None:
    came_at: list[float] = []

    def answer(_request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        yield from (b'{"id_str":"%d","text":"storm"}\r\n' % number for number in range(9))
        time.sleep(1)  # a mark without half of a message
        yield b'{"id_str":"10",'
        came_at.append(time.time())
        yield from iter(lambda: time.sleep(0.1) or b"", None)

    server = RawServer(answer)
    try:
        collection = make_collection(Key("k1"))
        collection.options = {"twitter": {"stream_url": server.url}}
        collection.add_rules("track:0", ["storm"])
        collection.start()
        pid = collection.wait_streaming("track:0")["track:0"]
        wait_for(lambda: len(collection.tweets("track:0")) == 9, "what came whole")
        (mark,) = (collection.folder / "state" / "outbox" / "track:0").glob("*/mark")
        wait_for(lambda: came_at and mark.stat().st_mtime > came_at[0] + 1, "a mark after that")
        os.kill(pid, signal.SIGKILL)
        begins, _ = wait_gap(collection, "crash")
    finally:
        server.close()
    assert begins <= came_at[0]
    assert begins > came_at[0] - 10


def test_matches_are_counted_in_redis_as_readers_expect(make_collection: Make) -> None:
    """ZCARD of `stats:<type>:<id>:<rule_id>` is the matches of the last 15 minutes; the totals are exact."""
    collection = make_collection(Key("k1"), sandbox=("--rate", "20"))
    collection.add_rules("track:0", {"r1": "storm", "r2": "flood warning"})
    collection.start()
    collection.wait_streaming("track:0")
    collection.sandbox.set_rules([("track", "storm"), ("track", "flood warning")])
    wait_for(lambda: len(collection.tweets("track:0")) > 40, "tweets")
    collection.sandbox.stop_timeline()
    assert collection.stop() == 0
    for rule_id in ("r1", "r2"):
        found = [
            rule
            for tweet in collection.tweets("track:0")
            for rule in tweet["traptor"]["collection_rules"]
            if rule["rule_id"] == rule_id and "inferred" not in rule
        ]
        assert found
        assert collection.redis.zcard(f"stats:track:0:{rule_id}") == len(found)
        totals = collection.redis.hget("traptor:totals:track:0", f"track:0:{rule_id}")
        assert int(totals or 0) == len(found)
