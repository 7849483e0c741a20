"""Posts of every kind that X sends are found for their rules, and keep the bytes in which they came."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from support.collection import Collection, Json, Key
from support.v2 import (
    SANDBOX,
    bearer,
    credited,
    filters,
    found_for,
    on_v2,
    post_until_collected,
    wait_filters,
)
from support.waiting import wait_for
from support.witness import Witness, native

Make = Callable[..., Collection]


WORDS = ["storm", "flood", "hail"]
LONGEST = 3_800  # of X's notes: they have up to 4,000 characters


def kinds_of(post: Json) -> set[str]:
    """What a post is, of those in which a word is not easily found."""
    data = post["data"]
    references = {one["type"] for one in data.get("referenced_tweets", ())}
    kinds = {"edited"} if len(data["edit_history_tweet_ids"]) > 1 else set()
    note = data.get("note_tweet", {}).get("text", "")
    if note and "storm" not in data["text"].lower():  # it comes after character 280
        kinds |= {"note", "long note"} if len(note) > LONGEST else {"note"}
    for included in post.get("includes", {}).get("tweets", ()):
        if "storm" in included.get("note_tweet", {}).get("text", "").lower():
            kinds |= {f"{kind} note" for kind in references}
    return kinds


@pytest.mark.long
@pytest.mark.parametrize("filters_allowed", [1_000, 2], ids=["single", "packed"])
def test_a_note_its_repost_its_quote_and_an_edited_post_are_found_and_keep_their_bytes(
    make_collection: Make, filters_allowed: int
) -> None:
    sandbox = (*SANDBOX, "--v2-rate", "0", "--v2-connections", "2", "--queue", "100000")
    collection = on_v2(make_collection(Key("app"), sandbox=sandbox), rules_per_app=filters_allowed)
    collection.options["traptor"]["expand"] = "posts"
    collection.add_rules("track:0", WORDS)
    collection.start()
    collection.wait_streaming("v2:app")
    x = collection.sandbox.v2
    post_until_collected(collection, *WORDS)
    [connection] = x.connections()
    witness = Witness(collection.sandbox.url, bearer(collection), connection["query"])
    earlier = len(list(x.matches()))
    collection.sandbox.burst(700, [{"type": "track", "value": "storm"}])
    notes = [one["id"] for one in collection.sandbox.tweets() if one["form"] == "beyond_280"]
    collection.sandbox.edit(*notes[:10])

    matches = list(x.matches())[earlier:]
    wait_for(lambda: len(collection.messages("v2:app")) == earlier + len(matches), "all posts")
    wait_for(lambda: len(witness.lines) == len(matches), "all posts for the witness")
    witness.close()
    lines = (collection.output / "v2:app.jsonl").read_bytes().splitlines()[earlier:]
    assert list(map(native, lines)) == witness.lines
    found = credited(collection)
    assert all("storm" in found[match["id"]] for match in matches)
    if filters_allowed == 1_000:
        assert found == found_for(collection)
    else:
        assert len(filters(collection)) == 1
    kinds = set().union(*map(kinds_of, collection.messages("v2:app")))
    assert kinds == {"note", "long note", "edited", "retweeted note", "quoted note"}


@pytest.mark.long
def test_a_post_for_five_filters_comes_once_with_all_five_rules(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=(*SANDBOX, "--v2-rate", "0")))
    of_groups = {"track:0": ["storm", "flood", "storm flood"], "track:1": ["hail", "storm hail"]}
    for group, values in of_groups.items():
        collection.add_rules(group, values)
    collection.start()
    collection.wait_streaming("v2:app")
    x = collection.sandbox.v2
    wait_filters(collection, *(value for values in of_groups.values() for value in values))
    wait_for(lambda: all(one["in_effect_at"] < time.time() for one in x.filters()), "their effect")
    collection.sandbox.burst(100, [{"type": "track", "value": "storm flood hail"}])
    wait_for(lambda: len(collection.messages("v2:app")) == len(list(x.matches())) > 0, "all posts")
    assert credited(collection) == found_for(collection)
    assert len(credited(collection)) == len(collection.messages("v2:app")), "each once"
    assert sum(len(match["filters"]) == 5 for match in x.matches()) > 50
