"""Posts that a gap lacked, from three ways to the delivery."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from support.making_posts import packed, post_fields, post_line, single
from support.making_tweets import rule
from support.postpipelines import BIRTH, added, handled

from traptor.common.fills import FillEnd
from traptor.common.knowledge import Knowledge
from traptor.common.messages import BACKFILLED, Connect, SearchPiece
from traptor.common.pieces import change_to, cut
from traptor.worker.fills.page import read_page
from traptor.worker.posts import past

QUERY = packed("query", "track:b", ("flood", "hail")), packed("query", "track:0", ("storm",))
PIECE = SearchPiece(
    number=1,
    fill=7,
    connect=Connect(key_id="k", key_name="k"),
    query="storm OR flood OR hail",
    start_time="2026-09-23T10:00:00Z",
    end_time="2026-09-23T10:01:00Z",
    max_results=500,
    meanings=QUERY,
)


def found_line(text: str, **members: Any) -> bytes:
    return json.dumps({"data": post_fields(text, **members)}).encode()


def test_a_post_that_a_gap_lacked_is_delivered_for_the_rules_that_its_query_stands_for() -> None:
    pipeline, messages = handled()
    assert pipeline.take_found(PIECE, found_line("a storm, then hail", id="5"))
    assert pipeline.take_found(PIECE, found_line("only in a link", id="6"))
    assert [message.rule_ids for message in messages] == [("2", "1"), ()]
    assert all(added(message)["collection"]["filled"] == "search" for message in messages)
    assert added(messages[0])["collection"]["connection"] == "v2:app"
    counters = pipeline.counters(0)
    assert (counters.received, counters.matched, counters.unattributed, counters.foreign) == (2, 1, 1, 0)


def test_posts_that_a_gap_lacked_are_delivered_whatever_the_rate_limits_and_leave_them_to_live_ones() -> None:
    settings = replace(BIRTH.settings, rate_limits=(("track:0", "0.0001 1"),))
    pipeline, messages = handled(birth=replace(BIRTH, settings=settings))
    for number in range(3):
        assert pipeline.take_found(PIECE, found_line("a storm", id=f"5{number}"))
        assert pipeline.take_recovered(7, post_line(post_fields("storm", id=f"6{number}"), "11")).is_new
    pipeline.handle([post_line(post_fields("storm", id="70"), "11")])
    pipeline.handle([post_line(post_fields("storm", id="71"), "11")])
    assert [message.tweet_id for message in messages] == ["50", "60", "51", "61", "52", "62", "70"]
    assert pipeline.counters(0).held == 1


def test_only_posts_of_gaps_say_that_they_are() -> None:
    _, (message,) = handled(post_line(post_fields("x"), "11"))
    assert "filled" not in added(message)["collection"]


def test_a_query_of_one_clause_names_its_rule_whatever_the_text() -> None:
    pipeline, messages = handled()
    piece = msgspec.structs.replace(PIECE, meanings=(single("query", "track:0", "storm"),))
    pipeline.take_found(piece, found_line("in a link", id="5"))
    assert [message.rule_ids for message in messages] == [("1",)]


def test_what_came_over_the_stream_or_was_found_before_is_not_delivered_again() -> None:
    pipeline, messages = handled(post_line(post_fields("storm", id="5"), "11"))
    assert not pipeline.take_found(PIECE, found_line("storm", id="5"))
    assert pipeline.take_found(PIECE, found_line("storm", id="6"))
    assert not pipeline.take_found(PIECE, found_line("storm", id="6"))
    assert [message.tweet_id for message in messages] == ["5", "6"]
    counters = pipeline.counters(0)
    assert (counters.received, counters.repeated) == (4, 2)


def test_posts_of_a_gap_follow_a_change_of_rules() -> None:
    pipeline, messages = handled()
    pipeline.take_found(PIECE, found_line("storm", id="5"))
    new = rule("track:0", "7", "storm")
    now = Knowledge.of([new], [single("13", "track:0", "storm")])
    for piece in cut(1, change_to(now, Knowledge.of(BIRTH.rules, BIRTH.filters))):
        pipeline.change_rules(piece)
    pipeline.take_found(PIECE, found_line("storm", id="6"))
    assert [message.rule_ids for message in messages] == [("1",), ("7",)]


def test_what_is_no_post_is_counted_as_broken() -> None:
    pipeline, messages = handled()
    assert not pipeline.take_found(PIECE, b'{"data":{}}')
    assert (pipeline.counters(0).broken, messages) == (1, [])


@pytest.mark.parametrize("method", ["found", "recovered", "backfilled"])
def test_a_post_that_goes_too_deep_is_counted_as_broken_and_the_others_are_delivered(method: str) -> None:
    pipeline, messages = handled()
    if method == "backfilled":
        pipeline.expect_past(time.time())
    deep = {"text": "a flood", "odd": "?"}
    numbers = range(900, 1010)
    for number in numbers:  # where Python's parser gives up depends on who calls it
        one = post_line(post_fields(id=id_at(number), **deep), "12", traptor="?")
        one = one.replace(b'"?"', b"[" * number + b"]" * number)
        other = post_line(post_fields("flood", id=id_at(5_000 + number)), "12")
        if method == "backfilled":
            pipeline.handle([one, other])
            continue
        for line in (one, other):
            if method == "found":
                pipeline.take_found(PIECE, line)
            else:
                pipeline.take_recovered(7, line)
    others = {id_at(5_000 + number) for number in numbers}
    assert {message.tweet_id for message in messages} >= others
    counters = pipeline.counters(0)
    assert counters.broken == 2 * len(numbers) - len(messages) > 0
    assert counters.received == len(messages)


def test_of_a_page_with_a_post_that_goes_too_deep_the_others_are_delivered() -> None:
    pipeline, messages = handled()
    posts = [post_fields("storm", id=str(number), odd="?") for number in range(5, 8)]
    body = json.dumps({"data": posts, "includes": {"users": [{"id": "42"}]}, "meta": {}}).encode()
    first, second, rest = body.split(b'"?"', 2)
    deep = b"[" * 5_000 + b"]" * 5_000
    page = read_page(b"".join((first, b"1", second, deep, rest.replace(b'"?"', b"1"))))
    assert [pipeline.take_found(PIECE, line) for line in page.lines] == [True, False, True]
    assert [message.tweet_id for message in messages] == ["5", "7"]
    assert pipeline.counters(0).broken == 1


def test_what_a_post_that_goes_too_deep_cost_is_told_without_calling_it_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline, messages = handled()
    monkeypatch.setattr("traptor.worker.filters.edition.whole_post", _too_deep)
    taken = pipeline.take_recovered(7, post_line(post_fields("a flood", id="5"), "12"))
    assert (taken.post_id, taken.is_new, taken.reads["posts"], messages) == ("5", False, 1, [])


def _too_deep(_raw: bytes) -> None:
    raise RecursionError


def id_at(unix: float) -> str:
    return str(int(unix * 1000) - 1_288_834_974_657 << 22)


def test_a_recovered_post_is_delivered_for_the_filters_that_it_names_unless_it_came_before() -> None:
    pipeline, messages = handled(post_line(post_fields("storm", id="5"), "11"))
    again = pipeline.take_recovered(7, post_line(post_fields("storm", id="5"), "11"))
    assert (again.post_id, again.is_new, again.reads["posts"]) == ("5", False, 0)
    users = {"users": [{"id": "1"}, {"id": "2"}]}
    new = pipeline.take_recovered(7, post_line(post_fields("storm", id="6"), "11", includes=users))
    assert (new.post_id, new.is_new) == ("6", True)
    assert new.reads == {"posts": 1, "included_posts": 0, "included_users": 2}
    assert pipeline.take_recovered(7, post_line(post_fields("x", id="7"), "99")).is_new
    assert [message.rule_ids for message in messages] == [("1",), ("1",), ()]
    assert [added(message)["collection"].get("filled") for message in messages] == [
        None,
        "recovery",
        "recovery",
    ]
    counters = pipeline.counters(0)
    assert (counters.received, counters.repeated, counters.foreign) == (4, 1, 1)
    assert counters.reads == {"posts": 3, "included_posts": 0, "included_users": 2}


def test_a_line_of_a_recovery_that_is_no_post_does_not_touch_the_live_stream() -> None:
    pipeline, messages = handled()
    ending = b'{"errors":[{"title":"operational-disconnect","type":"x/operational-disconnect"}]}'
    assert pipeline.take_recovered(7, ending).ends
    assert not pipeline.take_recovered(7, b"rubbish").ends
    assert (pipeline.problem, pipeline.is_over, messages) == ("", False, [])
    assert pipeline.counters(0).broken == 1


def test_posts_from_before_a_stream_with_a_backfill_are_those_of_its_gap() -> None:
    pipeline, messages = handled()
    pipeline.expect_past(1_790_000_000.0)
    for at in (1_789_999_990.0, 1_790_000_010.0, 1_789_999_990.0):
        pipeline.handle([post_line(post_fields("storm", id=id_at(at)), "11")])
    assert [added(message)["collection"].get("filled") for message in messages] == ["backfill", None]
    assert not any("repeated" in added(message) for message in messages)
    assert pipeline.past_taken(time.monotonic()) is None  # more may come
    counters = pipeline.counters(0)
    assert (counters.received, counters.repeated) == (3, 1)


def test_a_backfill_is_told_once_when_it_is_over_and_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, _ = handled()
    pipeline.expect_past(1_790_000_000.0)
    pipeline.handle([post_line(post_fields("storm", id=id_at(1_789_999_990.0)), "11")])
    monkeypatch.setattr(past, "QUIET_S", 0.0)
    assert pipeline.past_taken(0.0) is None  # not in the outbox yet
    told = pipeline.past_taken(time.monotonic())
    assert told is not None
    assert (told.number, told.end, told.posts, told.new) == (BACKFILLED, FillEnd.DONE, 1, 1)
    assert pipeline.past_taken(time.monotonic()) is None
    pipeline.handle([post_line(post_fields("storm", id=id_at(1_789_999_980.0)), "11")])


def test_a_new_stream_without_a_backfill_brings_no_past() -> None:
    pipeline, messages = handled()
    pipeline.expect_past(1_790_000_000.0)
    pipeline.stream_opened()
    pipeline.handle([post_line(post_fields("storm", id=id_at(1_789_999_990.0)), "11")])
    assert "filled" not in added(messages[0])["collection"]
    assert pipeline.past_taken(time.monotonic() + 100) is None
