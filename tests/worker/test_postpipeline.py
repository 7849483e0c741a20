"""From a line of an API v2 stream to what the delivery is given."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.births import worker_settings
from support.gatesink import GateSink
from support.making_posts import packed, post_fields, post_line, single
from support.making_tweets import rule
from support.unwritten import register_in_memory

from traptor.common.birth import Birth, KafkaSettings
from traptor.common.files.reads import ReadCounts, kept
from traptor.common.fills import FillEnd
from traptor.common.messages import (
    BACKFILLED,
    HEADER,
    Activity,
    Connect,
    Report,
    SearchPiece,
    frame,
    from_worker,
)
from traptor.common.pieces import change_to, cut
from traptor.common.rules.rule import GroupId
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.delivery.latency import Latency
from traptor.worker.outbox.message import Outgoing
from traptor.worker.postpipeline import PostPipeline
from traptor.worker.posts import past
from traptor.worker.seen.claim import Claim
from traptor.worker.seen.register import Billed
from traptor.worker.sinks.kafka.record import Recorder
from traptor.worker.trialoutput.output import TrialOutput

STORM, FLOOD = rule("track:0", "1", "storm"), rule("track:b", "2", "flood", "hail")
MEANINGS = (single("11", "track:0", "storm"), packed("12", "track:b", ("flood", "hail")))
BIRTH = Birth("v2:app", 3, None, (STORM, FLOOD), replace(worker_settings(Path()), api="v2"), filters=MEANINGS)


class Kept:
    """Keeps every message; no delivery beyond that."""

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []
        self._register = register_in_memory()
        self.counts = Delivery(BIRTH, GateSink()).counts
        self.latency = Latency()

    def before_keeping(self, note: Callable[[], object]) -> None:
        self.note = note

    def open(self) -> None:
        """Nothing is opened."""

    def stream_opened(self) -> None:
        """Nothing is noted."""

    def send(self, message: Outgoing, claim: Claim) -> None:
        self._register.take_one(claim, lambda _message: True, message)
        self.messages.append(message)

    def settle(self, claim: Claim) -> None:
        self._register.take([claim], lambda _ours: True)

    def has_seen(self, post: int) -> bool:
        return self._register.has(post)

    def is_billed(self, posts: Sequence[int], at_s: float) -> bool:
        return self._register.is_billed(posts, at_s)

    def bill(self, posts: Sequence[int], included_posts: Sequence[int], at_s: float) -> Billed:
        return self._register.bill(posts, included_posts, at_s)

    @property
    def billed(self) -> Billed:
        return self._register.billed


def handled(*lines: bytes, birth: Birth = BIRTH) -> tuple[PostPipeline, list[Outgoing]]:
    kept = Kept()
    pipeline = PostPipeline(birth, kept, None)  # type: ignore[arg-type]
    pipeline.open()
    pipeline.stream_opened()
    for line in lines:
        pipeline.handle(line)
    return pipeline, kept.messages


def added(message: Outgoing) -> dict[str, Any]:
    member: dict[str, Any] = json.loads(message.body)["traptor"]
    return member


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


def test_the_header_names_the_form_of_the_payload() -> None:
    kafka = KafkaSettings("127.0.0.1:1", "posts", False, (), (), Path())
    _, (native,) = handled(post_line(post_fields("x"), "11"))
    _, (old,) = handled(post_line(post_fields("x"), "11"), birth=AS_TWEETS)
    for message, form in ((native, b"native"), (old, b"v1.1")):
        record = Recorder(BIRTH, kafka).record(message, 3, is_repeated=False)
        assert record is not None
        assert record.key == b"900000000000000020"
        assert ("traptor-payload", form) in record.headers
    of_v1 = Outgoing(body=b"{}", tweet_id="1", rule_ids=())
    record = Recorder(BIRTH, kafka).record(of_v1, 3, is_repeated=False)
    assert record is not None
    assert "traptor-payload" not in dict(record.headers)


AS_TWEETS = replace(BIRTH, settings=replace(BIRTH.settings, payload="v1.1"))


def test_a_post_can_be_delivered_as_the_tweet_that_v1_would_have_sent() -> None:
    line = post_line(post_fields("a flood", lang="en"), "11", "12", traptor={"id_str": 9})
    pipeline, (message,) = handled(line, birth=AS_TWEETS)
    tweet = json.loads(message.body)
    assert (tweet["id_str"], tweet["text"], tweet["user"]) == (
        "900000000000000020",
        "a flood",
        {"id": 42, "id_str": "42"},
    )
    assert "data" not in tweet
    assert list(tweet)[-1] == "traptor"
    member = added(message)
    assert [one["rule_id"] for one in member["collection_rules"]] == ["1", "2"]
    assert member["created_at_iso"] == "2026-09-23T10:00:00+00:00"
    assert member["collection"]["api"] == "v2"
    assert (message.tweet_id, message.rule_ids) == ("900000000000000020", ("1", "2"))
    assert pipeline.counters(0).reads["posts"] == 1


def test_a_post_that_cannot_be_rebuilt_is_delivered_as_it_came() -> None:
    line = post_line(post_fields("x", geo={"coordinates": {"coordinates": [1]}}), "11")
    pipeline, (message,) = handled(line, birth=AS_TWEETS)
    assert message.body.startswith(line[:-1])
    assert message.payload == "native"
    assert pipeline.counters(0).errors == {"not rebuilt": 1}


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


def test_of_two_connections_the_second_copy_of_a_post_is_dropped_and_counted_as_such() -> None:
    line = post_line(post_fields("x", id="5"), "11")
    pipeline, messages = handled(line, line, birth=replace(BIRTH, pair="v2:app"))
    assert [added(message).get("repeated") for message in messages] == [None]
    counters = pipeline.counters(0)
    assert (counters.received, counters.repeated, counters.copies, counters.matched) == (1, 0, 1, 1)
    assert counters.reads["posts"] == 1


def test_a_post_that_stood_in_includes_before_is_no_repetition() -> None:
    quoted = post_fields("x", id="5")
    quote = post_line(post_fields("y", id="6"), "11", includes={"tweets": [quoted]})
    pipeline, messages = handled(quote, post_line(quoted, "11"))
    assert [added(message).get("repeated") for message in messages] == [None, None]
    assert pipeline.counters(0).reads == {"posts": 1, "included_posts": 1, "included_users": 0}


def test_what_was_read_is_written_down_when_the_delivery_says_so(tmp_path: Path) -> None:
    birth = replace(BIRTH, settings=replace(worker_settings(tmp_path), api="v2"))
    delivery = Kept()
    pipeline = PostPipeline(birth, delivery, None)  # type: ignore[arg-type]
    pipeline.open()
    state_dir = birth.settings.outbox.state_dir
    delivery.note()
    assert kept(state_dir, "v2:app", 3) is None, "nothing was read"
    pipeline.handle(post_line(post_fields(id="1"), "of somebody else"))
    pipeline.handle(post_line(post_fields(id="2"), "11"))
    delivery.note()
    found = kept(state_dir, "v2:app", 3)
    assert found is not None
    assert found.counts == ReadCounts(posts=2, foreign=1)


def test_reads_that_cannot_be_written_down_are_said_and_stop_no_post(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    birth = replace(BIRTH, settings=replace(worker_settings(tmp_path), api="v2"))
    state_dir = birth.settings.outbox.state_dir
    state_dir.mkdir(exist_ok=True)
    (state_dir / "reads").write_text("no folder")
    delivery = Kept()
    pipeline = PostPipeline(birth, delivery, None)  # type: ignore[arg-type]
    pipeline.open()
    for number in range(1, 4):
        pipeline.handle(post_line(post_fields(id=str(number)), "11"))
        delivery.note()
    assert len(delivery.messages) == 3
    assert caplog.messages.count("what was read cannot be written down") == 1


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
    pipeline.handle(post_line(post_fields("x"), "11"))
    assert pipeline.problem == ""
    pipeline.handle(b'{"errors":[{"title":"operational-disconnect","disconnect_type":"SlowReader"}]}')
    assert (pipeline.problem, pipeline.is_over) == ("SlowReader", True)
    pipeline.stream_opened()
    assert (pipeline.problem, pipeline.is_over) == ("", False)


def test_a_change_of_rules_is_used_from_the_next_post_on() -> None:
    pipeline, messages = handled(post_line(post_fields("x"), "11"))
    new = rule("track:0", "7", "hail")
    for piece in cut(1, change_to([new], [single("13", "track:0", "hail")])):
        pipeline.change_rules(piece)
    for filter_id in ("13", "11"):
        pipeline.handle(post_line(post_fields("x"), filter_id))
    assert [message.rule_ids for message in messages] == [("1",), ("7",), ("1",)]
    assert pipeline.rules_change == 1
    assert pipeline.newly_seen_filters() == ("11", "13")


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
    report = Report(
        at=1.0,
        activity=Activity.READING,
        activity_since=1.0,
        last_byte_at=1.0,
        safe_until=1.0,
        backlog=0,
        outbox_bytes=0,
        counters=counters,
    )
    assert from_worker(frame(report)[HEADER.size :]) == report


def test_a_post_beyond_the_rate_limits_of_its_rules_is_counted_and_not_delivered() -> None:
    settings = replace(BIRTH.settings, rate_limits=(("track:0", "0.0001 1"),))
    birth = replace(BIRTH, settings=settings)
    lines = [post_line(post_fields("storm"), "11")] * 2 + [post_line(post_fields("a flood"), "11", "12")]
    pipeline, messages = handled(*lines, birth=birth)
    assert [message.rule_ids for message in messages] == [("1",), ("2",)]
    counters = pipeline.counters(0)
    assert (counters.received, counters.held) == (3, 1)


class KeptTrial:
    """A trial that keeps every message."""

    payload = "v1.1"

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []

    def open(self) -> None:
        """Nothing is opened."""

    def send(self, message: Outgoing) -> None:
        self.messages.append(message)

    def counts(self) -> dict[str, int]:
        return {"accepted": len(self.messages)}


@pytest.mark.parametrize(("main", "other"), [("native", "v1.1"), ("v1.1", "native")])
def test_a_trial_gets_the_same_posts_in_the_other_form(main: str, other: str) -> None:
    kept, trial = Kept(), KeptTrial()
    trial.payload = other
    birth = replace(BIRTH, settings=replace(BIRTH.settings, payload=main))
    pipeline = PostPipeline(birth, kept, None, trial)  # type: ignore[arg-type]
    pipeline.open()
    broken = post_fields("x", id="7", geo={"coordinates": {"coordinates": [1]}})
    for line in (post_line(post_fields("storm"), "11"), post_line(broken, "11")):
        pipeline.handle(line)
    assert [message.payload for message in kept.messages] == [main, "native"]
    assert [message.payload for message in trial.messages] == [other, "native"]
    for one, same in zip(kept.messages, trial.messages, strict=True):
        assert (one.tweet_id, one.rule_ids, one.created_at_ms) == (
            same.tweet_id,
            same.rule_ids,
            same.created_at_ms,
        )
        assert added(one) == added(same)
    tweet = json.loads((kept if main == "v1.1" else trial).messages[0].body)
    assert (tweet["id_str"], tweet["text"]) == ("900000000000000020", "storm")
    counters = pipeline.counters(0)
    assert (counters.received, counters.errors, counters.trial) == (2, {"not rebuilt": 1}, {"accepted": 2})


def test_nothing_counts_as_safe_that_either_output_has_not_kept(tmp_path: Path) -> None:
    birth = replace(BIRTH, settings=replace(worker_settings(tmp_path), api="v2"))
    delivery, trial = Delivery(birth, GateSink()), TrialOutput(birth, GateSink())
    pipeline = PostPipeline(birth, delivery, None, trial)
    now = 5.0
    pipeline.follow(lambda: now)
    pipeline.open()
    with delivery._lock, trial._delivery._lock:  # their own threads commit nothing meanwhile
        pipeline.handle(post_line(post_fields("storm"), "11"))
        now = 9.0
        gathered = delivery.safe_until()
        delivery.keep()
        with_the_trial = delivery.safe_until()
        trial.keep()
        kept = delivery.safe_until()
    pipeline.drain(time.monotonic())
    assert (gathered, with_the_trial, kept) == (5.0, 5.0, 9.0)


VERSIONS = ["5", "6", "7"]


def versions() -> list[bytes]:
    """A post and its edits, as X sends them."""
    return [
        post_line(post_fields("storm", id=one, edit_history_tweet_ids=VERSIONS[: number + 1]), "11")
        for number, one in enumerate(VERSIONS)
    ]


@pytest.mark.parametrize("birth", [BIRTH, AS_TWEETS], ids=["native", "v1.1"])
def test_every_version_of_an_edited_post_is_delivered_and_names_the_first(birth: Birth) -> None:
    birth = replace(birth, settings=replace(birth.settings, repeated="drop"))
    _, messages = handled(*versions(), birth=birth)
    assert [message.tweet_id for message in messages] == VERSIONS
    assert [message.edit_of for message in messages] == [None, "5", "5"]
    bodies = [json.loads(message.body) for message in messages]
    if birth.settings.payload == "native":
        assert [body["data"]["edit_history_tweet_ids"] for body in bodies] == [
            VERSIONS[:1],
            VERSIONS[:2],
            VERSIONS,
        ]
    else:
        assert [body.get("edit_history") for body in bodies] == [
            None,
            {"initial_tweet_id": "5", "edit_tweet_ids": VERSIONS[:2]},
            {"initial_tweet_id": "5", "edit_tweet_ids": VERSIONS},
        ]


@pytest.mark.parametrize(("edits", "keys"), [("all", VERSIONS), ("last", ["5", "5", "5"])])
def test_all_versions_have_the_key_of_the_first_where_the_last_is_to_stay(
    edits: str, keys: list[str]
) -> None:
    kafka = KafkaSettings("127.0.0.1:1", "posts", False, (), (), Path())
    recorder = Recorder(replace(BIRTH, settings=replace(BIRTH.settings, edits=edits)), kafka)
    _, messages = handled(*versions())
    records = [recorder.record(message, 3, is_repeated=False) for message in messages]
    assert [record.key for record in records if record is not None] == [key.encode() for key in keys]
    named = [dict(record.headers).get("traptor-edit-of") for record in records if record is not None]
    assert named == [None, b"5", b"5"]


def test_the_later_name_of_the_history_counts_too() -> None:
    fields = post_fields("storm", id="6", edit_history_tweet_ids=None, edit_history_post_ids=["5", "6"])
    _, (message,) = handled(post_line(fields, "11"))
    assert message.edit_of == "5"


QUERY = packed("query", "track:b", ("flood", "hail")), packed("query", "track:0", ("storm",))
PIECE = SearchPiece(
    number=1,
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
        assert pipeline.take_recovered(post_line(post_fields("storm", id=f"6{number}"), "11")).is_new
    pipeline.handle(post_line(post_fields("storm", id="70"), "11"))
    pipeline.handle(post_line(post_fields("storm", id="71"), "11"))
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


def test_a_page_is_billed_once_a_day_with_what_came_over_the_stream() -> None:
    pipeline, _ = handled(post_line(post_fields("storm", id="5"), "11"))
    paid = pipeline.paid(["5", "6", "7"], ["8", "6"], 4)
    assert paid == {"posts": 2, "included_posts": 1, "included_users": 4}
    assert pipeline.counters(0).reads == {"posts": 3, "included_posts": 1, "included_users": 4}


def test_posts_of_a_gap_follow_a_change_of_rules() -> None:
    pipeline, messages = handled()
    pipeline.take_found(PIECE, found_line("storm", id="5"))
    new = rule("track:0", "7", "storm")
    for piece in cut(1, change_to([new], [single("13", "track:0", "storm")])):
        pipeline.change_rules(piece)
    pipeline.take_found(PIECE, found_line("storm", id="6"))
    assert [message.rule_ids for message in messages] == [("1",), ("7",)]


def test_what_is_no_post_is_counted_as_broken() -> None:
    pipeline, messages = handled()
    assert not pipeline.take_found(PIECE, b'{"data":{}}')
    assert (pipeline.counters(0).broken, messages) == (1, [])


def id_at(unix: float) -> str:
    return str(int(unix * 1000) - 1_288_834_974_657 << 22)


def test_a_recovered_post_is_delivered_for_the_filters_that_it_names_unless_it_came_before() -> None:
    pipeline, messages = handled(post_line(post_fields("storm", id="5"), "11"))
    again = pipeline.take_recovered(post_line(post_fields("storm", id="5"), "11"))
    assert (again.post_id, again.is_new, again.reads["posts"]) == ("5", False, 0)
    users = {"users": [{"id": "1"}, {"id": "2"}]}
    new = pipeline.take_recovered(post_line(post_fields("storm", id="6"), "11", includes=users))
    assert (new.post_id, new.is_new) == ("6", True)
    assert new.reads == {"posts": 1, "included_posts": 0, "included_users": 2}
    assert pipeline.take_recovered(post_line(post_fields("x", id="7"), "99")).is_new
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
    assert pipeline.take_recovered(ending).ends
    assert not pipeline.take_recovered(b"rubbish").ends
    assert (pipeline.problem, pipeline.is_over, messages) == ("", False, [])
    assert pipeline.counters(0).broken == 1


def test_posts_from_before_a_stream_with_a_backfill_are_those_of_its_gap() -> None:
    pipeline, messages = handled()
    pipeline.expect_past(1_790_000_000.0)
    for at in (1_789_999_990.0, 1_790_000_010.0, 1_789_999_990.0):
        pipeline.handle(post_line(post_fields("storm", id=id_at(at)), "11"))
    assert [added(message)["collection"].get("filled") for message in messages] == ["backfill", None]
    assert not any("repeated" in added(message) for message in messages)
    assert pipeline.past_taken(time.monotonic()) is None  # more may come
    counters = pipeline.counters(0)
    assert (counters.received, counters.repeated) == (3, 1)


def test_a_backfill_is_told_once_when_it_is_over_and_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, _ = handled()
    pipeline.expect_past(1_790_000_000.0)
    pipeline.handle(post_line(post_fields("storm", id=id_at(1_789_999_990.0)), "11"))
    monkeypatch.setattr(past, "QUIET_S", 0.0)
    assert pipeline.past_taken(0.0) is None  # not in the outbox yet
    told = pipeline.past_taken(time.monotonic())
    assert told is not None
    assert (told.number, told.end, told.posts, told.new) == (BACKFILLED, FillEnd.DONE, 1, 1)
    assert pipeline.past_taken(time.monotonic()) is None
    pipeline.handle(post_line(post_fields("storm", id=id_at(1_789_999_980.0)), "11"))


def test_a_new_stream_without_a_backfill_brings_no_past() -> None:
    pipeline, messages = handled()
    pipeline.expect_past(1_790_000_000.0)
    pipeline.stream_opened()
    pipeline.handle(post_line(post_fields("storm", id=id_at(1_789_999_990.0)), "11"))
    assert "filled" not in added(messages[0])["collection"]
    assert pipeline.past_taken(time.monotonic() + 100) is None
