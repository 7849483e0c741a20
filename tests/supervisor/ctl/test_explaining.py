"""What `traptorctl explain` says first: the sentence of what is wrong, with what to do about it."""

from __future__ import annotations

import time
from typing import Any

from support.shown import a_connection, a_problem, silent

from traptor.supervisor.ctl.explaining import _about, _about_connection, _about_rules

SENTENCE = a_problem()["sentence"]
RULE = {"rule": "traptor-follow:0:17", "rejected": None, "matches_known": False, "collected": False}


def about(connection: dict[str, Any], problem: str | None) -> list[str]:
    name = connection["connection"]
    return list(_about_connection(name, {"connection": connection, "problem": problem, "gaps": []}))


def about_rule(carrier: dict[str, Any], problem: str | None, **changes: Any) -> list[str]:
    rule = {**RULE, "connection": carrier["connection"], "carrier": carrier, "problem": problem, **changes}
    return list(_about_rules({"rules": [rule], "gaps": []}))


def test_the_first_line_about_a_connection_is_the_sentence_of_its_problem() -> None:
    assert about(silent(), SENTENCE)[0] == SENTENCE
    assert about(silent(), None)[0].startswith("follow:0: NOT COLLECTING 352 rules for "), "it is new"
    assert about(a_connection(), None)[0] == "track:0: collecting 352 rules for 12 min"


def test_a_connection_that_collects_some_of_its_rules_says_of_how_many() -> None:
    [first, *_] = about(a_connection("v2:app", rules=3, uncollected=2), None)
    assert first == "v2:app: collecting 1 of 3 rules for 12 min"


def test_a_rule_that_is_not_collected_has_the_sentence_of_its_connection() -> None:
    first, second, *_ = about_rule(silent(), SENTENCE)
    assert first == "traptor-follow:0:17: NOT COLLECTED: follow:0 is to carry it"
    assert second == f"  {SENTENCE}"
    assert "(NOT COLLECTING 352 rules for " in about_rule(silent(), None)[0]
    assert "collected by track:0" in about_rule(a_connection(), None, collected=True)[0]


def test_a_rule_that_its_connection_does_not_carry_yet_is_not_said_to_be_collected() -> None:
    [first, *_] = about_rule(a_connection(), None)
    assert first == "traptor-follow:0:17: NOT COLLECTED yet: track:0 is to carry it, and collects other rules"


def test_why_a_rule_has_no_filter_at_x_is_told() -> None:
    [first, *_] = about_rule(a_connection(), None, no_filter="the app's filters are full")
    assert first == "traptor-follow:0:17: NOT COLLECTED: no filter at X: the app's filters are full"


def test_a_stream_without_a_filter_in_effect_is_said_to_wait_and_for_what() -> None:
    wait = {"kind": "acts_soon", "why": "X brings it into effect", "until": time.time() + 9.0, "key": None}
    one = a_connection("v2:app", collecting=False, wait=wait)
    assert about(one, None)[0].startswith(
        "v2:app: NOT COLLECTING 352 rules for 12 min: X brings it into effect,"
    )
    assert "X brings it into effect, until " in about_rule(one, None)[0]


def test_a_group_of_an_app_is_explained_by_its_connection() -> None:
    one = a_connection("v2:app", groups=["follow:0", "track:0"])
    group = {"group": "track:0", "rules": 3, "rejected": 1, "heartbeat_why": "X rests"}
    told = {
        "connection": one,
        "problem": None,
        "gaps": [],
        "group": group,
        "carriers": ["v2:app", "v2:app.2"],
    }
    first, second, *_ = _about("track:0", told)
    assert first == (
        "track:0 is a group of v2:app and v2:app.2: 3 rules, 1 more invalid;"
        " its heartbeat is withheld: X rests"
    )
    assert second == "v2:app: collecting 352 rules for 12 min"
    assert next(_about("v2:app", {"connection": one, "problem": None, "gaps": []})) == second


def test_each_rule_of_one_name_has_its_own_gaps() -> None:
    """Rule managers of several groups may use the same ids."""
    rules = [{**RULE, "rule": f"traptor-{g}:17", "connection": g, "carrier": None} for g in ("a:0", "b:0")]
    gaps = [a_gap(f"traptor-{group}:17", seconds) for group, seconds in (("a:0", 7), ("a:0", 8), ("c:0", 9))]
    told = list(_about_rules({"rules": rules, "gaps": gaps}))
    shown = [line.split(":17")[0].strip() for line in told if ":17" in line or " gap" in line]
    assert shown == [
        "traptor-a:0",
        "2 gaps in the last 24 h, 15 s in all; the latest:",
        "traptor-b:0",
        "no gaps in the last 24 h",
        "traptor-c:0",
        "1 gap in the last 24 h, 9.0 s in all; the latest:",
    ]


def a_gap(rule: str, seconds: float) -> dict[str, Any]:
    times = {"from_unix": 1e9, "to_unix": 1e9 + seconds, "seconds": seconds, "open": False}
    return {"rule": rule, "cause": "crash", "kind": "gap", **times}


def test_a_supervisor_of_before_an_upgrade_is_understood() -> None:
    one = silent()
    [first, *_] = _about_connection("follow:0", {"connection": one, "gaps": []})
    assert first.startswith("follow:0: NOT COLLECTING 352 rules for ")
    rule = {**RULE, "connection": "follow:0", "carrier": one}
    [first, *_] = _about_rules({"rules": [rule], "gaps": []})
    assert "(NOT COLLECTING 352 rules for " in first
