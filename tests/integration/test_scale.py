"""Many workers at once, and many one after the other."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from dataclasses import dataclass

import psutil
import pytest
from support.collection import Collection, Key
from support.pair import descriptors_of
from support.waiting import DEADLINE_S, wait_for

Make = Callable[..., Collection]

_MANY = 5_000
_START_S = 150.0  # on a machine that is busy
_WITHIN_S = 30.0  # the default drain_timeout
DRAIN_S = 150.0  # sixty processes end at once, and each writes down its coverage


def groups(count: int) -> list[str]:
    return [f"track:{number}" for number in range(count)]


def start_many(make: Make, count: int, **options: object) -> tuple[Collection, dict[str, int]]:
    """So many connections, each of a group and with a key of its own; their pids."""
    collection = make(*(Key(f"k{number}") for number in range(count)))
    collection.programs = None  # its memory is measured: that of a fresh interpreter
    collection.options = {"supervisor": options}
    for group in groups(count):
        collection.add_rules(group, [f"storm{group.partition(':')[2]}"])
    collection.start()
    return collection, collection.wait_streaming(*groups(count), within_s=DRAIN_S)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_sixty_connections_at_once(make_collection: Make) -> None:
    """All stream, each with its key; a hint replaces one of them; TERM ends all, and none must be killed."""
    collection, before = start_many(make_collection, 60, start_parallel=8, drain_timeout=f"{DRAIN_S:g}s")
    assert len({c["account"] for c in collection.sandbox.connections(with_values=False)}) == 60
    collection.hint("track:30")
    collection.wait_new_pid("track:30", before["track:30"])
    after = collection.wait_streaming(*groups(60))
    assert {name for name in after if after[name] != before[name]} == {"track:30"}
    assert len(collection.workers()) >= 60
    workers = collection.children()
    assert collection.process is not None
    collection.signal(signal.SIGTERM)
    assert collection.process.wait(DRAIN_S + DEADLINE_S) == 0
    assert not [worker for worker in workers if worker.is_running()]
    assert "did not exit in time" not in collection.log()


@pytest.mark.long
def test_thousands_of_groups_that_wait_and_as_many_without_rules_end_in_time(make_collection: Make) -> None:
    """TERM comes while nothing has a key, and the heartbeats of the empty ones are due every 5 s."""
    collection = make_collection()
    empty = [f"follow:{number}" for number in range(_MANY)]
    collection.options = {
        "traptor": {"groups": f"track:*, {', '.join(empty)}"},
        "supervisor": {
            "drain_timeout": f"{_WITHIN_S:g}s",
            "rules_check_interval": "600s",
            "heartbeat_interval": "5s",
        },
    }
    with collection.redis.pipeline(transaction=False) as pipeline:
        for group in groups(_MANY):
            pipeline.hset(f"traptor-{group}:1", "value", f"storm {group.partition(':')[2]}")
        pipeline.execute()
    collection.start()
    planned = f"{_MANY:,} connections for {_MANY:,} rules, 0 keys"
    wait_for(lambda: planned in (collection.folder / "stderr.txt").read_text(), "all are planned", _START_S)
    beats = [f"{group}:heartbeat" for group in (empty[0], empty[-1])]
    wait_for(lambda: collection.redis.exists(*beats) == len(beats), "the empty ones beat", _START_S)
    assert collection.process is not None
    collection.signal(signal.SIGTERM)
    assert collection.process.wait(_WITHIN_S) == 0
    collection.wait_log("more gaps are only in the ledger", f"count={_MANY - 1000}")
    collection.wait_log("supervisor stopped")


@dataclass(frozen=True)
class Holdings:
    """What the master holds."""

    descriptors: int
    threads: int
    rss_bytes: int

    @classmethod
    def of(cls, master: psutil.Process) -> Holdings:
        return cls(descriptors_of(master), master.num_threads(), master.memory_info().rss)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_hundreds_of_restarts_leave_the_master_as_it_was(make_collection: Make) -> None:
    """Half of them by hints, half by kills: descriptors, threads and memory stay flat."""
    collection, _ = start_many(
        make_collection,
        8,
        start_parallel=8,
        refresh_min_interval="1ms",
        restart_backoff="1ms",
        restart_backoff_max="1ms",
    )
    assert collection.process is not None
    master = psutil.Process(collection.process.pid)
    restart_all(collection, rounds=20)
    early = Holdings.of(master)
    restart_all(collection, rounds=45)
    late = Holdings.of(master)
    wait_for(lambda: generations(collection) >= 500, "they are in the status")
    assert late.descriptors <= early.descriptors + 2
    assert late.threads <= early.threads + 2
    assert late.rss_bytes - early.rss_bytes < 3_000_000
    assert {child.status() for child in collection.children()}.isdisjoint({psutil.STATUS_ZOMBIE})
    assert collection.stop() == 0


def generations(collection: Collection) -> int:
    """How many there were."""
    return sum((c["serving"] or {"generation": 0})["generation"] for c in collection.status()["connections"])


def restart_all(collection: Collection, rounds: int) -> None:
    """Replace every worker so many times; between the rounds all stream."""
    for number in range(rounds):
        children = collection.workers()
        old = {child.pid for child in children}
        if number % 2:
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):  # a hint may have ended it
                    child.kill()
        else:
            for group in groups(8):
                collection.hint(group)
        wait_for(lambda old=old: _all_new(collection, old), f"round {number}: all are replaced and stream")


def _all_new(collection: Collection, old: set[int]) -> bool:
    pids = {child.pid for child in collection.workers()}
    is_replaced = len(pids) == 8 and not pids & old
    return is_replaced and collection.sandbox.state()["open_connections"] == 8
