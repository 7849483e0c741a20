"""A running supervisor changes, judges and counts rules, and answers the original's Manager API."""

from __future__ import annotations

import json
from collections.abc import Callable

import requests
from support.collection import Collection, Key
from support.control import ask, get, post
from support.waiting import wait_for
from trial.ports import free_port

Make = Callable[..., Collection]
TOKEN = "0123456789abcdef-SECRET"


def test_rules_are_changed_judged_and_counted_through_the_api(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"))
    port = free_port()
    collection.options = {
        "http": {"listen": port, "token": TOKEN},
        "twitter": {"api_url": collection.sandbox.url},
        "traptor": {"rate_limit": "follow:* 0.001 1"},
    }
    collection.add_rules("track:0", {"r1": "storm"})
    collection.start()
    first = collection.wait_streaming("track:0")
    control = collection.run_dir / "control.sock"

    status, told = post(control, "/api/rules", {"type": "follow", "value": "42", "rule_id": "f1"})
    assert (status, told["groups"]) == (200, ["follow:0"])
    assert collection.wait_streaming("follow:0", "track:0")["track:0"] == first["track:0"]
    collection.sandbox.burst(5, ["storm"])
    collection.sandbox.burst(5, ["42"])

    def stats() -> dict[str, dict[str, object]]:
        status, body = get(control, "/api/rules/stats?by=total")
        assert status == 200, body
        return {one["rule"]: one for one in json.loads(body)}

    figures = wait_for(
        lambda: (
            (now := stats()) and now["track:0:r1"]["total"] == 5 and now["follow:0:f1"]["held"] == 4 and now
        ),
        "both rules are counted, and what exceeds a limit",
    )
    assert figures["follow:0:f1"]["total"] == 5
    wait_for(lambda: len(collection.tweets("track:0")) == 5, "the tweets within the limits are delivered")
    assert len(collection.tweets("follow:0")) == 1
    collection.wait_log("a rule exceeds its rate limit", name="follow:0")

    base, headers = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {TOKEN}"}
    verdict = requests.post(f"{base}/api/rules/validate", json={"type": "hashtag", "value": "x"}, timeout=60)
    assert (verdict.status_code, verdict.json()["v2"]["clauses"]) == (200, ["#x"])
    status, seen = post(control, "/api/rules/validate?seen=yes", {"type": "keyword", "value": "storm"})
    assert (status, seen["seen"]) == (200, {"tweets": 6, "matched": 5})
    for rule, code, answer in (
        ({"type": "geo", "value": "80,80,80,80"}, 200, {"status": "ok", "geo_type": "legacy"}),
        ({"type": "username", "value": "@u12"}, 200, {"status": "ok", "userid": "12"}),
        ({"type": "keyword", "value": "zzyzx"}, 200, {"status": "ok", "tweets_per_second": 0.0}),
    ):
        assert requests.post(f"{base}/v1.0/validate", json=rule, timeout=60).status_code == 401
        answered = requests.post(f"{base}/v1.0/validate", json=rule, headers=headers, timeout=60)
        assert (answered.status_code, answered.json()) == (code, {"context": rule, **answer})
    name = requests.post(f"{base}/v1.0/screen_name", json={"userid": "12"}, headers=headers, timeout=60)
    assert name.json() == {"context": {"userid": "12"}, "screen_name": "u12", "status": "ok"}

    status, _ = ask(control, "DELETE", "/api/rules?of=follow:0&rule_id=f1")
    assert status == 200
    status, body = ask(control, "DELETE", "/api/rules?of=follow:0&rule_id=f1")
    assert (status, "no follow:0 rule has the id f1" in str(body)) == (404, True)
    collection.wait_streaming("track:0")
    assert collection.stop() == 0
