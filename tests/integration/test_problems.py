"""What keeps rules uncollected is in the log at its beginning and its end, and in the status between."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.collection import Collection, Json, Key
from support.waiting import wait_for

Make = Callable[..., Collection]


def problems(collection: Collection) -> dict[tuple[str, str], Json]:
    return {(one["what"], one["name"]): one for one in collection.status().get("problems", ())}


def test_a_part_without_a_key_is_said_until_a_key_comes(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {"twitter": {"track_limit": 2}}
    collection.add_rules("track:0", ["storm", "flood", "hail"])
    collection.start()
    collection.wait_streaming("track:0")
    line = collection.wait_log(" ERROR ", "rules are not collected", "connection=track:0.2 ", "rules=1 ")
    assert 'why="no key is free"' in line
    assert 'todo="add a key' in line
    problem = wait_for(lambda: problems(collection).get(("connection", "track:0.2")), "it is in the status")
    assert (problem["level"], problem["why"], problem["rules"]) == ("ERROR", "no key is free", 1)
    assert "nothing streams" not in collection.log()
    assert problem["sentence"].startswith("track:0.2 NOT COLLECTING 1 rule since ")
    assert collection.status()["health"] == "degraded"
    collection.keys.append(Key("k2"))
    collection.set_accounts()
    collection.write_ini()
    collection.wait_log(" INFO ", "rules no longer wait", "connection=track:0.2")
    wait_for(lambda: not problems(collection), "all is well")
    assert collection.log().count("rules are not collected") == 1


def test_wrong_secrets_of_all_keys_are_an_error_that_names_them(make_collection: Make) -> None:
    """The last line was once that the workers ended as they were told."""
    collection = make_collection(Key("k1"), Key("k2"))
    collection.sandbox.set_accounts([Key("good").account()])
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_log(" ERROR ", "nothing streams", "connections=1", "rules=1", "keys are quarantined")
    line = collection.wait_log(" ERROR ", "rules are not collected", "connection=track:0 ", 'key="k1, k2"')
    assert "until=" in line
    assert "check the key's secrets" in line
    for key in ("k1", "k2"):
        quarantined = collection.wait_log(" WARNING ", "key cannot be used", f"key={key} ", "401/403")
        assert "until=" in quarantined
        collection.wait_log("connect failed", f"key={key} ", "status=401")
    collection.keys = [Key("good")]
    collection.write_ini()
    for event in ("rules no longer wait", "standstill is over", "key trouble is over"):
        collection.wait_log(" INFO ", event)


@pytest.mark.long
def test_spent_connects_are_said_with_key_and_time_and_booked_as_that(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {"twitter": {"connects": 1, "connects_window": "8s"}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    collection.sandbox.fault("close", times=1)
    line = collection.wait_log(" ERROR ", "rules are not collected", "connection=track:0 ", "key=k1 ")
    assert 'why="1 of 1 connects in 8 s are used"' in line
    assert "until=" in line
    collection.wait_log(" INFO ", "rules no longer wait", "connection=track:0")
    assert "budget" in [gap["cause"] for gap in collection.gaps("track:0")]


@pytest.mark.long
def test_a_420_is_said_of_the_key_though_a_spare_streams(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"))
    collection.options = {"twitter": {"rate_limit_backoff": "4s"}}
    collection.sandbox.fault("status", status=420, times=1)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    line = collection.wait_log(" WARNING ", "key cannot be used", "420 or 429")
    assert "until=" in line
    collection.wait_log(" INFO ", "key trouble is over")
