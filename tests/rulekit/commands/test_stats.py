"""`rules stats` reads what workers counted."""

from __future__ import annotations

import time

from support.rulekit_desk import Desk


def test_figures_are_read_for_every_rule(desk: Desk) -> None:
    rules = [{"rule_id": name, "value": f"word {name}", "tag": "t"} for name in "abc"]
    desk.run("load", desk.jsonl("r.jsonl", *rules), "--type", "track")
    now = int(time.time())
    totals = "traptor:totals:track:0"
    desk.redis.hset(totals, mapping={"received": 9, "track:0:a": 70, "track:0:b": 100})
    desk.redis.hset(f"{totals}:last", mapping={"track:0:a": now, "track:0:b": now - 9_000})
    desk.redis.hset(
        f"{totals}:first", mapping={"track:0:a": f"{now - 100}:0", "track:0:b": f"{now - 19_000}:0"}
    )
    desk.redis.hset(f"{totals}:hour:{now // 3600}", mapping={"track:0:a": 70})
    desk.redis.hset(f"{totals}:held", mapping={"track:0:a": 4})
    first, second, third = desk.json("stats")
    assert (first["rule"], first["total"], first["last_day"], first["held"]) == ("track:0:a", 70, 70, 4)
    assert 8_900 < second["silent_s"] < 20_000
    assert (third["total"], third["last_at"], third["silent_s"]) == (0, None, None)
    assert [one["rule"] for one in desk.json("stats", "track:0", "--by", "silent")] == ["track:0:b"]
    shown = desk.run("stats", "track", "-n", "1").stdout
    assert "word a" in shown
    assert "word b" not in shown
    assert shown.splitlines()[0].split() == ["rule", "value", "total", "last", "day", "last", "match", "held"]


def test_odd_content_in_redis_is_no_figure(desk: Desk) -> None:
    desk.run("add", "track", "x", "--rule-id", "a")
    desk.redis.set("traptor:totals:track:0", "odd")
    desk.redis.hset("traptor:totals:track:0:first", "track:0:a", "odd")
    [one] = desk.json("stats")
    assert (one["total"], one["last_at"]) == (0, None)
