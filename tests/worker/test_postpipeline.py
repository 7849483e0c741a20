"""From a line of an API v2 stream to what the delivery is given."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.births import worker_settings
from support.gatesink import GateSink
from support.making_posts import packed, post_fields, post_line, single
from support.making_tweets import rule
from support.postpipelines import BIRTH, added, handled
from support.reports import report

from traptor.common.birth import KafkaSettings
from traptor.common.knowledge import Knowledge
from traptor.common.messages import (
    HEADER,
    frame,
    from_worker,
)
from traptor.common.pieces import change_to, cut
from traptor.common.rules.rule import GroupId
from traptor.worker.delivery import gathering
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.postpipeline import PostPipeline
from traptor.worker.seen.log import WordLog
from traptor.worker.seen.memory import Memory
from traptor.worker.seen.register import Register, seen_folder
from traptor.worker.trialoutput.output import TrialOutput


def test_a_post_is_its_own_bytes_with_the_member_at_the_end() -> None:
    line = post_line(post_fields("Ünë 嵐 \\/"), "11").replace(b'"text": ', b'"text" :  ')
    _, (message,) = handled(line + b"\r\n")
    assert message.body.startswith(line[:-1] + b',"traptor":{"id_str":0,')
    assert (message.tweet_id, message.rule_ids) == ("900000000000000020", ("1",))
    assert message.created_at_ms == 1790157600000
    member = added(message)
    assert member["created_at_iso"] == "2026-09-23T10:00:00+00:00"
    assert member["collection"] | {"received_at": ""} == {
        "connection": "v2:app",
        "generation": 3,
        "received_at": "",
        "api": "v2",
    }


def test_a_member_traptor_that_came_with_the_post_is_replaced() -> None:
    _, (message,) = handled(post_line(post_fields("storm"), "11", traptor={"id_str": 9}))
    assert message.body.count(b'"traptor"') == 1
    assert added(message)["id_str"] == 0


ANY_LINES = [
    post_line(post_fields("storm", id="31"), "11"),
    post_line(post_fields("a flood", id="32"), "12"),
    post_line(post_fields("nothing", id="33"), "12"),
    post_line(post_fields("storm and hail", id="34"), "11", "12"),
    post_line(post_fields(id="35"), "77"),
    post_line(post_fields("storm", id="36"), "11", traptor={"id_str": 9}),
    post_line(post_fields("storm", id="37"), "11", errors=[{"title": "Not Found"}]),
    post_line(
        post_fields("storm", id="38"), "11", includes={"tweets": [{"id": "5"}], "users": [{"id": "7"}]}
    ),
    post_line(post_fields("storm", id=39), "11"),
    post_line(post_fields("Ünë storm", id="40", edit_history_tweet_ids=["30", "40"]), "11"),
    post_line(post_fields("storm", id="41"), "11").replace(b"storm", b"\xff"),
    b'{"errors": [{"title": "x"}]}',
    b"no JSON",
]


@pytest.mark.parametrize("repeated", ["mark", "drop"])
@pytest.mark.parametrize("payload", ["native", "v1.1"])
@given(
    picked=st.lists(st.sampled_from(ANY_LINES), max_size=12), reads=st.lists(st.integers(1, 5), min_size=12)
)
def test_lines_that_come_together_are_handled_as_if_each_came_alone(
    payload: str, repeated: str, picked: list[bytes], reads: list[int]
) -> None:
    birth = replace(BIRTH, settings=replace(BIRTH.settings, payload=payload, repeated=repeated, extras=False))
    results = []
    for sizes in (reads, [1] * len(picked)):
        pipeline, kept = handled(birth=birth)
        lines = picked
        for size in sizes:
            pipeline.handle(lines[:size])
            lines = lines[size:]
        assert not lines
        results.append((kept, pipeline.counters(0), pipeline.problem, set(pipeline.newly_seen_filters())))
    assert results[0] == results[1]


@pytest.mark.parametrize("payload", ["native", "v1.1"])
def test_however_deep_a_line_goes_the_other_posts_of_the_read_are_delivered(payload: str) -> None:
    birth = replace(BIRTH, settings=replace(BIRTH.settings, payload=payload))
    first, last = (post_line(post_fields("x", id=key), "11") for key in ("5", "6"))
    for depth in range(950, 1010):  # where Python's parser gives up depends on who calls it
        deep = post_line(post_fields("a flood", id="7", odd="?"), "12", traptor="?")
        deep = deep.replace(b'"?"', b"[" * depth + b"]" * depth)
        pipeline, messages = handled(first, deep, last, birth=birth)
        assert [one.tweet_id for one in messages if one.tweet_id != "7"] == ["5", "6"]
        assert pipeline.counters(0).broken == 3 - len(messages)


@pytest.mark.parametrize(
    ("group", "filters", "id_str", "ids"),
    [
        (None, ("11",), 0, ["1"]),
        (None, ("12", "11"), "b", ["2", "1"]),
        (None, ("12",), "b", ["2"]),
        (GroupId.parse("track:0"), ("11",), 0, ["1"]),
    ],
)
def test_the_id_is_that_of_the_group_whose_rule_came_first(
    group: GroupId | None, filters: tuple[str, ...], id_str: object, ids: list[str]
) -> None:
    _, (message,) = handled(post_line(post_fields("a flood"), *filters), birth=replace(BIRTH, group=group))
    assert list(message.rule_ids) == ids
    assert added(message)["id_str"] == id_str


@pytest.mark.parametrize(
    ("group", "filters", "group_id"),
    [
        (None, ("12",), None),
        (None, ("99",), None),
        (GroupId.parse("track:b"), ("12",), "b"),
        (GroupId.parse("track:b"), ("99",), None),
    ],
)
def test_a_post_without_a_rule_says_so(
    group: GroupId | None, filters: tuple[str, ...], group_id: str | None
) -> None:
    pipeline, (message,) = handled(post_line(post_fields("x"), *filters), birth=replace(BIRTH, group=group))
    member = added(message)
    assert (member["id_str"], member["id"], member["collection_rules"]) == (group_id, group_id, [])
    assert (member["rule_type"], member["rule_tag"], member["rule_value"]) == (
        "track",
        "Not Found",
        "Not Found",
    )
    counters = pipeline.counters(0)
    assert counters.unmatched == 1
    assert (counters.unattributed, counters.foreign) == ((1, 0) if filters == ("12",) else (0, 1))


def test_a_post_that_comes_again_is_marked_and_counted() -> None:
    one, other = (post_line(post_fields("x", id=key), "11") for key in ("5", "6"))
    pipeline, messages = handled(one, other, one, one, other)
    assert [added(message).get("repeated") for message in messages] == [None, None, True, True, True]
    counters = pipeline.counters(0)
    assert (counters.received, counters.repeated, counters.matched) == (5, 3, 5)
    assert counters.reads["posts"] == 2
    strict = replace(BIRTH, settings=replace(BIRTH.settings, extras=False))
    _, messages = handled(one, one, birth=strict)
    assert [set(added(message)) for message in messages] == [
        {"id_str", "created_at_iso", "collection_rules"}
    ] * 2


def test_a_post_that_comes_again_is_dropped_where_that_is_wanted() -> None:
    dropping = replace(BIRTH, settings=replace(BIRTH.settings, repeated="drop"))
    one, other = (post_line(post_fields("x", id=key), "11") for key in ("5", "6"))
    pipeline, messages = handled(one, one, other, one, birth=dropping)
    assert [message.tweet_id for message in messages] == ["5", "6"]
    counters = pipeline.counters(0)
    assert (counters.received, counters.repeated, counters.matched) == (4, 2, 2)


def test_a_post_whose_first_copy_is_not_yet_kept_is_dropped_and_does_not_count_as_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "COMMIT_S", 600.0)  # the second copy comes before, on any machine
    settings = replace(worker_settings(tmp_path), api="v2", repeated="drop")
    delivery = Delivery(replace(BIRTH, settings=settings), GateSink())
    pipeline = PostPipeline(replace(BIRTH, settings=settings), delivery, None)
    pipeline.open()
    other = Register(WordLog(seen_folder(tmp_path, "v2:app")), Memory(), lambda _who: (), signs_as=None)
    other.open()
    with delivery._lock:  # its thread commits nothing meanwhile
        for _ in range(2):
            pipeline.handle([post_line(post_fields("x", id="5"), "11")])
        other.look()
        assert other.seen([5]) == [False], "who is killed now has not taken it"
        delivery.keep()
    other.look()
    assert other.seen([5]) == [True]
    assert delivery.counts.accepted == 1
    counters = pipeline.counters(0)
    assert (counters.received, counters.repeated, counters.reads["posts"]) == (2, 1, 1)
    pipeline.drain(time.monotonic())


def test_of_two_connections_the_second_copy_of_a_post_is_dropped_and_counted_as_such() -> None:
    line = post_line(post_fields("x", id="5"), "11")
    pipeline, messages = handled(line, line, birth=replace(BIRTH, pair="v2:app"))
    assert [added(message).get("repeated") for message in messages] == [None]
    counters = pipeline.counters(0)
    assert (counters.received, counters.repeated, counters.copies, counters.matched) == (1, 0, 1, 1)
    assert counters.reads["posts"] == 1


def test_no_server_can_make_the_counters_grow_without_end() -> None:
    lines = [json.dumps({"errors": [{"title": f"t{n}"}]}).encode() for n in range(500)]
    pipeline, messages = handled(*lines)
    counters = pipeline.counters(0)
    assert messages == []
    assert sum(counters.errors.values()) == 500
    assert len(counters.errors) <= 51
    assert not pipeline.is_over


def test_the_last_error_is_the_problem_until_a_post_comes() -> None:
    error = b'{"title":"UsageCapExceeded","type":"https://api.x.com/2/problems/usage-capped"}'
    pipeline, _ = handled(error)
    assert pipeline.problem == "usage-capped"
    pipeline.handle([post_line(post_fields("x"), "11")])
    assert pipeline.problem == ""
    pipeline.handle([b'{"errors":[{"title":"operational-disconnect","disconnect_type":"SlowReader"}]}'])
    assert (pipeline.problem, pipeline.is_over) == ("SlowReader", True)
    pipeline.stream_opened()
    assert (pipeline.problem, pipeline.is_over) == ("", False)


def test_a_change_of_rules_is_used_from_the_next_post_on() -> None:
    pipeline, messages = handled(post_line(post_fields("x"), "11"))
    new = rule("track:0", "7", "hail")
    now = Knowledge.of([new], [single("13", "track:0", "hail")])
    for piece in cut(1, change_to(now, Knowledge.of(BIRTH.rules, BIRTH.filters))):
        pipeline.change_rules(piece)
    for filter_id in ("13", "11"):
        pipeline.handle([post_line(post_fields("x"), filter_id)])
    assert [message.rule_ids for message in messages] == [("1",), ("7",), ("1",)]
    assert pipeline.rules_change == 1
    assert pipeline.newly_seen_filters() == ("11", "13")


ALIKE = (
    single("13", "track:0", "storm"),  # as another one
    packed("14", "track:b", ("hail", "flood")),
    packed("15", "follow:0", ("5", "6")),
    packed("16", "follow:0", ("6", "7")),
    single("17", "track:0", "of no rule"),
)
FILTERS = [one.filter_id for one in (*BIRTH.filters, *ALIKE)]


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from([*FILTERS, "99"]), max_size=3),
            st.sampled_from(["storm", "a flood", "nothing"]),
            st.sampled_from("5678"),
        ),
        max_size=20,
    ),
    st.integers(1, 20),
)
def test_each_filter_is_told_of_that_a_post_has_named(
    posts: list[tuple[list[str], str, str]], size: int
) -> None:
    users = rule("follow:0", "3", "5", "6", "7")
    birth = replace(BIRTH, rules=(*BIRTH.rules, users), filters=(*BIRTH.filters, *ALIKE))
    pipeline, _ = handled(birth=birth)
    lines = [
        post_line(post_fields(text, id=str(number), author_id=author), *filters)
        for number, (filters, text, author) in enumerate(posts, 1)
    ]
    for begin in range(0, len(lines), size):
        pipeline.handle(lines[begin : begin + size])
        named = {key for filters, _, _ in posts[: begin + size] for key in filters if key != "99"}
        told = pipeline.newly_seen_filters()
        before = {key for filters, _, _ in posts[:begin] for key in filters}
        assert sorted(told) == sorted(named - before)


IDS = st.sampled_from(["11", "12", "99", ""])
TEXTS = st.sampled_from(["storm", "flood", "", "嵐", "\ud83d"])


@given(st.lists(st.tuples(TEXTS, st.lists(IDS, max_size=3)), max_size=4), st.binary(max_size=20))
def test_any_line_is_delivered_as_json_or_counted(posts: list[tuple[str, list[str]]], rubbish: bytes) -> None:
    lines = [
        json.dumps({"data": post_fields(text), "matching_rules": [{"id": key} for key in keys]}).encode()
        for text, keys in posts
    ]
    pipeline, messages = handled(*lines, rubbish)
    counters = pipeline.counters(0)
    assert counters.received == len(posts) == len(messages)
    assert counters.matched + counters.inferred + counters.unmatched == len(posts)
    assert counters.broken + sum(counters.other.values()) == 1
    for message, (text, _) in zip(messages, posts, strict=True):
        assert json.loads(message.body)["data"]["text"] == text
    told = report(counters)
    assert from_worker(frame(told)[HEADER.size :]) == told


def test_a_post_beyond_the_rate_limits_of_its_rules_is_counted_and_not_delivered() -> None:
    settings = replace(BIRTH.settings, rate_limits=(("track:0", "0.0001 1"),))
    birth = replace(BIRTH, settings=settings)
    lines = [post_line(post_fields("storm"), "11")] * 2 + [post_line(post_fields("a flood"), "11", "12")]
    pipeline, messages = handled(*lines, birth=birth)
    assert [message.rule_ids for message in messages] == [("1",), ("2",)]
    counters = pipeline.counters(0)
    assert (counters.received, counters.held) == (3, 1)


@pytest.mark.parametrize("payload", ["native", "v1.1"])
def test_of_posts_that_come_together_only_those_too_large_have_their_rules_cut(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, payload: str
) -> None:
    kafka = KafkaSettings("127.0.0.1:1", "traptor", False, (("message.max.bytes", "9000"),), (), tmp_path)
    settings = replace(BIRTH.settings, payload=payload, output="kafka", kafka=kafka)
    tag = "t" * 1000
    rules = (rule("track:0", "1", "storm", tag=tag), rule("track:b", "2", "flood", "hail", tag=tag))
    birth = replace(BIRTH, rules=rules, settings=settings)
    small = [post_line(post_fields("a flood", id=key), "11", "12") for key in ("5", "7")]
    large = post_line(post_fields("a flood " + "x" * 7000, id="6"), "11", "12")
    pipeline, messages = handled(small[0], large, small[1], birth=birth)
    assert [message.tweet_id for message in messages] == ["5", "6", "7"]
    assert [message.rule_ids for message in messages] == [("1", "2")] * 3
    whole, cut_rules, other = (added(message)["collection_rules"] for message in messages)
    assert cut_rules == [{"rule_id": "1", "truncated": True}, {"rule_id": "2", "truncated": True}]
    assert whole == other == [json.loads(one.json) for one in rules]
    assert [one["rule_tag"] for one in whole] == [tag, tag]
    assert len(messages[1].body) < 9000
    assert pipeline.counters(0).matched == 3
    assert caplog.text.count("rules of a tweet are cut to their ids") == 1


@pytest.mark.parametrize("main_is_file", [True, False])
def test_a_trial_takes_together_what_the_output_took_together(tmp_path: Path, main_is_file: bool) -> None:
    birth = replace(BIRTH, settings=replace(worker_settings(tmp_path), api="v2"))
    main, other = GateSink(), GateSink()
    main.is_line_sink, other.is_line_sink = main_is_file, True
    delivery, trial = Delivery(birth, main), TrialOutput(birth, other)
    pipeline = PostPipeline(birth, delivery, None, trial)
    pipeline.open()
    with delivery._lock, trial._delivery._lock:  # their own threads commit nothing meanwhile
        for ids in (("1", "2", "3"), ("4", "5")):
            pipeline.handle([post_line(post_fields("storm", id=one), "11") for one in ids])
            delivery.keep()
    pipeline.drain(time.monotonic())
    assert other.together == [["1", "2", "3"], ["4", "5"]]


def test_nothing_counts_as_safe_that_either_output_has_not_kept(tmp_path: Path) -> None:
    birth = replace(BIRTH, settings=replace(worker_settings(tmp_path), api="v2"))
    delivery, trial = Delivery(birth, GateSink()), TrialOutput(birth, GateSink())
    pipeline = PostPipeline(birth, delivery, None, trial)
    now = 5.0
    pipeline.follow(lambda: now)
    pipeline.open()
    with delivery._lock, trial._delivery._lock:  # their own threads commit nothing meanwhile
        pipeline.handle([post_line(post_fields("storm"), "11")])
        now = 9.0
        gathered = delivery.safe_until()
        delivery.keep()
        with_the_trial = delivery.safe_until()
        trial.keep()
        kept = delivery.safe_until()
    pipeline.drain(time.monotonic())
    assert (gathered, with_the_trial, kept) == (5.0, 5.0, 9.0)
