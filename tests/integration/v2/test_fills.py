"""Gaps filled by X's full-archive search: every post of a gap comes once, at X's price, whoever is killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from support.collection import Collection, Json, Key
from support.v2 import SANDBOX, on_v2
from support.waiting import wait_for

Make = Callable[..., Collection]

SEARCHED = (*SANDBOX, "--v2-rate", "0", "--v2-search-lag", "0")
WORDS = ["storm", "flood warning", "#hail"]
USERS = [str(10_000 + number) for number in range(40)]


def filling(make_collection: Make, **twitter: object) -> Collection:
    """A collection that streams, and fills its gaps soon after."""
    collection = make_collection(Key("app"), sandbox=SEARCHED)
    collection.options["traptor"] = {"expand": "all"}
    on_v2(
        collection,
        **{"fill_gaps": "search", "fill_after": "2s", **twitter},
    )
    collection.add_rules("track:0", WORDS)
    collection.add_rules("follow:0", USERS)
    collection.start()
    collection.wait_streaming("v2:app")
    collection.sandbox.burst(200, [*WORDS, *USERS])  # a post tells that its filter is in effect
    wait_for(
        lambda: collection.status()["apps"][0]["rules_in_effect"] == len(WORDS) + len(USERS), "their effect"
    )
    return collection


def part(collection: Collection, posts: int) -> None:
    """Close the stream, and make posts that nobody reads."""
    x = collection.sandbox.v2
    x.fault("status", app="app", endpoint="stream", status=503)
    wait_for(lambda: x.fault("close", app="app")["struck"], "a stream is closed")
    wait_for(lambda: not collection.streaming(), "the gap")
    collection.sandbox.burst(posts, [*WORDS, *USERS])
    x.clear_faults("app")
    collection.wait_streaming("v2:app")


def fills(collection: Collection) -> list[Json]:
    return list(collection.status().get("fills", {}).get("fills", []))


def wait_filled(collection: Collection) -> Json:
    """Wait until all gaps are filled, and return the last."""
    return wait_for(
        lambda: (found := fills(collection)) and all(one["state"] == "done" for one in found) and found[-1],
        f"the gap is filled: {fills(collection)}",
    )


def due(collection: Collection) -> set[str]:
    """The posts that filters matched, but for the reposts that a search for words does not find."""
    forms = {tweet["id"]: tweet["form"] for tweet in collection.sandbox.tweets()}
    unread = [one for one in collection.sandbox.v2.matches() if not one["connections"]]
    lost = {one["id"] for one in unread if forms[one["id"]] == "track:in_retweeted"}
    return {one["id"] for one in collection.sandbox.v2.matches()} - lost


def billed(collection: Collection) -> float:
    return float(sum(day["dollars"] for day in collection.sandbox.v2.bill()))


def counted(collection: Collection) -> float:
    return float(collection.status()["apps"][0]["today"]["dollars"])


def test_every_post_of_a_gap_comes_once_and_costs_what_x_says(make_collection: Make) -> None:
    collection = filling(make_collection)
    part(collection, 300)
    collection.sandbox.burst(100, [*WORDS, *USERS])
    fill = wait_filled(collection)
    wait_for(lambda: due(collection) <= set(ids(collection)), "every post")
    assert set(Counter(ids(collection)).values()) == {1}
    by_search = [post for post in collection.messages("v2:app") if "filled" in post["traptor"]["collection"]]
    assert len(by_search) == fill["posts"] > 200
    assert {post["traptor"]["collection"]["filled"] for post in by_search} == {"search"}
    assert all(post["traptor"]["collection_rules"] for post in by_search)
    wait_for(lambda: abs(billed(collection) - counted(collection)) < 0.001, "our count is X's bill")
    collection.wait_log("a gap is being filled", "queries=")
    collection.wait_log("a gap is filled", f"posts={fill['posts']}")


def ids(collection: Collection) -> list[str]:
    return [post["data"]["id"] for post in collection.messages("v2:app")]
