"""From rules to delivered posts: every post that X's filters find comes once, with rules and price."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.collection import Collection, Json, Key
from support.v2 import SANDBOX, filters, on_v2
from support.waiting import wait_for

from traptor.supervisor.filters.language.reading import read_filter

Make = Callable[..., Collection]

WORDS = ["storm", "flood warning", "#hail", "嵐"]
USERS = [str(10_000 + number) for number in range(40)]


def rules_of(post: Json) -> set[str]:
    return {rule["value"] for rule in post["traptor"]["collection_rules"]}


def parts(value: str) -> int:
    """How many values a filter stands for."""
    read = read_filter(value)
    assert read is not None
    return len(read.clauses)


def id_of(post: Json, payload: str) -> str:
    return str(post["id_str"] if payload == "v1.1" else post["data"]["id"])


def of_redis(collection: Collection, name: str) -> dict[str, int]:
    counts = collection.redis.hgetall(f"traptor:totals:{name}")
    return {field.decode(): int(count) for field, count in counts.items()}  # type: ignore[union-attr]


@pytest.mark.parametrize("payload", ["native", pytest.param("v1.1", marks=pytest.mark.long)])
def test_posts_come_once_with_the_rules_of_their_filters_and_their_price(
    make_collection: Make, payload: str
) -> None:
    collection = make_collection(Key("app"), sandbox=(*SANDBOX, "--v2-rate", "0"))
    collection.options["traptor"] = {"expand": "all", "payload": payload}
    on_v2(collection)
    collection.add_rules("track:0", WORDS)
    collection.add_rules("follow:0", USERS)
    collection.start()
    collection.wait_streaming("v2:app")
    x = collection.sandbox.v2
    wait_for(lambda: len(WORDS) + len(USERS) == sum(map(parts, filters(collection))), "the filters")
    wait_for(lambda: all(one["in_effect_at"] for one in x.filters()), "their effect")
    meant = {
        one["id"]: {str(clause) for clause in read_filter(one["value"]).clauses}  # type: ignore[union-attr]
        for one in x.filters()
    }
    collection.sandbox.burst(600, [*WORDS, *USERS])
    matches = list(x.matches())
    assert len(matches) > 400
    wait_for(lambda: len(collection.messages("v2:app")) == len(matches), "all posts")
    posts = {id_of(post, payload): post for post in collection.messages("v2:app")}
    assert list(posts) == [match["id"] for match in matches]
    made_for = {tweet["id"]: set(tweet["for"]) for tweet in collection.sandbox.tweets()}
    for match in matches:
        found = rules_of(posts[match["id"]])
        clauses = set().union(*(meant[key] for key in match["filters"]))
        users = {user for user in USERS if any(f"from:{user} " in clause for clause in clauses)}
        assert found
        assert found <= {*WORDS, *users}
        assert made_for[match["id"]] & users <= found
    counted(collection, posts)


def counted(collection: Collection, posts: dict[str, Json]) -> None:
    """The counters in Redis, and the bill, say the same."""
    by_rule: dict[str, int] = {}
    for post in posts.values():
        for rule in post["traptor"]["collection_rules"]:
            group = "track:0" if rule["value"] in WORDS else "follow:0"
            name = f"{group}:{rule['rule_id']}"
            by_rule[name] = by_rule.get(name, 0) + 1
    for group in ("track:0", "follow:0"):
        expected = {name: count for name, count in by_rule.items() if name.startswith(group)}
        wait_for(
            lambda name=group, wanted=expected: wanted.items() <= of_redis(collection, name).items(),
            f"the totals of {group}",
        )
    assert of_redis(collection, "v2:app")["received"] == len(posts)
    wait_for(lambda: reads_of(collection) == billed(collection), "our count is X's bill")


def reads_of(collection: Collection) -> dict[str, int]:
    return dict(collection.connection("v2:app")["total"]["reads"])


def billed(collection: Collection) -> dict[str, int]:
    rows = collection.sandbox.v2.bill()
    return {kind: sum(row[kind] for row in rows) for kind in ("posts", "included_posts", "included_users")}
