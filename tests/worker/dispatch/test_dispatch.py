"""The forms in which a post is delivered, and its versions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support.making_posts import head_of, post_fields, post_line, single
from support.making_tweets import rule
from support.postpipelines import AS_TWEETS, BIRTH, Kept, added, handled

from traptor.common.birth import Birth, KafkaSettings
from traptor.worker.outbox.message import Outgoing
from traptor.worker.postpipeline import PostPipeline
from traptor.worker.sinks.kafka.record import Recorder


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


class KeptTrial:
    """A trial that keeps every message."""

    payload = "v1.1"

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []

    def open(self) -> None:
        """Nothing is opened."""

    def gather(self, messages: Sequence[Outgoing]) -> None:
        self.messages += messages

    def hand_over(self) -> None:
        """Everything is kept as it comes."""

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
        pipeline.handle([line])
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


def test_only_what_is_no_copy_of_rules_is_kept_for_the_next_post_with_the_same_rules() -> None:
    also = rule("track:0", "3", "hail", "flood")
    birth = replace(
        BIRTH,
        rules=(*BIRTH.rules, also),
        filters=(single("11", "track:0", "storm"), single("13", "track:0", "hail", "storm")),
    )
    lines = [post_line(post_fields("x", id=one), named) for one, named in (("1", "11"), ("2", "13"))]
    pipeline, messages = handled(*lines, birth=birth)
    assert [message.rule_ids for message in messages] == [("1",), ("3", "1")]
    edition = pipeline._dispatch.edition
    labels = [edition.attribute(head_of(line), line).label for line in lines]
    assert [label and label.rule_ids for label in labels] == [("1",), None]
    assert labels[0] is not None
    assert labels[0].members is birth.rules[0].json


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
