"""What `traptorctl explain` says first: the sentence of what is wrong, with what to do about it."""

from __future__ import annotations

from typing import Any

from support.shown import a_connection, a_problem, silent

from traptor.supervisor.ctl.explaining import _about_connection, _about_rules

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


def test_a_rule_that_is_not_collected_has_the_sentence_of_its_connection() -> None:
    first, second, *_ = about_rule(silent(), SENTENCE)
    assert first == "traptor-follow:0:17: NOT COLLECTED: follow:0 is to carry it"
    assert second == f"  {SENTENCE}"
    assert "(NOT COLLECTING 352 rules for " in about_rule(silent(), None)[0]
    assert "collected by track:0" in about_rule(a_connection(), None, collected=True)[0]


def test_a_supervisor_of_before_an_upgrade_is_understood() -> None:
    one = silent()
    [first, *_] = _about_connection("follow:0", {"connection": one, "gaps": []})
    assert first.startswith("follow:0: NOT COLLECTING 352 rules for ")
    rule = {**RULE, "connection": "follow:0", "carrier": one}
    [first, *_] = _about_rules({"rules": [rule], "gaps": []})
    assert "(NOT COLLECTING 352 rules for " in first
