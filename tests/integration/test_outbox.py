"""The outbox in a whole collection: the output goes away, processes die, and nothing that was read is lost.

The output here is a file whose name leads to a full disk; test_collection_kafka.py has the same with Kafka.
"""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.collection import Collection, Json, Key
from support.losses import check_nothing_lost, lost
from support.pair import lines_with, put_aside, start_two, times, wait_gap
from support.waiting import DEADLINE_S, wait_for

from traptor.common.files.outboxes import OUTBOX_LOCK, note_count, outbox_folder, outboxes

Make = Callable[..., Collection]


def take_output_away(collection: Collection, name: str = "track:0") -> Path:
    """Every write to the connection's file fails from now on, for want of room; return what there was."""
    wait_for(lambda: collection.tweets(name), "tweets")
    first = put_aside(collection.output / f"{name}.jsonl", collection.folder / "first.jsonl")
    wait_for(lambda: waiting(collection, name) > 5, "messages wait in the outbox")
    return first


def give_output_back(collection: Collection, name: str = "track:0") -> None:
    """The file is there again."""
    (collection.output / f"{name}.jsonl").unlink()
    wait_for(lambda: collection.tweets(name) and not waiting(collection, name), "the outbox is empty")


def waiting(collection: Collection, name: str = "track:0") -> int:
    return int(collection.connection(name).get("outbox", {"messages": 0})["messages"])


def written_at(tweet: Json) -> float:
    """When the sandbox wrote it to a stream, as Unix time; infinite: to none."""
    shift = tweet["made_at"] - tweet["made_mono"]
    return min((shift + at for at in tweet["written_mono"]), default=math.inf)


def left_in(collection: Collection, name: str) -> list[str]:
    """The generations whose outbox is there."""
    return [path.name for path in outboxes(collection.folder / "state", name)]


@pytest.fixture
def started(make_collection: Make) -> tuple[Collection, dict[str, int]]:
    collection, pids = start_two(make_collection)
    collection.sandbox.set_rules([("track", "storm")])
    collection.sandbox.set_rate(100)
    return collection, pids


def test_a_worker_killed_while_messages_wait_loses_none_of_them(
    started: tuple[Collection, dict[str, int]],
) -> None:
    collection, before = started
    first = take_output_away(collection)
    os.kill(before["track:0"], signal.SIGKILL)
    collection.wait_new_pid("track:0", before["track:0"])
    collection.wait_log("an outbox is taken over", "of=1", "worker=track:0")
    wait_gap(collection, "crash")
    give_output_back(collection)
    check_nothing_lost(collection, first)
    wait_for(lambda: collection.connection("track:0")["total"]["redelivered"] > 5, "it is counted")
    wait_for(lambda: left_in(collection, "track:0") == ["2"], "the old outbox is gone")


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_what_waits_when_the_supervisor_ends_is_delivered_by_the_next_one(
    started: tuple[Collection, dict[str, int]], end: str
) -> None:
    collection, _ = started
    take_output_away(collection)
    if end == "kill":
        collection.signal(signal.SIGKILL)
        assert collection.process is not None
        collection.process.wait(DEADLINE_S)
    else:
        collection.sandbox.stop_timeline()
        assert collection.stop() == 0
        collection.wait_log("worker left messages in its outbox", "connection=track:0")
    assert left_in(collection, "track:0") == ["1"]
    first_part = (collection.folder / "first.jsonl").read_bytes().splitlines()
    written_before = {json.loads(line)["id_str"] for line in first_part}
    collection.sandbox.start_timeline()
    (collection.output / "track:0.jsonl").unlink()
    collection.start()
    collection.wait_streaming("track:0", "follow:0")
    collection.wait_log("an outbox is taken over", "of=1", "worker=track:0")
    wait_for(lambda: "1" not in left_in(collection, "track:0"), "the old outbox is gone")
    of_first = [
        tweet["id_str"]
        for tweet in collection.tweets("track:0")
        if tweet["traptor"]["collection"]["generation"] == 1
    ]
    assert len(of_first) > 5
    assert len(of_first) == len(set(of_first))
    assert not written_before & set(of_first)


def test_what_a_connection_left_that_is_no_longer_planned_is_delivered_by_a_drain_worker(
    started: tuple[Collection, dict[str, int]],
) -> None:
    collection, before = started
    first = take_output_away(collection)
    told_at = time.time()
    collection.remove_rules("track:0", ["storm"])
    collection.hint("track:0")
    wait_for(lambda: collection.streaming() == {"follow:0": before["follow:0"]}, "track:0 streams no more")
    os.kill(before["track:0"], signal.SIGKILL)  # it drains, and cannot
    collection.wait_log("drain worker forked", "connection=track:0", "gen=0")
    (collection.output / "track:0.jsonl").unlink()
    collection.wait_log("worker ended", "connection=track:0", "gen=0", "why=drained")
    assert left_in(collection, "track:0") == []
    assert not [tweet for tweet in lost(collection, first) if written_at(tweet) < told_at]
    assert collection.streaming() == {"follow:0": before["follow:0"]}


