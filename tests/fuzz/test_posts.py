"""Whatever comes over a stream of posts, after a backfill too, is delivered as JSON or counted."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.births import worker_settings
from support.fuzzing import JSON_VALUES, examples, line_of, mangled, paths, replaced
from support.making_posts import post_fields, single
from support.making_tweets import rule
from support.postpipelines import Kept

from traptor.common.birth import Birth
from traptor.worker.postpipeline import PostPipeline
from traptor.worker.posts.past import written_at

OPENED = 1_790_000_000.0
BIRTH = Birth(
    "v2:app",
    1,
    None,
    (rule("track:0", "1", "storm"),),
    replace(worker_settings(Path(os.devnull)), api="v2"),
    filters=(single("11", "track:0", "storm"),),
)
POST: dict[str, Any] = {
    "data": post_fields("storm", referenced_tweets=[{"type": "quoted", "id": "9"}]),
    "includes": {"tweets": [post_fields("q", id="9")], "users": [{"id": "42", "username": "bo"}]},
    "matching_rules": [{"id": "11", "tag": ""}],
}
PATHS = tuple(paths(POST))
DIGITS = st.integers(0, 10**25).map(str) | st.integers(1, 6_000).map(lambda count: "9" * count)


@st.composite
def odd_posts(draw: st.DrawFn) -> dict[str, Any]:
    """A post in which any value is another, and ids have any length."""
    post = POST
    for path in draw(st.lists(st.sampled_from(PATHS), max_size=3)):
        with suppress(KeyError, IndexError, TypeError):  # an earlier one took it away
            post = replaced(post, path, draw(st.one_of(JSON_VALUES, DIGITS)))
    if isinstance(post.get("data"), dict) and draw(st.booleans()):
        post = {**post, "data": {**post["data"], "id": draw(DIGITS)}}
    return post


WHOLE_LINES = odd_posts().map(lambda post: line_of(post, False, ","))
LINES = st.one_of(WHOLE_LINES, WHOLE_LINES.flatmap(mangled)).map(
    lambda line: line.translate(None, b"\r\n") or b" "
)


@examples(150)
@given(line=LINES, expects_past=st.booleans())
def test_any_line_is_delivered_as_json_or_counted(line: bytes, expects_past: bool) -> None:
    kept = Kept()
    pipeline = PostPipeline(BIRTH, kept, None)  # type: ignore[arg-type]
    pipeline.open()
    if expects_past:
        pipeline.expect_past(OPENED)
    pipeline.handle([line])
    counters = pipeline.counters(log_lost=0)
    assert counters.received + counters.broken + sum(counters.other.values()) == 1
    assert len(kept.messages) == counters.received
    for message in kept.messages:
        assert list(json.loads(message.body))[-1] == "traptor"
    at = written_at(pipeline.take_recovered(7, line).post_id)
    assert at is None or at > 0
