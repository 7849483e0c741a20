"""The gap ledger over any sequence of events, restarts of the master and of the host among them."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.ledgerhost import Host

from traptor.common.files.mark import Mark, MarkFile
from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.ledger.answers.accounting import balances
from traptor.supervisor.ledger.period import Period

NAMES = ("track:0", "track:0.2", "follow:7")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    one = Host(tmp_path)
    yield one
    one.store.close()


def plan(host: Host, name: str = "track:0") -> None:
    host.ledger.timeline(name, host.now).planned(GapCause.START, host.now)


def test_a_clean_stop_is_a_shutdown_until_the_next_200(host: Host) -> None:
    plan(host)
    host.true_s = 1002.0
    host.open("track:0")
    host.true_s = 1010.0
    host.end(cleanly=True)
    host.true_s = 1100.0
    host.begin()
    plan(host)
    host.true_s = 1101.0
    host.open("track:0")
    host.write()
    assert host.stored("track:0") == [
        ("start", 1000, 1002),
        ("streaming", 1002, 1010),
        ("shutdown", 1010, 1101),
    ]


def test_a_gap_changes_its_cause_when_the_next_master_finds_no_key(host: Host) -> None:
    plan(host)
    host.end(cleanly=True)
    host.true_s = 1100.0
    host.begin()
    host.ledger.timeline("track:0", host.now).cause_changed(GapCause.NO_KEY, host.now)
    host.write()
    assert host.stored("track:0") == [("shutdown", 1000, 1100)]


def test_after_a_kill_the_gap_begins_with_what_was_last_noted(host: Host) -> None:
    plan(host)
    host.open("track:0")
    host.true_s = 1020.0
    host.connections["track:0"].generations[0].safe_until = 1019.0
    host.write()
    host.true_s = 1030.0
    host.end(cleanly=False)
    host.begin()
    host.true_s = 1031.0
    host.open("track:0")
    host.write()
    assert host.stored("track:0") == [("streaming", 1000, 1019), ("master_down", 1019, 1031)]


def leave_mark(host: Host, generation: int, since_s: float) -> None:
    """The worker's mark of now, for a stream that began then."""
    folder = host.folder / "outbox" / "track:0" / str(generation)
    folder.mkdir(parents=True)
    file = MarkFile(folder)
    file.write(Mark(host.now.wall, host.now.mono, host.now.mono - (host.true_s - since_s)))
    file.close()


@pytest.mark.parametrize("new_worker", [False, True])
@pytest.mark.parametrize("reboots", [False, True])
def test_a_stream_that_a_dying_master_did_not_write_down_is_known_by_its_mark(
    host: Host, reboots: bool, new_worker: bool
) -> None:
    plan(host)
    generation = host.open("track:0")
    host.true_s = 1005.0
    host.ledger.timeline("track:0", host.now).stopped(generation, GapCause.SERVER_CLOSE, host.now)
    host.write()
    host.true_s = 1020.0
    leave_mark(host, generation + new_worker, since_s=1008.0)
    host.true_s = 1030.0
    host.end(cleanly=False)
    if reboots:
        host.reboot()
    host.begin()
    host.open("track:0")
    host.write()
    assert host.stored("track:0") == [
        ("streaming", 1000, 1005),
        ("server_close", 1005, 1008),
        ("streaming", 1008, 1020),
        ("master_down", 1020, 1030),
    ]


def test_a_successor_that_a_dying_master_did_not_write_down_is_known_by_its_mark(host: Host) -> None:
    plan(host)
    generation = host.open("track:0")
    host.write()
    host.true_s = 1005.0
    leave_mark(host, generation, since_s=1000.0)
    host.true_s = 1020.0
    leave_mark(host, generation + 1, since_s=1004.0)
    host.true_s = 1030.0
    host.end(cleanly=False)
    host.begin()
    host.open("track:0")
    host.write()
    assert host.stored("track:0") == [("streaming", 1000, 1020), ("master_down", 1020, 1030)]


@pytest.mark.parametrize("reboots", [False, True])
def test_after_a_kill_a_later_mark_of_the_worker_counts(host: Host, reboots: bool) -> None:
    plan(host)
    generation = host.open("track:0")
    host.write()
    host.true_s = 1005.0
    leave_mark(host, generation, since_s=1000.0)
    host.true_s = 1030.0
    host.end(cleanly=False)
    if reboots:
        host.reboot()
    host.begin()
    host.open("track:0")
    host.write()
    assert host.stored("track:0") == [("streaming", 1000, 1005), ("master_down", 1005, 1030)]


def test_after_a_kill_in_a_gap_the_earlier_cause_counts_as_long_as_it_was_noted(host: Host) -> None:
    plan(host)
    host.true_s = 1003.0
    host.write()
    host.end(cleanly=False)
    host.true_s = 1010.0
    host.begin()
    host.open("track:0")
    host.write()
    assert host.stored("track:0") == [("start", 1000, 1003), ("master_down", 1003, 1010)]


