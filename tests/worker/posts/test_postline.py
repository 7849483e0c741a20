"""The kind of any line of an API v2 stream."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.making_posts import head_of, post_fields, post_line

from traptor.worker.posts.head import PostHead, edits_of
from traptor.worker.posts.postline import (
    LineKind,
    OtherLine,
    name_of,
    partial_errors,
    read_line,
    whole_post,
)

DISCONNECT = {
    "title": "operational-disconnect",
    "disconnect_type": "UpstreamOperationalDisconnect",
    "type": "https://api.twitter.com/2/problems/operational-disconnect",
}
ISSUE = {"title": "ConnectionException", "connection_issue": "TooManyConnections", "type": "https://x/a"}
ERROR = {"title": "Internal Error", "type": "https://api.x.com/2/problems/unexpected", "detail": "..."}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(["data", "errors", "title", "type", "includes", "matching_rules", "id", "traptor"])


@pytest.mark.parametrize(
    ("document", "kind", "names"),
    [
        ({"errors": [DISCONNECT]}, LineKind.DISCONNECT, ["UpstreamOperationalDisconnect"]),
        (
            {"errors": [ERROR, DISCONNECT]},
            LineKind.DISCONNECT,
            ["UpstreamOperationalDisconnect", "unexpected"],
        ),
        (
            {"errors": [{**DISCONNECT, "disconnect_type": None}]},
            LineKind.DISCONNECT,
            ["operational-disconnect"],
        ),
        ({"errors": [{"title": "operational-disconnect"}]}, LineKind.DISCONNECT, ["operational-disconnect"]),
        (DISCONNECT, LineKind.DISCONNECT, ["UpstreamOperationalDisconnect"]),
        ({**DISCONNECT, "disconnect_type": "Never heard of"}, LineKind.DISCONNECT, ["Never heard of"]),
        (ISSUE, LineKind.DISCONNECT, ["TooManyConnections"]),
        ({"errors": [ISSUE]}, LineKind.DISCONNECT, ["TooManyConnections"]),
        ({"errors": [ERROR]}, LineKind.PROBLEMS, ["unexpected"]),
        (ERROR, LineKind.PROBLEMS, ["unexpected"]),
        ({"errors": [{"message": "..."}]}, LineKind.PROBLEMS, ["unnamed"]),
        ({"type": "connection_metadata"}, LineKind.METADATA, []),
        ({"errors": []}, LineKind.UNKNOWN, []),
        ({"errors": "x"}, LineKind.UNKNOWN, []),
        ({"data": {"id": None}}, LineKind.UNKNOWN, []),
        ({"data": [1]}, LineKind.UNKNOWN, []),
        ({}, LineKind.UNKNOWN, []),
        (None, LineKind.BROKEN, []),
        ([], LineKind.BROKEN, []),
        ("text", LineKind.BROKEN, []),
    ],
)
def test_the_lines_that_x_sends(document: object, kind: LineKind, names: list[str]) -> None:
    found = read_line(json.dumps(document).encode())
    assert isinstance(found, OtherLine)
    assert (found.kind, [name_of(one) for one in found.problems]) == (kind, names)


@pytest.mark.parametrize(
    "line", [b"x" * (2 << 20), b"\xff\xfe", b'{"data":', b"[" * 100_000, b"NaN", b'{"a":"\xff"}']
)
def test_rubbish_is_broken(line: bytes) -> None:
    assert read_line(line) == OtherLine(LineKind.BROKEN)


def test_a_post_with_partial_errors_is_a_post() -> None:
    head = head_of(post_line(post_fields("a"), "1", errors=[{"title": "Not Found Error", "type": "x/y"}]))
    assert [name_of(one) for one in partial_errors(head)] == ["y"]
    for errors in ([], None, "x", {"title": "a"}):
        head = head_of(post_line(post_fields("a"), errors=errors))
        assert partial_errors(head) == ()


def test_a_post_with_undocumented_types_is_still_a_post() -> None:
    raw = post_line(
        post_fields("a", id=900000000000000020, author_id=42, entities=[], geo="x", note_tweet=7),
        "1",
        includes={"tweets": [1, {"id": "5", "text": "b"}], "users": "x"},
        errors=[{"title": "odd"}],
    )
    head, whole = head_of(raw), whole_post(raw)
    assert (head.post.id, head.post.author_id, whole.post.text) == ("900000000000000020", "42", "a")
    assert [one.id for one in head.matching_rules or ()] == ["1"]
    assert [one.id for one in head.included_posts if one.id] == ["5"]
    assert [name_of(one) for one in partial_errors(head)] == ["odd"]
    included = whole.included_post("5")
    assert included is not None
    assert included.text == "b"


def test_half_a_surrogate_pair_does_not_lose_the_post() -> None:
    raw = (
        b'{"data":{"id":"1","text":"\\ud83d","note_tweet":{"text":"\\ud83d"}},"matching_rules":[{"id":"2"}]}'
    )
    assert head_of(raw).post.id == "1"
    assert whole_post(raw).post.text == "?"


def test_half_a_surrogate_pair_in_a_list_does_not_lose_the_post() -> None:
    odd = {"edit_history_tweet_ids": ["\ud83d"], "geo": {"coordinates": {"coordinates": ["\ud83d"]}}}
    raw = json.dumps({"data": post_fields("a", **odd)}).encode()
    assert edits_of([head_of(raw).post]) == ["?"]
    assert whole_post(raw).post.text == "a"


@given(st.dictionaries(MEMBERS, JSON, max_size=4), st.binary(max_size=3))
def test_no_line_is_fatal(document: dict[str, object], more: bytes) -> None:
    for line in (json.dumps(document).encode(), json.dumps(document).encode() + more, more):
        found = read_line(line)
        if isinstance(found, PostHead):
            assert found.post.id
            whole_post(line)