def test_a_drain_worker_is_told_to_end_with_the_supervisor(
    started: tuple[Collection, dict[str, int]],
) -> None:
    collection, before = started
    take_output_away(collection)
    collection.remove_rules("track:0", ["storm"])
    collection.hint("track:0")
    wait_for(lambda: collection.streaming() == {"follow:0": before["follow:0"]}, "track:0 streams no more")
    os.kill(before["track:0"], signal.SIGKILL)
    collection.wait_log("drain worker forked", "connection=track:0")
    collection.wait_log("delivering what was left", name="track:0")
    assert collection.stop() == 0
    assert left_in(collection, "track:0") == ["1"]


def test_a_full_outbox_closes_the_stream_and_has_it_opened_again_when_there_is_room(
    make_collection: Make,
) -> None:
    collection, before = start_two(make_collection, outbox_max_bytes="1M")
    collection.sandbox.set_rules([("track", "storm")])
    collection.sandbox.set_rate(300)
    first = take_output_away(collection)
    collection.wait_log("outbox full", "connection=track:0")
    serving = wait_for(
        lambda: (g := collection.connection("track:0")["serving"]) and g["state"] == "OUTBOX_FULL" and g,
        "it is OUTBOX_FULL",
    )
    assert serving["pid"] == before["track:0"]
    assert serving["activity"] == "sink"
    assert "outbox is full" in collection.connection("track:0")["waits_for"]
    assert collection.connection("track:0")["outbox"]["bytes"] >= 1 << 20
    collection.wait_log("no stream until the outbox has room", "outbox_max_bytes is reached", name="track:0")
    wait_for(lambda: not collection.redis.exists("track:0:heartbeat"), "its heartbeat is withheld")
    give_output_back(collection)
    collection.wait_streaming("track:0", "follow:0")
    gap = wait_gap(collection, "outbox_full")
    assert collection.streaming() == before
    check_nothing_lost(collection, first)
    since, until = times(gap)
    server_closed = [c["closed_at"] for c in collection.sandbox.connections() if c["closed_at"]]
    assert any(since - 0.1 < closed < until for closed in server_closed), (since, until, server_closed)
    wait_for(lambda: collection.redis.exists("track:0:heartbeat"), "its heartbeat is back")


def test_a_refresh_goes_on_while_the_output_is_away(
    started: tuple[Collection, dict[str, int]],
) -> None:
    """The old generation leaves what it cannot deliver; the new one takes it over."""
    collection, before = started
    collection.options["supervisor"]["drain_timeout"] = "4s"
    collection.write_ini()
    collection.signal(signal.SIGHUP)
    collection.wait_log("reloaded")
    first = take_output_away(collection)
    collection.hint("track:0")
    collection.wait_new_pid("track:0", before["track:0"])
    collection.wait_log("worker left messages in its outbox", "connection=track:0", "gen=1")
    collection.wait_log("an outbox is taken over", "of=1", "worker=track:0")
    give_output_back(collection)
    check_nothing_lost(collection, first)
    assert lines_with(collection, "worker ended", "connection=track:0", "why=drained")


@pytest.mark.long
def test_what_no_worker_can_deliver_is_seen_and_kept(make_collection: Make) -> None:
    """An outbox of a group that is gone, which no drain worker can read."""
    collection = make_collection(Key("k1"))
    outbox = outbox_folder(collection.folder / "state", "track:7") / "1"
    outbox.mkdir(parents=True)
    damaged = bytes(range(256)) * 64
    (outbox / "data.mdb").write_bytes(damaged)
    with (outbox / OUTBOX_LOCK).open("w") as lock:
        note_count(lock.fileno(), 3, len(damaged))
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    collection.wait_log("drain worker forked", "connection=track:7")
    tried = wait_for(lambda: collection.status()["drain_tries"], "it is tried")
    assert tried[0]["connection"] == "track:7"
    seen = "In outboxes that no worker has: 3 messages (16 KiB) of track:7"
    wait_for(lambda: seen in " ".join(collection.ctl("status").stdout.split()), "it is shown")
    assert (outbox / "data.mdb").read_bytes() == damaged
    assert collection.stop() == 0
