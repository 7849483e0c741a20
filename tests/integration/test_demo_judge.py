"""The demo's judge: what it is told, and what it says when something went wrong."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from demo_parts.summary import Replacement, Summary
from trial.evidence import opened_streams, reported_gaps, written_tweets
from trial.judge import Evidence, MadeTweet, OpenedStream, ReportedGap, Silence, judge
from trial.view import View

FLOOD, STORM, USER = ("track", "flood"), ("track", "storm"), ("follow", "12")
ALL = frozenset({FLOOD, STORM, USER})

# ---- the judge


def tweet(number: int, at: float, *values: tuple[str, str]) -> MadeTweet:
    return MadeTweet(str(number), frozenset(values or {FLOOD}), at)


def good() -> Evidence:
    """Two connections that stream from 10 s on; each wrote what was made for it."""
    return Evidence(
        tweets=[tweet(1, 5.0), tweet(2, 12.0), tweet(3, 13.0, USER), tweet(4, 14.0, FLOOD, USER)],
        streams=[
            OpenedStream("track:0", frozenset({FLOOD, STORM}), 10.0, 100.0),
            OpenedStream("follow:0", frozenset({USER}), 11.0, 100.0),
        ],
        gaps=[
            ReportedGap("track:0", "start", 8.0, 10.1, 2.1),
            ReportedGap("follow:0", "start", 8.0, 11.1, 3.1),
        ],
        written={"track:0": Counter("24"), "follow:0": Counter("34")},
        rules=[(4.0, ALL)],
    )


def test_nothing_is_lost_when_each_connection_wrote_what_its_open_filter_asked_for() -> None:
    verdict = judge(good())
    assert verdict.is_good
    assert (verdict.made, verdict.early, verdict.unexplained) == (4, 1, 0)
    assert (verdict.due, verdict.written, verdict.doubled, verdict.lost) == (4, 4, 0, 0)


def test_a_tweet_that_one_of_two_connections_did_not_write_is_lost() -> None:
    verdict = judge(replace(good(), written={"track:0": Counter("24"), "follow:0": Counter("3")}))
    assert not verdict.is_good
    assert (verdict.due, verdict.written, verdict.lost) == (4, 3, 1)
    assert verdict.losses == ("4, made for follow '12' and track 'flood', is not in the output of follow:0",)


def test_a_connection_without_any_output_has_lost_all_that_was_due_to_it() -> None:
    assert judge(replace(good(), written={"follow:0": Counter("34")})).lost == 2


def test_a_tweet_that_is_not_written_inside_a_reported_gap_is_early_and_not_lost() -> None:
    evidence = good()
    gaps = [*evidence.gaps, ReportedGap("track:0", "network", 19.0, 21.0, 2.0)]
    verdict = judge(replace(evidence, tweets=[*evidence.tweets, tweet(5, 20.0)], gaps=gaps))
    assert verdict.is_good
    assert (verdict.made, verdict.early, verdict.due) == (5, 2, 4)


def test_the_gap_of_one_connection_does_not_excuse_another() -> None:
    evidence = good()
    gaps = [*evidence.gaps, ReportedGap("follow:0", "network", 19.0, 21.0, 2.0)]
    assert judge(replace(evidence, tweets=[*evidence.tweets, tweet(5, 20.0)], gaps=gaps)).lost == 1


def test_a_tweet_right_behind_a_reported_gap_counts() -> None:
    assert judge(replace(good(), tweets=[*good().tweets, tweet(5, 10.2)])).lost == 1


def test_a_tweet_is_judged_by_when_it_was_written_to_the_stream_and_only_if_it_was() -> None:
    """A busy server writes it after it was made, and to a stream that was closed meanwhile not at all."""
    gap = ReportedGap("track:0", "crash", 20.0, 21.0, 1.0)
    stream = OpenedStream("track:0", frozenset({FLOOD}), 10.0, 20.5, id=7)
    evidence = replace(good(), gaps=[gap], streams=[stream], written={"track:0": Counter()})

    def lost(sent: dict[int, float]) -> int:
        return judge(replace(evidence, tweets=[replace(tweet(9, 19.9), sent=sent)])).lost

    assert lost({7: 19.95}) == 1
    assert lost({7: 20.3}) == 0
    assert lost({}) == 0


def test_the_same_tweet_twice_from_one_connection_is_doubled_and_no_error() -> None:
    verdict = judge(replace(good(), written={"track:0": Counter("224"), "follow:0": Counter("34")}))
    assert verdict.is_good
    assert (verdict.written, verdict.doubled, verdict.lost) == (5, 1, 0)


def test_what_was_due_lost_not_due_and_doubled_adds_up_to_what_was_written() -> None:
    """A tweet of a reported gap that came through all the same is neither due nor doubled."""
    evidence = good()
    gaps = [*evidence.gaps, ReportedGap("track:0", "refresh", 19.0, 21.0, 2.0)]
    unclaimed = OpenedStream(None, frozenset({STORM}), 30.0, 40.0)
    tweets = [*evidence.tweets, tweet(5, 20.0), tweet(6, 22.0, USER), tweet(7, 35.0, STORM)]
    streams = [replace(evidence.streams[0], values=frozenset({FLOOD})), evidence.streams[1], unclaimed]
    written = {"track:0": Counter("245577"), "follow:0": Counter("344")}
    verdict = judge(replace(evidence, tweets=tweets, gaps=gaps, streams=streams, written=written))
    assert (verdict.due, verdict.lost, verdict.beyond, verdict.doubled) == (6, 1, 1, 3)
    assert verdict.due - verdict.lost + verdict.beyond + verdict.doubled == verdict.written == 9


def test_a_rule_that_is_in_redis_but_was_in_no_filter_yet_makes_early_tweets() -> None:
    evidence = good()
    new = ("track", "volcano")
    rules = [*evidence.rules, (50.0, ALL | {new})]
    streams = [*evidence.streams, OpenedStream("track:0", frozenset({FLOOD, new}), 60.0, 100.0)]
    tweets = [*evidence.tweets, tweet(5, 49.0, new), tweet(6, 55.0, new), tweet(7, 61.0, new)]
    verdict = judge(replace(evidence, tweets=tweets, streams=streams, rules=rules))
    assert (verdict.made, verdict.early, verdict.lost) == (6, 2, 1)


def test_a_stream_that_ended_without_a_reported_gap_is_not_passed_over() -> None:
    evidence = good()
    streams = [replace(stream, closed_at=30.0) for stream in evidence.streams]
    verdict = judge(replace(evidence, tweets=[*evidence.tweets, tweet(5, 40.0)], streams=streams))
    assert (verdict.lost, verdict.unexplained) == (0, 1)
    assert not verdict.is_good


def test_what_a_stream_got_that_the_supervisor_never_claimed_must_be_written_somewhere() -> None:
    evidence = good()
    streams = [*evidence.streams, OpenedStream(None, frozenset({STORM, FLOOD}), 60.0, 70.0)]
    tweets = [*evidence.tweets, tweet(5, 65.0)]
    written = {"track:0": Counter("245"), "follow:0": Counter("34")}
    assert judge(replace(evidence, tweets=tweets, streams=streams, written=written)).lost == 0
    assert judge(replace(evidence, tweets=tweets, streams=streams)).lost == 2


def test_what_is_not_written_in_a_silence_is_counted_apart_and_only_there() -> None:
    silence = Silence("track:0", 19.0, 21.0)
    evidence = replace(good(), silences=[silence])
    tweets = [*evidence.tweets, tweet(5, 20.0), tweet(6, 22.0)]
    verdict = judge(replace(evidence, tweets=tweets))
    assert (verdict.silent, verdict.lost) == (1, 1)
    half_open = [replace(stream, closed_at=19.0) for stream in evidence.streams]
    verdict = judge(replace(evidence, tweets=tweets, streams=half_open))
    assert (verdict.silent, verdict.unexplained) == (1, 1)
    assert "track:0" in verdict.losses[0]


def test_the_end_of_a_stream_may_be_noticed_a_little_later_if_the_judge_is_told_so() -> None:
    evidence = good()
    streams = [replace(stream, closed_at=30.0) for stream in evidence.streams]
    gaps = [*evidence.gaps, ReportedGap("track:0", "server_close", 30.1, 99.0, 68.9)]
    late = replace(evidence, tweets=[*evidence.tweets, tweet(5, 30.05)], streams=streams, gaps=gaps)
    assert judge(late).unexplained == 1
    assert judge(replace(late, notice_s=0.1)).unexplained == 0


# ---- the evidence


def test_a_stream_is_the_connections_that_the_supervisor_opened_with_that_key_then() -> None:
    def record(number: int, account: str, opened: float) -> dict[str, object]:
        values = {"track": ["flood"]}
        return {
            "id": number,
            "account": account,
            "opened_mono": opened,
            "closed_mono": None,
            "values": values,
        }

    def event(at: str, key: str, connection: str) -> dict[str, object]:
        return {"message": "stream connected", "time": at, "key": key, "connection": connection, "gen": 1}

    epoch = "1970-01-01T00:00:"
    streams = opened_streams(
        [record(1, "k1", 10.0), record(2, "k2", 11.0), record(3, "k1", 20.0), record(4, "k1", 30.0)],
        [
            event(f"{epoch}10.001Z", "k1", "follow:0"),
            event(f"{epoch}11.002Z", "k2", "track:0"),
            event(f"{epoch}20.003Z", "k1", "track:0"),
        ],
        wall_to_mono=0.0,
    )
    assert [stream.connection for stream in streams] == ["follow:0", "track:0", "track:0", None]
    assert streams[0].values == {FLOOD}
    assert streams[0].is_open(1e9)


def test_a_gap_lasts_to_the_end_of_the_millisecond_that_the_log_names() -> None:
    event = {
        "message": "gap",
        "connection": "track:0",
        "cause": "start",
        "since": "1970-01-01T00:00:01.500Z",
        "until": "1970-01-01T00:00:02.000Z",
        "seconds": 0.5,
    }
    assert reported_gaps([{"message": "other"}, event], 100.0) == [
        ReportedGap("track:0", "start", 101.5, pytest.approx(102.001), 0.5)  # type: ignore[arg-type]
    ]


def test_only_tweets_are_counted_in_the_output(tmp_path: Path) -> None:
    (tmp_path / "track:0.jsonl").write_text(
        '{"id_str":"7","text":"a"}\n{"limit":{"track":3}}\n{"id_str":"7"}\n'
    )
    (tmp_path / "follow:0.2.jsonl").write_text("")
    assert written_tweets(tmp_path) == {"follow:0.2": Counter(), "track:0": Counter({"7": 2})}


# ---- the summary


def test_the_summary_says_what_failed() -> None:
    lost = judge(replace(good(), written={"track:0": Counter("4"), "follow:0": Counter("34")}))
    moved = Replacement("track:0", 1, 2, ("follow:0",), ("follow:0.2",))
    summary = Summary(lost, View(), tuple(good().gaps), (moved,), ("it stumbled",), "out", "logs")
    text = "\n".join(summary.lines())
    assert not summary.is_good
    assert re.search(r"^    - lost +1$", text, re.MULTILINE)
    assert "gap seconds of track:0: 2.1 (start 2.1)" in text
    assert "track:0: pid 1 -> 2; but follow:0.2 changed theirs, too" in text
    assert "FAILED: it stumbled" in text
    assert text.endswith("Tweets were lost: the logs say more.")