def test_a_gap_whose_end_a_dying_master_did_not_log_is_logged_by_the_next(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    plan(host)
    host.true_s = 1003.0
    host.write()
    host.end(cleanly=False)
    host.true_s = 1010.0
    caplog.clear()
    caplog.set_level(logging.INFO)
    host.begin()
    said = [record.fields for record in caplog.records if record.message == "gap"]  # type: ignore[attr-defined]
    assert [(gap["cause"], gap["seconds"]) for gap in said] == [("start", 3.0)]


def test_a_connection_that_nobody_plans_any_more_is_unplanned_once_the_rules_are_known(host: Host) -> None:
    plan(host)
    host.end(cleanly=True)
    host.true_s = 1100.0
    host.begin()
    host.true_s = 1102.0
    host.ledger.look([], host.now)
    host.true_s = 1110.0
    host.write()
    assert host.stored("track:0") == [("shutdown", 1000, 1102)]
    (entry,) = host.ledger.open_entries(host.now)
    assert (entry.kind, entry.seconds, entry.is_open) == ("unplanned", 8.0, True)


def test_limited_tweets_are_counted_in_the_interval_in_which_they_were_told_of(host: Host) -> None:
    plan(host)
    host.open("track:0")
    host.connections["track:0"].counters = lambda: SimpleNamespace(limited=7)
    host.true_s = 1002.0
    host.ledger.timeline("track:0", host.now).stopped(1, GapCause.CRASH, host.now)
    host.true_s = 1003.0
    host.open("track:0")
    assert [(each.kind, each.limited) for each in host.told] == [("streaming", 7), ("gap", 0)]
    host.connections["track:0"].counters = lambda: SimpleNamespace(limited=9)
    (entry,) = host.ledger.open_entries(host.now)
    assert entry.limited == 2


def test_of_connections_only_those_are_written_to_which_something_happened(host: Host) -> None:
    for name in NAMES:
        plan(host, name)
    host.write()
    host.true_s = 1010.0
    host.open(NAMES[1])
    batch = host.ledger.batch(host.now)
    assert [account.connection for account in batch.accounts] == [NAMES[1]]
    host.ledger.written(batch)
    host.ledger.note()
    assert [account.connection for account in host.ledger.batch(host.now).accounts] == sorted(
        {*NAMES} - {NAMES[1]}
    )


def test_a_connection_that_comes_back_counts_from_nothing(host: Host) -> None:
    """Its counters begin anew, and its time goes on."""
    plan(host)
    host.open("track:0")
    host.connections["track:0"].counters = lambda: SimpleNamespace(limited=7)
    host.true_s = 1010.0
    host.close("track:0", GapCause.CRASH)
    host.ledger.look([], host.now)
    host.true_s = 1020.0
    plan(host)
    host.open("track:0")
    host.connections["track:0"].counters = lambda: SimpleNamespace(limited=2)
    host.true_s = 1030.0
    host.ledger.timeline("track:0", host.now).stopped(2, GapCause.CRASH, host.now)
    assert [(each.kind, each.seconds, each.limited) for each in host.told] == [
        ("streaming", 10, 7),
        ("unplanned", 10, 0),
        ("streaming", 10, 2),
    ]


names = st.sampled_from(NAMES)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("passes"), st.floats(0.0, 100.0)),
        st.tuples(st.just("jumps"), st.floats(-5000.0, 5000.0)),
        st.tuples(st.just("planned"), names),
        st.tuples(st.just("unplanned"), names),
        st.tuples(st.just("opens"), names),
        st.tuples(st.just("closes"), names, st.sampled_from(GapCause)),
        st.tuples(st.just("written")),
        st.tuples(st.just("pruned")),
        st.tuples(st.just("restarts"), st.booleans(), st.booleans(), st.floats(0.0, 500.0)),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=50)
@given(steps)
@example(
    [  # the second interval ends earlier than the first by the wall clock
        ("planned", "track:0"),
        ("passes", 1.0),
        ("restarts", True, False, 1.0),
        ("jumps", -2.0),
        ("restarts", True, False, 301.0),
        ("pruned",),
    ]
)
def test_streaming_gaps_and_unplanned_time_add_up_over_anything(sequence: list[tuple[Any, ...]]) -> None:
    """For every connection that ever was, to the time since it was first seen; and so says the file alone."""
    with tempfile.TemporaryDirectory() as folder:
        host = Host(Path(folder))
        began: dict[str, float] = {}
        for step, *args in sequence:
            _take(host, step, args, began)
            for name, began_at, totals in host.ledger.sums(host.now):
                assert host.now.mono - began_at.mono == pytest.approx(totals.elapsed_s, abs=1e-6)
                assert totals.elapsed_s == pytest.approx(host.known_s - began[name], abs=1e-6)
        assert {name for name, _, _ in host.ledger.sums(host.now)} == began.keys()
        host.write()
        for account in balances(host.store.path):
            assert not account.problems, account
            assert account.elapsed_s == pytest.approx(host.known_s - began[account.connection], abs=1e-6)
        host.store.close()


def _take(host: Host, step: str, args: list[Any], began: dict[str, float]) -> None:
    match step:
        case "passes":
            host.true_s += args[0]
        case "jumps":
            host.jumped_s += args[0]
        case "planned":
            began.setdefault(args[0], host.known_s)
            plan(host, args[0])
        case "unplanned":
            began.setdefault(args[0], host.known_s)
            host.ledger.timeline(args[0], host.now).unplanned(host.now)
        case "opens":
            began.setdefault(args[0], host.known_s)
            host.open(args[0])
        case "closes":
            host.close(args[0], args[1])
        case "written":
            host.write()
        case "pruned":
            host.store.prune(Period(host.now.wall - 300.0, host.now.wall))
            host.ledger.forget(host.now.wall - 300.0)
            host.write()
            for name in began.keys() - {name for name, _, _ in host.ledger.sums(host.now)}:
                del began[name]
        case "restarts":
            _restart(host, began, *args)


def _restart(host: Host, began: dict[str, float], cleanly: bool, reboots: bool, down_s: float) -> None:
    """What the killed master had not written is as if it had never been."""
    host.end(cleanly=cleanly)
    host.true_s += down_s
    if reboots:
        host.reboot()
    host.begin()
    for name in began.keys() - {name for name, _, _ in host.ledger.sums(host.now)}:
        del began[name]
