"""How the chaos is judged: what is lost, what the ledger must say, and what a key may do."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from chaos_parts import sums
from chaos_parts.agreement import Span, cut, disagreements, doubts_of_stops, joined, meet
from chaos_parts.deliveries import Deliveries, SentTweet, Topic, account
from chaos_parts.evidence import with_names
from chaos_parts.leftovers import files_left
from chaos_parts.report import Report
from chaos_parts.timeline import Entry, Kind, Timelines
from chaos_parts.unread import unread_times
from hypothesis import given, settings
from hypothesis import strategies as st
from trial.judge import OpenedStream, Silence
from trial.measure import Trend
from trial.slowness import MOST, slowness_of

TRACK = "track:0"


def entry(since: float, until: float, cause: str = "", connection: str = TRACK) -> Entry:
    """A gap where a cause is given, else a time of streaming."""
    kind = Kind.GAP if cause else Kind.STREAMING
    return Entry(connection, kind, cause, since, until, until - since)


def stream(opened: float, closed: float, number: int = 1, connection: str | None = TRACK) -> OpenedStream:
    return OpenedStream(connection, frozenset(), opened, closed, number, logged_at=opened)


LEDGER = Timelines(
    [entry(0.0, 10.0, "start"), entry(10.0, 50.0), entry(50.0, 60.0, "crash"), entry(60.0, 99.0)]
)
TOPIC = Topic(Counter({(TRACK, "1"): 1, (TRACK, "2"): 2, ("follow:0", "1"): 1}), redelivered=1)
STREAMS = [
    stream(10.0, 50.0, 1),
    stream(10.0, 50.0, 2),
    stream(10.0, 50.0, 3, "follow:0"),
    stream(10.0, 50.0, 4, None),
]


# ---- deliveries


def accounted(*sent: SentTweet) -> Deliveries:
    return account(sent, STREAMS, LEDGER, TOPIC)


def test_a_tweet_that_was_sent_and_is_on_the_topic_is_not_lost() -> None:
    found = accounted(SentTweet("1", ((1, 20.0),)), SentTweet("2", ((1, 21.0),)))
    assert (found.sent, found.due, found.lost, found.in_gaps) == (2, 2, 0, 0)


def test_a_tweet_on_the_topic_from_another_connection_is_lost_for_this_one() -> None:
    found = accounted(
        SentTweet(
            "1",
            (
                (1, 20.0),
                (3, 20.0),
            ),
        ),
        SentTweet("2", ((3, 20.0),)),
    )
    assert (found.due, found.lost) == (3, 1)
    assert "the output of follow:0" in found.losses[0]


def test_a_tweet_that_was_sent_over_two_streams_of_a_connection_is_due_once() -> None:
    assert accounted(SentTweet("7", ((1, 20.0), (2, 20.0)))).lost == 1


def test_a_tweet_that_was_sent_in_a_gap_is_not_lost_and_may_have_arrived() -> None:
    found = accounted(SentTweet("7", ((1, 55.0),)), SentTweet("1", ((1, 50.0),)))
    assert (found.sent, found.in_gaps, found.arrived_in_gaps, found.due) == (2, 2, 1, 0)


def test_a_tweet_that_was_sent_in_a_gap_and_over_the_next_stream_is_due() -> None:
    assert accounted(SentTweet("7", ((1, 59.9), (2, 60.1)))).lost == 1


@pytest.mark.parametrize(
    ("sent_at", "words"), [(49.75, "0.250 s before a gap (crash)"), (60.5, "0.500 s after")]
)
def test_a_loss_is_told_with_the_gaps_around_it(sent_at: float, words: str) -> None:
    found = accounted(SentTweet("7", ((1, sent_at),)))
    assert found.lost == 1
    assert words in found.losses[0]


def test_what_was_sent_on_a_stream_that_nobody_claims_must_be_somewhere() -> None:
    found = accounted(SentTweet("2", ((4, 55.0),)), SentTweet("7", ((4, 55.0),)))
    assert (found.due, found.lost) == (2, 1)


def test_what_the_sandbox_sent_over_two_streams_may_come_twice() -> None:
    """During a handover both streams of a connection bring it: that is no repeat of ours."""
    twice, once = SentTweet("1", ((1, 20.0), (2, 20.0))), SentTweet("1", ((1, 20.0),))
    for sent, copies, sent_again in [(twice, 2, 1), (twice, 3, 1), (twice, 1, 0), (once, 2, 0), (once, 0, 0)]:
        topic = Topic(Counter({(TRACK, "1"): copies} if copies else {}), 0)
        assert account([sent], STREAMS, LEDGER, topic).sent_again == sent_again
    report = make_report()
    brought = replace(report, topic=doubled, deliveries=replace(report.deliveries, sent_again=950))
    assert brought.breaches == []


def test_what_came_more_than_once_is_counted() -> None:
    assert (TOPIC.messages, TOPIC.doubled) == (4, 1)


# ---- the ledger against the server's record


def differing(ledger: Timelines, *streams: OpenedStream, doubts: tuple[Silence, ...] = ()) -> list[float]:
    return [one.seconds for one in disagreements(ledger, streams, doubts, until=90.0)]


def test_a_ledger_that_says_what_the_server_saw_agrees() -> None:
    assert differing(LEDGER, stream(10.0, 50.0), stream(60.0, float("inf"))) == []


def test_a_gap_that_begins_or_ends_at_another_time_than_the_server_saw_differs_by_that() -> None:
    assert differing(LEDGER, stream(9.0, 48.0), stream(62.5, float("inf"))) == [2.5, 2.0, 1.0]


def test_a_gap_that_the_ledger_does_not_know_differs_by_its_length() -> None:
    assert differing(LEDGER, stream(10.0, 20.0), stream(23.0, 50.0), stream(60.0, 99.0)) == [3.0]


def test_a_gap_in_which_the_server_had_a_stream_differs_by_its_length() -> None:
    assert differing(LEDGER, stream(10.0, 99.0)) == [10.0]


def test_a_gap_of_two_causes_is_one_gap() -> None:
    ledger = Timelines([entry(0.0, 3.0, "start"), entry(3.0, 9.0, "no_key"), entry(9.0, 90.0)])
    assert differing(ledger, stream(2.0, 90.0)) == [7.0]


def test_streams_that_overlap_are_one_stream_for_the_ledger() -> None:
    assert differing(LEDGER, stream(10.0, 30.0), stream(29.0, 50.0, 2), stream(60.0, 99.0, 3)) == []


def test_what_is_doubtful_is_not_held_against_the_ledger() -> None:
    doubt = Silence(TRACK, 20.0, 25.0)
    streams = [stream(10.0, 20.0), stream(26.0, 50.0), stream(60.0, 99.0)]
    assert differing(LEDGER, *streams, doubts=(doubt,)) == [1.0]
    assert differing(LEDGER, *streams, doubts=(replace(doubt, connection="follow:0"),)) == [6.0]


def test_a_stopped_worker_is_doubtful_until_it_goes_on_or_has_a_successor() -> None:
    stop = Silence(TRACK, 20.0, 32.0)
    assert doubts_of_stops([stop], [stream(10.0, 25.0)]) == [stop]
    assert doubts_of_stops([stop], [stream(10.0, 25.0), stream(26.0, 99.0)]) == [Silence(TRACK, 20.0, 26.0)]


def test_a_worker_stopped_while_it_connects_is_no_successor_of_its_own() -> None:
    """The server opens the stream that it asked for; nobody knows of it before the worker goes on."""
    stop = Silence(TRACK, 20.0, 32.0)
    own = replace(stream(20.1, 50.0), logged_at=32.2)
    assert doubts_of_stops([stop], [own]) == [stop]
    assert doubts_of_stops([stop], [own, stream(26.0, 99.0)]) == [Silence(TRACK, 20.0, 26.0)]


def test_time_without_a_plan_agrees_with_anything() -> None:
    ledger = Timelines([Entry(TRACK, Kind.UNPLANNED, "", 0.0, 90.0, 90.0)])
    assert differing(ledger, stream(5.0, 20.0)) == []


@pytest.mark.parametrize(
    ("arrived", "differs_s"),
    [
        ("", []),  # the worker was dead: it is a gap, however late the server noticed
        ("50", []),
        ("50 51 52", [2.0]),
        ("50 51 52 53 54", [5.0]),
        ("54", [1.0]),
        ("50 54", [1.0]),
    ],
)
def test_a_gap_in_which_nothing_arrived_is_one_though_the_server_wrote(
    arrived: str, differs_s: list[float]
) -> None:
    """One tweet a second until the server notices the end of a stream 5 s after the ledger."""
    sent = [SentTweet(str(at), ((1, float(at)),)) for at in range(10, 55)]
    ids = [*map(str, range(10, 50)), *arrived.split()]
    topic = Topic(Counter((TRACK, one) for one in ids), 0)
    streams = [stream(10.0, 55.0), stream(60.0, 99.0, 2)]
    assert differing(LEDGER, *streams, doubts=tuple(unread_times(sent, streams, topic))) == differs_s


def test_a_time_in_which_the_server_wrote_nothing_shows_nothing() -> None:
    streams = [stream(10.0, 55.0), stream(60.0, 99.0, 2)]
    assert unread_times([SentTweet("1", ((1, 20.0),))], streams, TOPIC) == []
    assert unread_times([SentTweet("7", ((3, 20.0),))], STREAMS, TOPIC) == [Silence("follow:0", 10.0, 50.0)]


edges = st.integers(0, 40)
spans = st.lists(st.tuples(edges, edges).map(sorted).map(tuple), max_size=6)


def seconds_in(some_spans: list[Span]) -> set[int]:
    return {second for since, until in some_spans for second in range(int(since), int(until))}


@given(spans, spans)
@settings(deadline=None)
def test_spans_are_joined_met_and_cut_as_sets_of_seconds_are(one: list[Span], other: list[Span]) -> None:
    a, b = joined(one), joined(other)
    assert seconds_in(a) == seconds_in(one)
    assert seconds_in(meet(a, b)) == seconds_in(one) & seconds_in(other)
    assert seconds_in(cut(a, b)) == seconds_in(one) - seconds_in(other)
    for found in (a, meet(a, b), cut(a, b)):
        assert all(since < until for since, until in found)
        assert found == joined(found)


# ---- the sums of the ledger


def sum_faults(*entries: Entry, names: frozenset[str] = frozenset({TRACK})) -> list[str]:
    return sums.faults(Timelines(entries), names, began_at=0.0)


def test_intervals_that_follow_each_other_add_up() -> None:
    assert sum_faults(*LEDGER.of(TRACK)) == []


@pytest.mark.parametrize("shift", [0.5, -0.5])
def test_a_hole_and_an_overlap_are_found(shift: float) -> None:
    assert sum_faults(entry(0.0, 10.0, "start"), entry(10.0 + shift, 50.0))


def test_seconds_that_are_not_those_of_the_times_are_found() -> None:
    assert "sum up to 12.000 s in 10.000 s" in sum_faults(replace(entry(0.0, 10.0, "start"), seconds=12.0))[0]


def test_a_connection_that_the_ledger_does_not_know_is_found() -> None:
    assert sum_faults(entry(0.0, 10.0), names=frozenset({TRACK, "follow:0"})) == [
        "follow:0 is not in the ledger"
    ]


def test_time_before_the_first_start_is_found() -> None:
    assert "too early" in sum_faults(entry(-3.0, 10.0))[0]


# ---- whose a stream was


def test_a_stream_that_no_supervisor_lived_to_log_is_known_by_its_rules() -> None:
    first = OpenedStream(TRACK, frozenset({("track", str(n)) for n in range(10)}), 0.0, 1.0, 1)
    second = OpenedStream("follow:0", frozenset({("follow", str(n)) for n in range(10)}), 0.0, 1.0, 2)
    nobodys = OpenedStream(None, frozenset({("follow", str(n)) for n in range(4, 14)}), 2.0, 3.0, 3)
    assert [s.connection for s in with_names([first, second, nobodys])] == [TRACK, "follow:0", "follow:0"]
    strange = replace(nobodys, values=frozenset({("follow", str(n)) for n in range(9, 30)}))
    assert with_names([first, second, strange])[2].connection is None


# ---- what is left


def test_what_is_left_in_the_outbox_is_told_and_empty_folders_are_not(tmp_path: Path) -> None:
    (tmp_path / "outbox" / "track:0" / "3").mkdir(parents=True)
    (tmp_path / "state.db").write_text("kept")
    assert files_left(tmp_path) == []
    (tmp_path / "outbox" / "track:0" / "3" / "data").write_text("four")
    assert files_left(tmp_path) == ["left in the state folder: outbox/track:0/3/data, 4 bytes"]


# ---- the report


def make_report() -> Report:
    return Report(
        minutes=1.0,
        seed=1,
        rate=300.0,
        to="kafka",
        disturbances={"Kafka killed": 2},
        missed={},
        strikes={"stall": 3},
        supervisors=2,
        generations={"crash": 4},
        deliveries=Deliveries(1000, 100, 900, 0, 50, ()),
        topic=Topic(Counter({(TRACK, str(n)): 1 for n in range(950)}), 0),
        gap_seconds={TRACK: {"crash": 2.5, "start": 1.0}, "follow:0": {"start": 2.0}},
        disagreements=disagreements(LEDGER, [stream(10.0, 51.0), stream(60.0, 99.0)], (), 90.0),
        trends=[Trend("threads", 9, 10, 12, 2)],
        failures=[],
    )


def test_a_run_without_a_breach_says_so_with_its_figures() -> None:
    report = make_report()
    text = "\n".join(report.lines())
    assert report.breaches == []
    assert text.endswith("Outside of the ledger's gaps nothing was lost, and nothing was left behind.")
    assert "(crash 2.5, start 3.0)" in text
    assert report.as_json()["apart_s"] == 1.0
    assert report.as_json()["breaches"] == []


doubled = Topic(Counter({(TRACK, str(n)): 2 for n in range(950)}), 0)
BREACHES: list[tuple[Callable[[Report], Report], str]] = [
    (lambda r: replace(r, deliveries=replace(r.deliveries, lost=3)), "3 deliveries were lost"),
    (lambda r: replace(r, topic=doubled), "50.00% are doubled"),
    (
        lambda r: replace(r, disagreements=disagreements(LEDGER, [stream(10.0, 52.0)], (), 80.0)),
        "ledger and server",
    ),
    (lambda r: replace(r, trends=[Trend("threads", 9, 14, 14, 2)]), "threads grew"),
    (lambda r: replace(r, failures=["it stumbled"]), "it stumbled"),
]


@pytest.mark.parametrize(("minutes", "is_much"), [(1.0, False), (30.0, True)])
def test_two_percent_that_came_twice_are_much_in_a_long_run_only(minutes: float, is_much: bool) -> None:
    topic = Topic(Counter({(TRACK, str(n)): 2 if n < 20 else 1 for n in range(1000)}), 0)
    report = replace(make_report(), minutes=minutes, topic=topic)
    assert bool(report.breaches) is is_much


@pytest.mark.parametrize(
    ("closed", "slowness", "is_breach"),
    [(51.4, 1.0, False), (51.6, 1.0, True), (51.6, 1.2, False), (55.9, 4.0, False), (56.1, 4.0, True)],
)
def test_a_server_that_waits_for_a_processor_may_notice_an_end_as_much_later(
    closed: float, slowness: float, is_breach: bool
) -> None:
    apart = disagreements(LEDGER, [stream(10.0, closed), stream(60.0, 99.0)], (), 90.0)
    assert bool(replace(make_report(), disagreements=apart, slowness=slowness).breaches) is is_breach


@pytest.mark.parametrize(
    ("told", "times"),
    [("2000 0 5", 1.0), ("2000 1000 5", 1.5), ("2000 90000 5", 4.0), ("0 0 0", 1.0), ("", 1.0)],
)
def test_how_long_a_process_waited_for_a_processor_is_told_by_the_kernel(
    told: str, times: float, tmp_path: Path
) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "schedstat").write_text(f"{told}\n")
    assert slowness_of(7, tmp_path) == times
    assert slowness_of(8, tmp_path) == 1.0
    assert 1.0 <= slowness_of(os.getpid()) <= MOST


@pytest.mark.parametrize(("spoil", "words"), BREACHES)
def test_each_breach_is_told(spoil: Callable[[Report], Report], words: str) -> None:
    report = spoil(make_report())
    assert words in "; ".join(report.breaches)
    assert "FAILED: " in "\n".join(report.lines())
