"""The gap ledger of a whole collection: as the server saw it, over restarts and kills, also for rules."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest
from support.collection import Collection, Json, Key
from support.control import lines
from support.waiting import wait_for

from traptor.supervisor.ledger.answers.accounting import balances

Make = Callable[..., Collection]
Span = tuple[float, float]

_KNOWN_S = 2.0  # a stream counts once the ledger says that it has lasted so long
_CLOCKS_S = 0.3  # between the supervisor's clocks and the sandbox's
_NOTICED_S = 10.0  # of a machine that does much else: an end, or a 200


def start(make: Make, *keys: Key, **options: dict[str, object]) -> Collection:
    """A collection with the connection track:0, and tweets for it."""
    collection = make(*keys)
    collection.options = options
    collection.add_rules("track:0", {"r1": "storm"})
    collection.start()
    collection.wait_streaming("track:0")
    collection.sandbox.set_rules([("track", "storm")])
    return collection


def ledger(collection: Collection) -> Path:
    return collection.folder / "state" / "ledger.db"


def ask(collection: Collection, endpoint: str, **parameters: object) -> list[Json]:
    return lines(collection.run_dir / "control.sock", endpoint, **parameters)


def gaps(collection: Collection, **parameters: object) -> list[Json]:
    return ask(collection, "gaps", connection="track:0", **parameters)


def streams_again(collection: Collection, streams: int) -> None:
    """The sandbox has had so many streams, and the last one has lasted long enough to be reported on."""

    def lasts() -> bool:
        last = ask(collection, "intervals")[-1]
        return last["kind"] == "streaming" and last["seconds"] > _KNOWN_S

    wait_for(lambda: len(collection.sandbox.connections()) >= streams, f"{streams} streams")
    wait_for(lasts, "the ledger knows of it")


def merged(gaps: Iterable[Json]) -> list[Span]:
    """Gaps that follow each other without a stream in between, as one."""
    spans: list[Span] = []
    for gap in gaps:
        if spans and spans[-1][1] == gap["from_unix"]:
            spans[-1] = (spans[-1][0], gap["to_unix"])
        else:
            spans.append((gap["from_unix"], gap["to_unix"]))
    return spans


def assert_adds_up(collection: Collection) -> None:
    """As the supervisor says, and as its file alone says."""
    totals = ask(collection, "totals")
    assert totals
    assert all(line["adds_up"] for line in totals), totals
    assert not [balance for balance in balances(ledger(collection)) if balance.problems]


@pytest.mark.long
@pytest.mark.timeout(240)
def test_every_gap_agrees_with_the_servers_record_of_connections(make_collection: Make) -> None:
    """A crash, a stall, a network cut, a serial refresh, a refused key, a stop, a kill of the supervisor."""
    collection = start(
        make_collection,
        Key("k1"),
        supervisor={"handover": "serial"},
        twitter={"stall_timeout": "3s", "http_backoff": "50ms", "network_backoff": "50ms"},
    )
    began: dict[int, float] = {}  # when a stream was dead before it was closed
    streams_again(collection, 1)
    os.kill(collection.pid("track:0") or 0, signal.SIGKILL)
    streams_again(collection, 2)
    collection.sandbox.fault("stall")
    began[1] = time.time()
    streams_again(collection, 3)
    collection.sandbox.fault("reset")
    streams_again(collection, 4)
    collection.hint("track:0")
    streams_again(collection, 5)
    _take_key_away_and_give_it_back(collection)
    streams_again(collection, 6)
    assert collection.stop() == 0
    collection.start()
    streams_again(collection, 7)
    _kill(collection)
    collection.start()
    streams_again(collection, 8)

    found = gaps(collection)
    records = collection.sandbox.connections(with_values=False)
    spans = merged(found)[1:]  # the first one is before the first stream
    assert len(spans) == len(records) - 1, (found, records)
    for number, (span, (one, two)) in enumerate(zip(spans, itertools.pairwise(records), strict=True)):
        truth = began.get(number, one["closed_at"]), two["opened_at"]
        # From the last that is known of a stream, which is dated back after a crash, to the next 200.
        assert one["opened_at"] + _KNOWN_S - _CLOCKS_S < span[0] < truth[0] + _NOTICED_S, (span, truth, found)
        assert truth[1] - _CLOCKS_S < span[1] < truth[1] + _NOTICED_S, (span, truth, found)
    causes = [gap["cause"] for gap in found]
    assert causes[:5] == ["start", "crash", "stall", "network", "refresh"]
    assert {"key_refused", "shutdown", "master_down"} <= set(causes[5:])
    assert_adds_up(collection)


def _take_key_away_and_give_it_back(collection: Collection) -> None:
    keys, collection.keys = collection.keys, [Key("k9")]
    collection.write_ini()
    collection.wait_log("reloaded")
    wait_for(lambda: gaps(collection)[-1]["cause"] == "key_refused", "its only key is refused")
    collection.keys = keys
    collection.write_ini()


def _kill(collection: Collection) -> None:
    assert collection.process is not None
    collection.process.kill()
    collection.process.wait()


def test_the_ledger_goes_on_over_a_stop_and_a_start(make_collection: Make) -> None:
    collection = start(make_collection, Key("k1"))
    assert collection.stop() == 0
    stopped_at = time.time()
    assert not (collection.run_dir / "control.sock").exists()
    assert not [balance for balance in balances(ledger(collection)) if balance.problems]
    collection.start()
    collection.wait_streaming("track:0")
    found = gaps(collection)
    assert {gap["cause"] for gap in found} == {"start", "shutdown"}
    last = found[-1]
    assert (last["cause"], last["open"], last["generation"], last["rule_count"]) == ("shutdown", False, 1, 1)
    assert last["from_unix"] <= stopped_at <= last["to_unix"]
    assert abs(last["seconds"] - (last["to_unix"] - last["from_unix"])) < 0.1
    (open_one,) = [line for line in ask(collection, "intervals") if line["open"]]
    assert (open_one["kind"], open_one["generation"], open_one["cause"]) == ("streaming", 2, None)
    shown = collection.connection("track:0")
    assert set(shown["gap_seconds"]) == {"start", "shutdown"}, "the sums are those of both runs"
    assert_adds_up(collection)


def test_gaps_are_mirrored_to_redis(make_collection: Make) -> None:
    collection = start(make_collection, Key("k1"))
    mirrored = wait_for(lambda: collection.redis.lrange("traptor:gaps:track:0", 0, -1), "the mirror")
    (gap,) = map(json.loads, mirrored)
    assert {**gap, "filled": []} == gaps(collection)[0]  # what became of it afterwards is not mirrored
    assert 0 < collection.redis.ttl("traptor:gaps:track:0") <= 90 * 86_400


def test_a_rule_that_waits_for_a_key_has_its_gaps_in_the_connection_that_waits(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {"twitter": {"track_limit": 1}, "supervisor": {"handover": "serial"}}
    collection.add_rules("track:0", {"r1": "storm"})
    collection.start()
    collection.wait_streaming("track:0")
    collection.add_rules("track:0", {"r2": "flood"})
    collection.hint("track:0")
    collection.wait_state("track:0.2", "WAITING_FOR_KEY")
    waiting = wait_for(lambda: ask(collection, "gaps", rule="r2"), "the rule waits")
    assert {gap["connection"] for gap in waiting} == {"track:0.2"}
    assert (waiting[-1]["cause"], waiting[-1]["open"]) == ("no_key", True)
    assert waiting[-1]["rule"] == "traptor-track:0:r2"
    assert {line["cause"] for line in ask(collection, "gaps", rule="traptor-track:0:r1")} == {"start"}
    (totals,) = ask(collection, "totals", rule="r1")
    assert totals["streaming_seconds"] > 0

    collection.remove_rules("track:0", ["r2"])
    collection.hint("track:0")
    wait_for(lambda: not ask(collection, "gaps", rule="r2")[-1]["open"], "the rule is gone")
    _assert_unplanned(collection)
    assert_adds_up(collection)


def _assert_unplanned(collection: Collection) -> None:
    """The connection that waited is forgotten, and its time goes on as unplanned."""
    wait_for(lambda: not collection.connection("track:0.2"), "it is not planned any more")
    last = ask(collection, "intervals", connection="track:0.2")[-1]
    assert (last["kind"], last["open"], last["rule_count"]) == ("unplanned", True, 0)


def test_a_damaged_ledger_is_moved_aside_and_said(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    ledger(collection).parent.mkdir()
    ledger(collection).write_bytes(b"this is no database, but it is long enough to be looked at" * 100)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_log("the gap ledger is damaged: moved aside, a new one is started", "not a database")
    collection.wait_streaming("track:0")
    assert list(ledger(collection).parent.glob("ledger.db.damaged-*"))
    assert gaps(collection)


def test_a_disk_error_ends_no_stream_and_what_it_kept_back_is_written_later(make_collection: Make) -> None:
    collection = start(make_collection, Key("k1"))
    pid = collection.pid("track:0")
    with closing(sqlite3.connect(ledger(collection), isolation_level=None)) as shell:
        shell.execute("BEGIN IMMEDIATE")
        collection.wait_log("the gap ledger is not written, it is kept in memory", "locked")
        collection.sandbox.fault("reset")
        wait_for(lambda: len(gaps(collection)) == 2, "the gap is answered from memory")
        wait_for(lambda: collection.status()["ledger"]["unwritten"] > 0, "and it is counted")
        shell.execute("ROLLBACK")
    collection.wait_log("the gap ledger is written again")
    wait_for(lambda: collection.status()["ledger"]["unwritten"] == 0, "all is written")
    assert len(gaps(collection)) == 2
    assert collection.pid("track:0") == pid
    assert collection.log().count("the gap ledger is not written") == 1
    assert_adds_up(collection)
