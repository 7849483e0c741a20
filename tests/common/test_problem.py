"""X's problem documents in one word."""

from __future__ import annotations

import json
from typing import Any

import pytest

from traptor.common.problem import RATE_LIMIT, problems_in

X, TWITTER = "https://api.x.com/2/problems/", "https://api.twitter.com/2/problems/"


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"title": "UsageCapExceeded", "type": f"{X}usage-capped"}, "usage-capped"),
        ({"title": "CreditsDepleted", "type": f"{TWITTER}credits"}, "credits"),
        ({"title": "Too Many Requests", "type": "about:blank", "status": 429}, RATE_LIMIT),
        ({"title": "Too Many Requests", "type": f"{X}rate-limit-exceeded"}, RATE_LIMIT),
        ({"code": 88, "message": "..."}, RATE_LIMIT),
        ({"title": "ConnectionException", "connection_issue": "TooManyConnections"}, "TooManyConnections"),
        (
            {"title": "operational-disconnect", "type": f"{X}a", "disconnect_type": "SlowReader"},
            "SlowReader",
        ),
        ({"title": "Unauthorized", "type": "about:blank"}, "Unauthorized"),
        ({"title": ["x"], "type": {}, "connection_issue": 1}, ""),
        ({"title": "x\x1b" * 200}, "x?" * 28 + "x..."),
        ({}, ""),
    ],
)
def test_a_problem_has_one_word(document: dict[str, Any], kind: str) -> None:
    (problem,) = problems_in(json.dumps(document).encode())
    assert problem.kind == kind


def test_the_problems_of_a_body_are_itself_and_its_errors() -> None:
    found = problems_in(b'{"title":"a","errors":[{"title":"b"},7,null]}')
    assert [one.kind for one in found] == ["a", "b"]
    assert problems_in(b"<html>") == problems_in(b"[]") == problems_in(b"\xff") == ()
