"""What comes over the stream is delivered as it came, or counted by kind; nothing in it ends the stream."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from support.collection import Collection, Json, Key
from support.v2 import SANDBOX, bearer, bill, connects, filters, make_posts, on_v2
from support.waiting import wait_for
from support.witness import Witness, native

Make = Callable[..., Collection]

POSTS = 10_000
WORDS = ("storm", "嵐", "🌪")


def started(collection: Collection, *words: str) -> Collection:
    """Have it stream, with the filters of these words."""
    on_v2(collection)
    collection.add_rules("track:0", words)
    collection.start()
    collection.wait_streaming("v2:app")
    wait_for(lambda: len(filters(collection)) == len(words), "a filter for each word")
    return collection


def counters(collection: Collection) -> Json:
    return dict(collection.connection("v2:app")["serving"]["counters"])


@pytest.mark.long
@pytest.mark.parametrize(("framing", "posts"), [("plain", POSTS), ("chunked", 2_000)])
def test_whatever_chunks_posts_come_in_their_bytes_are_delivered(
    make_collection: Make, framing: str, posts: int
) -> None:
    """Plain chunks end inside characters, compressed ones anywhere; several posts come in one chunk.

    The app's other connection is read by plain means: what came over it is what should be delivered.
    """
    options = ("--chunking", "odd", "--framing", framing, "--v2-connections", "2", "--queue", "100000")
    collection = make_collection(Key("app"), sandbox=(*SANDBOX, "--v2-rate", "0", *options))
    started(collection, *WORDS)
    [ours] = collection.sandbox.v2.connections()
    assert ours["gzip"] == (framing == "chunked")
    witness = Witness(collection.sandbox.url, bearer(collection), ours["query"])
    assert witness.content_type == "application/json", "no charset"
    matches = make_posts(collection, posts, *WORDS)
    wait_for(lambda: counters(collection)["delivered"] >= len(matches), "all are delivered")
    wait_for(lambda: len(witness.lines) >= len(matches), "the witness has all")
    delivered = (collection.output / "v2:app.jsonl").read_bytes().splitlines()
    assert list(map(native, delivered)) == witness.lines
    ids = [json.loads(line)["data"]["id"] for line in delivered]
    assert ids == [match["id"] for match in matches]
    assert len(set(ids)) == len(ids) >= posts
    for word in WORDS[1:]:
        assert sum(word.encode() in line for line in delivered) > posts / 10, word
    assert counters(collection)["broken"] == 0
    assert [one["status"] for one in connects(collection)] == [200, 200], "one for the witness"
    witness.close()


@pytest.mark.long
def test_lines_that_are_no_posts_are_counted_by_kind_and_end_nothing(make_collection: Make) -> None:
    collection = started(make_collection(Key("app"), sandbox=(*SANDBOX, "--v2-rate", "0")), "storm")
    before = collection.streaming()
    x = collection.sandbox.v2
    x.fault("rubbish", app="app")
    x.fault("garbage", app="app")
    x.fault("partial_errors", app="app", times=1)
    matches = make_posts(collection, 20, "storm")
    wait_for(lambda: counters(collection)["delivered"] == len(matches), "all posts")
    counted = counters(collection)
    assert counted["received"] == len(matches)
    # {"errors": [...]} and a bare problem, connection_metadata, {}:
    assert counted["other"] == {"problems": 2, "connection_metadata": 1, "unknown": 1}
    assert counted["broken"] == 5, "null, [], 2 MB, a broken line and a binary one"
    assert counted["errors"] == {"unexpected": 2, "resource-not-found": 1}
    posts = collection.messages("v2:app")
    assert [post["data"]["id"] for post in posts] == [match["id"] for match in matches], "only posts"
    assert sum("errors" in post for post in posts) == 1, "the one with partial errors too"
    assert [one["status"] for one in connects(collection)] == [200], "no reconnect"
    assert collection.streaming() == before
    wait_for(lambda: counters(collection)["reads"] == bill(collection), "our count is X's bill")
