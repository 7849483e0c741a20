"""What an operator orders through the API is carried out, shown, and never taken for a fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.collection import Collection, Key
from support.control import get, lines, post
from support.seen import attempts
from support.waiting import wait_for

Make = Callable[..., Collection]


@pytest.fixture
def collection(make_collection: Make) -> Collection:
    """follow:0 and track:0 on k1 and k2, and a spare."""
    one = make_collection(Key("k1"), Key("k2"), Key("k3"), sandbox=("--rate", "20"))
    one.add_rules("track:0", {"r1": "storm"})
    one.add_rules("follow:0", {"f1": "12", "f2": "13"})
    one.sandbox.set_rules([("track", "storm")])
    one.start()
    one.wait_streaming("follow:0", "track:0")
    return one


def path_of(collection: Collection) -> Path:
    return collection.run_dir / "control.sock"


def explained(collection: Collection, query: str) -> dict[str, Any]:
    status, body = get(path_of(collection), f"/api/explain?{query}")
    assert status == 200, body
    answer: dict[str, Any] = json.loads(body)
    return answer


def test_a_restart_replaces_that_worker_without_a_gap_and_no_other(collection: Collection) -> None:
    before = collection.streaming()
    for _ in range(2):
        old = collection.streaming()["track:0"]
        status, answer = post(path_of(collection), "/api/connections/track:0/restart")
        assert (status, answer["order"], answer["pid"]) == (202, "restart", old)
        collection.wait_new_pid("track:0", old)
    assert collection.streaming()["follow:0"] == before["follow:0"]
    gaps = lines(path_of(collection), "gaps", connection="track:0")
    assert {gap["cause"] for gap in gaps} == {"start"}
    assert post(path_of(collection), "/api/connections/track:9/restart")[0] == 404


def test_a_stopped_connection_stays_so_over_a_restart_and_is_no_fault(collection: Collection) -> None:
    path = path_of(collection)
    assert post(path, "/api/connections/track:0/stop")[0] == 202
    collection.wait_streaming("follow:0")
    collection.wait_state("track:0", "STOPPED")
    wait_for(lambda: collection.connection("track:0")["serving"] is None, "its worker is gone")
    [*_, gap] = lines(path, "gaps", connection="track:0")
    assert (gap["cause"], gap["open"]) == ("operator_stop", True)
    assert post(path, "/api/connections/track:0/restart")[0] == 409
    assert collection.stop() == 0
    collection.start()
    collection.wait_streaming("follow:0")
    collection.wait_state("track:0", "STOPPED")
    assert " ERROR " not in collection.log()
    assert post(path, "/api/connections/track:0/start")[0] == 202
    collection.wait_streaming("follow:0", "track:0")
    assert post(path, "/api/connections/track:0/start")[0] == 409


def test_a_reload_is_foreseen_made_and_answered(collection: Collection) -> None:
    path = path_of(collection)
    before = collection.streaming()
    status, body = get(path, "/api/plan")
    assert status == 200
    foreseen = json.loads(body)
    assert foreseen["refused"] == foreseen["connections"] == []
    collection.keys[0] = Key("k1", consumer_secret="SECRET-another")
    collection.options = {"redis": {"stats": "no"}, "supervisor": {"hang_timeout": "33s"}}
    (collection.folder / "new.ini").write_text("")  # nothing watches it
    serving = next(c for c in collection.status()["connections"] if c["serving"]["key"] == "k1")
    collection.write_ini()
    status, outcome = post(path, "/api/reload", {"accept_empty": False})
    assert (status, outcome["refused"]) == (200, [])
    for name, pid in before.items():
        collection.wait_new_pid(name, pid)
    assert serving["connection"] in before
    collection.options["supervisor"]["hang_timeout"] = "soon"
    collection.write_ini()
    foreseen = json.loads(get(path, "/api/plan")[1])
    assert "[supervisor] hang_timeout" in foreseen["refused"][0]
    status, refused = post(path, "/api/reload")
    assert (status, refused["title"]) == (409, "Conflict")
    assert "[supervisor] hang_timeout" in refused["errors"][0]
    assert post(path, "/api/reload", {"accept": 1})[0] == 400


def test_rules_that_vanished_are_dropped_when_the_operator_says_so(collection: Collection) -> None:
    path = path_of(collection)
    collection.remove_rules("track:0", ["r1"])
    wait_for(lambda: "rules suspect" in collection.log(), "noticed")
    assert json.loads(get(path, "/api/plan")[1])["suspect"] == ["track:0"]
    assert post(path, "/api/reload")[1]["accepted"] == []
    assert set(collection.streaming()) == {"follow:0", "track:0"}
    assert post(path, "/api/reload", {"accept_empty": True})[1]["accepted"] == ["track:0"]
    collection.wait_streaming("follow:0")


def test_tweets_are_shown_as_they_pass_and_a_rule_is_explained(collection: Collection) -> None:
    path = path_of(collection)
    status, body = get(path, "/api/connections/track:0/sample?messages=3&within=60s")
    assert status == 200
    tweets = [json.loads(line) for line in body.splitlines()]
    assert len(tweets) == 3
    assert all(tweet["traptor"]["collection_rules"][0]["rule_id"] == "r1" for tweet in tweets)
    assert get(path, "/api/connections/track:9/sample")[0] == 404
    assert get(path, "/api/connections/track:0/sample?messages=0")[0] == 400
    rule = wait_for(
        lambda: (one := explained(collection, "rule=r1")["rules"][0])["last_match"] and one, "it matched"
    )
    assert (rule["connection"], rule["collected"]) == ("track:0", True)
    assert rule["carrier"]["serving"]["pid"] == collection.pid("track:0")
    about = explained(collection, "of=track:0")
    assert about["connection"]["state"] == "UP"
    assert [gap["cause"] for gap in about["gaps"]] == ["start"]
    assert get(path, "/api/explain?rule=nobody")[0] == 404
    assert get(path, "/api/explain")[0] == 400


def test_a_key_is_tried_within_its_budget_and_released(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"))
    collection.options = {"twitter": {"connects": 5, "connects_window": "1h"}}
    collection.add_rules("track:0", {"r1": "storm"})
    collection.start()
    collection.wait_streaming("track:0")
    path, used = path_of(collection), collection.connection("track:0")["serving"]["key"]
    [spare] = {"k1", "k2"} - {used}
    status, answer = post(path, f"/api/keys/{used}/test")
    assert status == 409
    assert "a test would end its stream" in answer["detail"]
    assert post(path, "/api/keys/k9/test")[0] == 404
    status, answer = post(path, f"/api/keys/{spare}/test")
    assert (status, answer["good"], answer["status"]) == (200, True, 200)
    collection.sandbox.fault("status", status=401, times=1, account=spare)
    status, answer = post(path, f"/api/keys/{spare}/test")
    assert (answer["good"], answer["status"], answer["state"]) == (False, 401, "QUARANTINED")
    status, answer = post(path, f"/api/keys/{spare}/release")
    assert (status, answer["state"]) == (202, "OK")
    assert post(path, f"/api/keys/{spare}/test")[1]["good"] is True
    status, answer = post(path, f"/api/keys/{spare}/test")  # two of five are kept for recovery
    assert status == 409
    assert "no connect left for a test" in answer["detail"]
    assert len(attempts(collection, spare)) == 3
    assert "track:0" in collection.streaming()
