"""The judge of the chaos under v2: what it must not overlook, and what it must not blame."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from appchaos_parts.bill import Records, settled
from appchaos_parts.fills import searched_posts
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
        ({"written": Topic(Counter({(NAME, "0"): 1, (NAME, "1"): 1}), 0), "counted": 2}, "1 posts were lost"),
        ({"counted": 2}, "counted 2 posts, where 3 of 3 billed are in the output and 0 others"),
        ({"counted": 4}, "counted 4 posts, where 3 of 3 billed are in the output and 0 others"),
        ({"billed": 4}, "billed 4 posts, where 3 are in the output and 0 were never read"),
        ({"billed": 2}, "billed 2 posts, where 3 are in the output and 0 were never read"),
        ({"billed": 2, "with_searches": True}, "billed 2 posts, where 3 are in the output"),
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


CRASHED = LedgerRecord(
    (
        Entry(NAME, Interval.STREAMING, "", 10.0, 21.5, 11.5),
        Entry(NAME, Interval.GAP, "crash", 21.5, 23.0, 1.5),
        Entry(NAME, Interval.STREAMING, "", 23.0, 100.0, 77.0),
    ),
    100.0,
)
"""The post that is sent at 22 is in the gap."""


def written(*posts: str) -> Topic:
    return Topic(Counter({(NAME, post): 1 for post in posts}), 0)


@pytest.mark.parametrize(
    ("counted", "kills", "is_explained"),
    [
        (2, [], True),
        (3, [], False),  # only a killed worker counts what it does not keep
        (2, [22.1], True),
        (3, [22.1], True),
        (4, [22.1], False),
        (1, [22.1], False),
        (3, [21.6], True),  # it dies a moment later
        (3, [21.4], False),  # it was dead when the post was written
        (3, [100.1], False),  # the stream was closed before
    ],
)
def test_the_bill_is_our_count_and_what_was_never_read(
    counted: int, kills: list[float], is_explained: bool
) -> None:
    """Written to a socket whose worker was dead, or died after it had counted the post."""
    verdict = judged(found(ledger=CRASHED, written=written("0", "1"), counted=counted, kills=kills))
    assert verdict.bill.unread == 1
    assert (verdict.breaches == []) is is_explained


def test_a_post_before_one_that_was_read_was_not_left_unread_by_the_end_of_its_stream() -> None:
    entries = (
        Entry(NAME, Interval.STREAMING, "", 10.0, 20.5, 10.5),
        Entry(NAME, Interval.GAP, "crash", 20.5, 21.5, 1.0),
        Entry(NAME, Interval.STREAMING, "", 21.5, 100.0, 78.5),
    )
    ledger = LedgerRecord(entries, 100.0)
    verdict = judged(found(ledger=ledger, written=written("0", "2"), counted=2, kills=[50.0]))
    assert verdict.breaches == ["1 posts are in no output, though later ones of their stream were read"]


BOTH, FIRST, SECOND = (1, 2), (1,), (2,)


@pytest.mark.parametrize(
    ("missing", "later", "is_passed_over"),
    [
        (FIRST, FIRST, True),
        (BOTH, FIRST, True),
        (BOTH, SECOND, True),
        (BOTH, BOTH, True),
        (FIRST, SECOND, False),
        (FIRST, BOTH, False),  # the second stream, which was opened in between, may have brought it
    ],
)
def test_a_post_was_passed_over_if_a_later_one_was_read_whichever_stream_brought_that(
    missing: tuple[int, ...], later: tuple[int, ...], is_passed_over: bool
) -> None:
    sent = [
        SentTweet("0", ((1, 20.0), (2, 20.0))),
        SentTweet("1", tuple((stream, 21.0) for stream in missing)),
        SentTweet("2", tuple((stream, 22.0) for stream in later)),
    ]
    records = Records(sent, {"0", "2"}, (), {1: 100.0, 2: 100.0}, ())
    bill = settled(records, billed=3, counted=2)
    assert (bill.passed_over, bill.unread) == (int(is_passed_over), int(not is_passed_over))
    found_later = replace(records, searched={"2"})  # long after, and by no stream
    assert settled(found_later, billed=3, counted=2).passed_over == 0


def test_posts_that_two_streams_bring_in_different_orders_are_judged_by_either() -> None:
    """One lags: what came last on the one came early on the other."""
    sent = [
        SentTweet("a", ((1, 30.0), (2, 10.0))),
        SentTweet("b", ((1, 10.0), (2, 30.0))),
        SentTweet("c", ((1, 5.0), (2, 5.0))),
        SentTweet("missing", ((1, 20.0), (2, 20.0))),
    ]
    records = Records(sent, {"a", "b", "c"}, (), {1: 100.0, 2: 100.0}, ())
    assert settled(records, billed=4, counted=3).unread == 1
    early = [*sent[:3], SentTweet("missing", ((1, 9.0), (2, 20.0)))]
    assert settled(replace(records, sent=early), billed=4, counted=3).passed_over == 1


def test_only_searches_find_what_no_stream_brought() -> None:
    """Found by a search, billed, and not kept: its rule was removed before it was searched again."""
    assert judged(found(billed=4, with_searches=True)).breaches == []
    assert judged(found(billed=4, counted=4, with_searches=True)).breaches == []
    assert len(judged(found(billed=4, counted=5, with_searches=True)).breaches) == 1


@pytest.mark.parametrize(("with_searches", "is_explained"), [(True, True), (False, False)])
def test_a_search_may_put_what_a_stream_left_unread_in_the_hand_of_a_later_worker(
    with_searches: bool, is_explained: bool
) -> None:
    usual = {"ledger": CRASHED, "written": written("0", "1"), "counted": 3, "kills": [100.1]}
    verdict = judged(found(**usual, with_searches=with_searches))
    assert (verdict.breaches == []) is is_explained


def test_what_a_search_found_is_told_by_the_output(tmp_path: Path) -> None:
    output = tmp_path / "v2:app.jsonl"
    assert searched_posts(output) == frozenset()
    output.write_text(
        '{"data":{"id":"1"},"traptor":{"collection":{"filled":"search"}}}\n'
        '{"data":{"id":"2"},"traptor":{"collection":{"connection":"v2:app"}}}\n'
        '{"data":{"id":"3"},"traptor":{"collection":{"filled":"backfill"}}}\n'
        '{"errors":[]}\n'
    )
    assert searched_posts(output) == {"1"}


@pytest.mark.parametrize(("stalls", "is_explained"), [([], False), ([50.0], True), ([30.0], False)])
def test_a_stream_that_fell_silent_is_over_for_its_worker_before_it_is_closed(
    stalls: list[float], is_explained: bool
) -> None:
    entries = (
        Entry(NAME, Interval.STREAMING, "", 10.0, 50.0, 40.0),
        Entry(NAME, Interval.GAP, "stall", 50.0, 55.5, 5.5),
        Entry(NAME, Interval.STREAMING, "", 55.5, 100.0, 44.5),
    )
    streams = [
        {"id": 1, "opened_mono": 10.0, "closed_mono": 55.2},
        {"id": 2, "opened_mono": 55.5, "closed_mono": 100.0},
    ]
    verdict = judged(found(ledger=LedgerRecord(entries, 100.0), streams=streams, stalls=stalls))
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


@pytest.mark.parametrize(
    ("unnoted", "kills", "counted", "is_well"),
    [
        ([20.5], [22.2], 2, True),  # the posts are of 20, 21 and 22
        ([20.5], [22.2], 1, False),  # more than a second before
        ([20.5], [22.2], 3, True),
        ([20.5], [22.2], 4, False),
        ([], [22.2], 2, False),  # it could write everything down
        ([22.5], [22.2], 2, False),  # it was another worker that could not
        ([20.5], [], 2, False),  # it ended in order
    ],
)
def test_of_a_worker_that_could_not_note_what_it_read_the_last_second_may_be_uncounted(
    unnoted: list[float], kills: list[float], counted: int, is_well: bool
) -> None:
    breaches = judged(found(unnoted=unnoted, kills=kills, counted=counted)).breaches
    assert breaches == ([] if is_well else breaches)
    assert bool(breaches) is not is_well
