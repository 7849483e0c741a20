"""The check that no key had more connections than it may, and a collection that is checked by it."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.collection import Collection, Key
from support.waiting import wait_for
from trial.clocks import wall_to_mono_s
from trial.evidence import generations
from trial.slots import Breach, KeyStream, Overlap, breaches, key_streams, overlaps, worker_ends

from traptor.sandbox.client import SandboxClient

Make = Callable[..., Collection]

FIRST = KeyStream(1, "k1", 10.0, 20.0)
SECOND = KeyStream(2, "k1", 15.0, math.inf)


# ---- the check


def test_streams_one_after_the_other_are_no_breach() -> None:
    later = KeyStream(2, "k1", 20.0, 30.0)
    assert breaches([later, FIRST, KeyStream(3, "k2", 12.0, 18.0)], {}) == []


def test_a_second_connection_is_a_breach_unless_the_key_may_have_two() -> None:
    assert breaches([FIRST, SECOND], {}) == [Breach(SECOND, (FIRST,), 1)]
    known = replace(SECOND, opened_by=("track:0", 3))
    assert str(Breach(known, (FIRST,), 1)) == (
        "k1 opened connection 2 of track:0#3, may have 1, and had open yet: 1 of nobody known (for 5.00 s,"
        " then closed by the server)"
    )
    assert breaches([FIRST, SECOND], {"k1": 2}) == []


def test_an_overlap_excuses_the_connection_that_it_was_begun_for_and_no_other() -> None:
    third = KeyStream(3, "k1", 16.0, 17.0)
    replaced = KeyStream(1, "k1", 10.0, 15.000_01)
    assert breaches([replaced, SECOND], {}, [Overlap("k1", 14.9)]) == []
    assert breaches([replaced, SECOND, third], {}, [Overlap("k1", 14.9)]) == [Breach(third, (SECOND,), 1)]
    for other in (Overlap("k2", 14.9), Overlap("k1", 15.1), Overlap("k1", -60.0)):
        assert breaches([replaced, SECOND], {}, [other]) == [Breach(SECOND, (replaced,), 1)]


OLD, NEW = ("track:0", 1), ("track:0", 2)


@pytest.mark.parametrize("opened_by", [NEW, None])
def test_an_older_stream_recorded_late_does_not_take_an_overlaps_excuse(
    opened_by: tuple[str, int] | None,
) -> None:
    """A busy server records a stream after its 200 was read; the overlap may have begun by then."""
    older = KeyStream(1, "k1", 14.95, 15.000_01, opened_by=OLD)
    newer = replace(SECOND, opened_by=opened_by)
    assert breaches([older, newer], {}, [Overlap("k1", 14.9, NEW)]) == []


def test_an_overlap_excuses_no_connection_of_another_generation() -> None:
    other = replace(SECOND, opened_by=("track:1", 2))
    assert breaches([FIRST, other], {}, [Overlap("k1", 14.9, NEW)]) == [Breach(other, (FIRST,), 1)]


def test_an_overlap_excuses_one_connection_too_many_and_not_two() -> None:
    streams = [FIRST, KeyStream(2, "k1", 11.0, 19.0), KeyStream(3, "k1", 12.0, 19.0)]
    found = breaches(streams, {}, [Overlap("k1", 10.9), Overlap("k1", 11.9)])
    assert [breach.stream.id for breach in found] == [3]


def test_a_server_that_notes_a_clients_close_late_is_not_taken_for_a_breach() -> None:
    late = KeyStream(1, "k1", 10.0, 15.3, is_closed_by_client=True)
    assert breaches([late, SECOND], {}) == []
    assert breaches([late, SECOND], {}, late_s=0.1) == [Breach(SECOND, (late,), 1)]


def test_the_connection_of_a_worker_that_is_gone_is_open_to_the_server_alone() -> None:
    """It may hear of the next one first, and then close the older one itself."""
    records = [
        {"id": n, "account": "k1", "opened_mono": at, "closed_mono": until, "closed_by": "server"}
        for n, at, until in ((1, 10.0, 15.2), (2, 15.0, None))
    ]
    event = {"message": "worker ended", "connection": "track:0", "gen": 1}
    for time, found in (("14.990", []), ("15.100", [1])):
        ends = worker_ends([event | {"time": f"1970-01-01T00:00:{time}+00:00"}], wall_to_mono=0.0)
        streams = key_streams(records, {1: OLD, 2: NEW}, ends)
        assert [older.id for breach in breaches(streams, {}) for older in breach.older] == found


@given(
    spans=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=12), limit=st.integers(1, 3)
)
@settings(deadline=None)
def test_there_is_a_breach_exactly_when_more_were_open_at_once(
    spans: list[tuple[int, int]], limit: int
) -> None:
    # No two open at the same moment: the order of such two says nothing.
    streams = [KeyStream(n, "k1", at + n / 100, at + n / 100 + long) for n, (at, long) in enumerate(spans)]
    moments = [stream.opened_at for stream in streams]
    most = max((sum(s.opened_at <= at < s.closed_at for s in streams) for at in moments), default=0)
    assert bool(breaches(streams, {"k1": limit})) == (most > limit)


# ---- a collection


def check(collection: Collection) -> list[Breach]:
    """By the sandbox's record and the supervisor's log."""
    events = [orjson.loads(line) for line in collection.log().splitlines()]
    wall_to_mono = wall_to_mono_s()
    records = collection.sandbox.connections(with_values=False)
    opened_by = generations(records, events, wall_to_mono)
    streams = key_streams(records, opened_by, worker_ends(events, wall_to_mono))
    limits = {key.name: key.max_connections for key in collection.keys}
    return breaches(streams, limits, overlaps(events, wall_to_mono))


def start(make: Make, *keys: Key, groups: int) -> tuple[Collection, tuple[str, ...]]:
    collection = make(*keys)
    collection.options = {"logging": {"format": "json"}}
    names = tuple(f"track:{number}" for number in range(groups))
    for name in names:
        collection.add_rules(name, [f"storm{name[-1]}"])
    collection.start()
    collection.wait_streaming(*names)
    return collection, names


@pytest.mark.long
def test_no_key_has_more_connections_than_it_may_but_for_overlaps_through_kills_faults_and_refreshes(
    make_collection: Make,
) -> None:
    collection, names = start(make_collection, Key("k1"), Key("k2", max_connections=2), groups=3)
    for fault in ("close", "reset", "disconnect"):
        before = collection.streaming()
        collection.add_rules("track:0", [f"flood {fault}"])
        for name in names:
            collection.hint(name)
        os.kill(before["track:1"], signal.SIGKILL)
        collection.sandbox.fault(fault)
        collection.wait_new_pid("track:1", before["track:1"])
        collection.wait_streaming(*names)
    pid = collection.wait_streaming(*names)["track:0"]
    collection.hint("track:0")
    collection.wait_new_pid("track:0", pid)
    assert collection.process is not None
    collection.process.kill()
    collection.process.wait()
    (collection.run_dir / "status.json").unlink()
    collection.start()
    collection.wait_streaming(*names)
    assert len(collection.sandbox.connections()) >= 3 * 4
    assert check(collection) == []


@pytest.mark.long
def test_a_refresh_by_overlap_is_found_in_the_record_and_excused_by_the_log(make_collection: Make) -> None:
    collection, _ = start(make_collection, Key("k1"), groups=1)
    pid = collection.streaming()["track:0"]
    collection.hint("track:0")
    collection.wait_new_pid("track:0", pid)
    collection.wait_log("an overlap begins")
    assert check(collection) == []
    streams = key_streams(collection.sandbox.connections(), {}, {})
    assert [breach.stream.id for breach in breaches(streams, {})] == [2], "without the log it is one"


@pytest.mark.long
def test_somebody_else_on_the_same_key_is_found(make_collection: Make) -> None:
    """The check is not blind: a second supervisor of its own folders, with the same key."""
    collection, _ = start(make_collection, Key("k1"), groups=1)
    other = Collection(
        collection.folder / "other",
        collection.redis,
        collection.redis_url,
        SandboxClient(collection.sandbox.url),
        list(collection.keys),
        options={"logging": {"format": "json"}},
    )
    other.folder.mkdir()
    try:
        other.start()
        wait_for(lambda: len(collection.sandbox.connections()) >= 2, "the other one connects, too")
        assert [breach.stream.id for breach in check(collection)][:1] == [2]
    finally:
        other.end()
