"""Rules change while the stream goes on: the same connection, the same process, nothing lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
import redis
from support.collection import Collection, Json, Key
from support.v2 import SANDBOX, connects, credited, filters, found_for, on_v2, posts_for, wait_filters
from support.waiting import wait_for

Make = Callable[..., Collection]

FOLLOWED = "from:12 OR to:12 OR retweets_of:12"
WORDS = [f"w{number}" for number in range(50)]


def redis_cli(collection: Collection, *command: str) -> None:
    """Do what a call of `redis-cli` does: one command over a connection of its own."""
    with redis.Redis.from_url(collection.redis_url) as client:
        client.execute_command(*command)


@pytest.mark.long
def test_fifty_rules_come_and_go_under_one_stream_and_no_post_is_lost(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=(*SANDBOX, "--v2-rate", "0")))
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("follow:0", ["12"])
    collection.start()
    before = collection.wait_streaming("v2:app")
    assert collection.connection("v2:app")["groups"] == ["follow:0", "track:0"]
    x = collection.sandbox.v2
    with posts_for(collection, "storm", *WORDS):
        for number, word in enumerate(WORDS):
            rule = f"traptor-track:0:n{number}"
            redis_cli(collection, "HSET", rule, "rule_id", f"n{number}", "value", word, "rule_type", "track")
            redis_cli(collection, "PUBLISH", "traptor-notify", "track:0")
        wait_filters(collection, "storm", FOLLOWED, *WORDS)
        wait_for(lambda: {("storm",), *((word,) for word in WORDS)} <= found(collection), "all find posts")
        for number in range(len(WORDS)):
            redis_cli(collection, "DEL", f"traptor-track:0:n{number}")
            redis_cli(collection, "PUBLISH", "traptor-notify", "track:0")
        wait_filters(collection, "storm", FOLLOWED)
        latest = max(one["gone_at"] for one in x.filters() if one["value"] in WORDS)
        wait_for(lambda: any(match["at"] > latest for match in x.matches()), "posts come after that")
    wait_for(lambda: set(credited(collection)) == set(found_for(collection)), "every post is delivered")
    assert credited(collection) == found_for(collection)
    assert len(collection.messages("v2:app")) == len(credited(collection)), "each once"
    assert collection.streaming() == before
    assert [one["status"] for one in connects(collection)] == [200]
    assert filters(collection) == {"storm", FOLLOWED}
    [connection] = x.connections()
    assert (connection["closed_at"], connection["posts"]) == (None, len(found_for(collection)))


WRONG_SUFFIX, RIGHT_SUFFIX = "track:* -is:retwet", "track:* -is:retweet"


@pytest.mark.long
def test_a_slip_in_a_suffix_costs_no_filter_that_stands(make_collection: Make) -> None:
    """X refuses each filter with it; those of before stay, and their posts go on, over a kill too."""
    words = WORDS[:12]
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX))
    collection.add_rules("track:0", words)
    collection.start()
    pid = collection.wait_streaming("v2:app")["v2:app"]
    wait_filters(collection, *words)
    x, traptor = collection.sandbox.v2, collection.options["traptor"]
    changes = len(changes_of(collection))
    traptor["suffix"] = WRONG_SUFFIX
    collection.write_ini()
    line = collection.wait_log("suffix refused")
    assert "ERROR" in line
    assert "rules=12" in line
    assert "[traptor] suffix `-is:retwet`: " in line
    assert len(changes_of(collection)) - changes == 3, "no more are tried"
    assert all(one["deleted_at"] is None for one in x.filters())
    os.kill(pid, signal.SIGKILL)
    collection.wait_new_pid("v2:app", pid)
    with posts_for(collection, *words):
        wait_for(lambda: {(word,) for word in words} <= found(collection), "all are found")
    traptor["suffix"] = RIGHT_SUFFIX
    collection.write_ini()
    wait_filters(collection, *(f"({word}) -is:retweet" for word in words))
    collection.wait_log("suffix is no longer refused")
    assert "rule rejected" not in collection.log()


def changes_of(collection: Collection) -> list[Json]:
    return collection.sandbox.v2.requests("rules_change")


def found(collection: Collection) -> set[tuple[str, ...]]:
    """What posts were found for so far."""
    return {tuple(values) for values in found_for(collection).values()}
