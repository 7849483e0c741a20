"""The judge of the chaos under v2: what it must not overlook, and what it must not blame."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from appchaos_parts.judge import Found, judged
from appchaos_parts.troubles import OF_RECOVERIES, OF_SEARCHES, OF_TWO, USUAL, Kind, per_round, troubles
from chaos_parts.deliveries import SentTweet, Topic
from chaos_parts.ledger import LedgerRecord
from chaos_parts.timeline import Entry
from chaos_parts.timeline import Kind as Interval

NAME = "v2:app"


def found(**changes: Any) -> Found:
    """A stream from 10 to 100, with a gap before it, and three posts."""
    entries = (
        Entry(NAME, Interval.GAP, "start", 0.0, 10.0, 10.0),
        Entry(NAME, Interval.STREAMING, "", 10.0, 100.0, 90.0),
    )
    usual: dict[str, Any] = {
        "connection": NAME,
        "at_once": 1,
        "stall_timeout_s": 5.0,
        "streams": [{"id": 1, "opened_mono": 10.0, "closed_mono": 100.0}],
        "requests": [{"at_mono": 10.0, "status": 200, "problem": ""}],
        "sent": [SentTweet(str(n), ((1, 20.0 + n),)) for n in range(3)],
        "made_at": [n / 10 for n in range(1_000)],
        "written": Topic(Counter({(NAME, str(n)): 1 for n in range(3)}), 0),
        "ledger": LedgerRecord(entries, 100.0),
        "billed": 3,
        "counted": 3,
    }
    return Found(**{**usual, **changes})


def test_all_is_well() -> None:
    assert judged(found()).breaches == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"written": Topic(Counter({(NAME, "0"): 1, (NAME, "1"): 1}), 0)}, "1 posts were lost"),
        ({"counted": 2}, "billed 3 posts, counted 2"),
        ({"counted": 4}, "billed 3 posts, counted 4"),
        (
            {"requests": [{"at_mono": 10.0 + n, "status": 200, "problem": ""} for n in range(51)]},
            "51 connects in 900 s",
        ),
        (
            {"requests": [{"at_mono": 10.0, "status": 429, "problem": "TooManyConnections"}]},
            "1 connects met a connection of our own",
        ),
        (
            {
                "streams": [
                    {"id": 1, "opened_mono": 10.0, "closed_mono": 50.0},
                    {"id": 2, "opened_mono": 49.0, "closed_mono": 100.0},
                ]
            },
            "1 streams were opened before",
        ),
        (
            {"streams": [{"id": 1, "opened_mono": 10.0, "closed_mono": 90.0}]},
            "ledger and server differ",
        ),
    ],
)
def test_what_must_not_be_is_named(changes: dict[str, Any], words: str) -> None:
    breaches = judged(found(**changes)).breaches
    assert len(breaches) == 1, breaches
    assert words in breaches[0]


@pytest.mark.parametrize(("counted", "is_explained"), [(1, False), (2, True), (3, True), (4, False)])
def test_posts_of_a_gap_are_billed_and_not_lost(counted: int, is_explained: bool) -> None:
    """Written to a socket whose worker was dead, or died after it had counted the post."""
    entries = (
        Entry(NAME, Interval.STREAMING, "", 10.0, 21.5, 11.5),
        Entry(NAME, Interval.GAP, "crash", 21.5, 23.0, 1.5),
        Entry(NAME, Interval.STREAMING, "", 23.0, 100.0, 77.0),
    )
    written = Topic(Counter({(NAME, "0"): 1, (NAME, "1"): 1}), 0)
    verdict = judged(found(ledger=LedgerRecord(entries, 100.0), written=written, counted=counted))
    assert verdict.unread == 1
    assert (verdict.breaches == []) is is_explained


@pytest.mark.parametrize(("noticed_at", "is_explained"), [(90.0, True), (92.0, False)])
def test_a_server_that_stood_still_is_no_witness_of_that_time(noticed_at: float, is_explained: bool) -> None:
    """The worker was killed at 80; the server came to nothing from then until 90."""
    entries = (
        Entry(NAME, Interval.STREAMING, "", 10.0, 80.0, 70.0),
        Entry(NAME, Interval.GAP, "crash", 80.0, 100.0, 20.0),
    )
    streams = [{"id": 1, "opened_mono": 10.0, "closed_mono": noticed_at}]
    made_at = [n / 10 for n in range(1_000) if not 800 < n < 900]
    verdict = judged(found(ledger=LedgerRecord(entries, 100.0), streams=streams, made_at=made_at))
    assert (verdict.breaches == []) is is_explained
    assert [(one.since, one.until) for one in verdict.standstills] == [(80.0, 90.0)]


@pytest.mark.parametrize(("slowness", "is_explained"), [(1.0, False), (2.0, True)])
def test_a_server_that_ran_twice_as_slow_as_alone_may_notice_an_end_twice_as_late(
    slowness: float, is_explained: bool
) -> None:
    streams = [{"id": 1, "opened_mono": 10.0, "closed_mono": 98.0}]
    assert (judged(found(streams=streams, slowness=slowness)).breaches == []) is is_explained


@pytest.mark.parametrize(("until", "is_explained"), [(84.0, True), (88.0, False)])
def test_an_end_without_a_byte_is_seen_only_when_the_stall_timer_is_over(
    until: float, is_explained: bool
) -> None:
    """The worker was killed while the stream was half open."""
    entries = (
        Entry(NAME, Interval.STREAMING, "", 10.0, until, until - 10),
        Entry(NAME, Interval.GAP, "crash", until, 100.0, 100 - until),
    )
    streams = [{"id": 1, "opened_mono": 10.0, "closed_mono": 80.0, "reason": "half_open"}]
    verdict = judged(found(ledger=LedgerRecord(entries, 100.0), streams=streams))
    assert (verdict.breaches == []) is is_explained


def test_of_two_connections_either_may_die_and_come_back() -> None:
    streams = [
        {"id": 1, "opened_mono": 10.0, "closed_mono": 100.0},
        {"id": 2, "opened_mono": 11.0, "closed_mono": 50.0},
        {"id": 3, "opened_mono": 51.0, "closed_mono": 100.0},
    ]
    assert judged(found(streams=streams, at_once=2)).breaches == []
    streams.append({"id": 4, "opened_mono": 60.0, "closed_mono": 61.0})
    assert judged(found(streams=streams, at_once=2)).breaches == [
        "1 streams were opened before their predecessor was closed"
    ]


def test_what_is_missing_in_a_filled_gap_is_named_and_a_recovery_is_no_stream() -> None:
    streams = [
        {"id": 1, "opened_mono": 10.0, "closed_mono": 100.0},
        {"id": 2, "opened_mono": 40.0, "closed_mono": 41.0, "recovery": True},
    ]
    usual = {"streams": streams, "filled": [(5.0, 10.0)]}
    assert judged(found(**usual, findable=[("0", 7.0), ("9", 11.0)])).breaches == []
    assert judged(found(**usual, findable=[("0", 7.0), ("9", 7.0)])).breaches == [
        "1 posts of filled gaps are missing"
    ]


def test_a_post_that_came_twice_is_named() -> None:
    written = Topic(Counter({(NAME, str(n)): 1 + (n == 1) for n in range(3)}), 0)
    assert judged(found(written=written)).breaches == ["1 posts came twice"]


@pytest.mark.parametrize("kinds", [USUAL, USUAL | OF_TWO | OF_SEARCHES, USUAL | OF_RECOVERIES])
def test_every_kind_of_trouble_comes_in_each_round_and_a_seed_fixes_them(kinds: frozenset[Kind]) -> None:
    size = len(per_round(kinds))
    one, other = troubles(7, 5.0, kinds), troubles(7, 5.0, kinds)
    for _ in range(3):
        first = [next(one) for _ in range(size)]
        assert first == [next(other) for _ in range(size)]
        assert {trouble.kind for trouble in first} == kinds
        assert [trouble.at_s for trouble in first] == sorted(trouble.at_s for trouble in first)
