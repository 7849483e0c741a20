"""A problem is one sentence with the same parts: what, since when, why, until when, what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from logging import ERROR, INFO

import pytest

from traptor.supervisor.problems.problem import OpenProblem, Subject
from traptor.supervisor.problems.sentence import rough_age, sentence, steady_sentence, subject_of

AT = datetime(2026, 11, 23, 3, 3, tzinfo=UTC).timestamp()


def test_every_subject_has_its_words() -> None:
    assert all(subject_of(problem(subject)) for subject in Subject)


def problem(subject: Subject = Subject.CONNECTION, name: str = "follow:0", **parts: object) -> OpenProblem:
    usual: dict[str, object] = {
        "kind": "no_key",
        "why": "no key is free",
        "todo": "add a key",
        "level": ERROR,
    }
    return OpenProblem(subject, name, **{**usual, **parts})  # type: ignore[arg-type]  # any of its parts


def test_the_sentence_has_all_parts() -> None:
    one = problem(rules=400, until=AT + 180)
    assert sentence(one, AT - 720, AT, UTC) == (
        "follow:0 NOT COLLECTING 400 rules since 02:51 (12 min): no key is free, until 03:06; add a key"
    )


def test_a_time_of_another_day_has_its_date() -> None:
    text = sentence(problem(rules=5852, until=AT + 86_400), AT - 86_400, AT, UTC)
    assert text == (
        "follow:0 NOT COLLECTING 5,852 rules since 2026-11-22 03:03 (24 h): no key is free,"
        " until 2026-11-24 03:03; add a key"
    )


def test_a_steady_sentence_changes_only_with_the_problem() -> None:
    one = problem(rules=1)
    assert steady_sentence(one, AT - 10, AT) == steady_sentence(one, AT - 10, AT + 20)
    assert "(" not in steady_sentence(one, AT - 10, AT)


def test_what_comes_from_outside_stays_on_one_line() -> None:
    assert "\n" not in sentence(problem(why="a\nb\x1b[2J", rules=1), AT, AT)
    assert "\x1b" not in sentence(problem(why="a\nb\x1b[2J", rules=1), AT, AT)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (problem(rules=1), "follow:0 NOT COLLECTING 1 rule"),
        (problem(rules=0, level=INFO), "follow:0 REFRESH WAITS"),
        (problem(kind="stopped", rules=2, level=INFO), "follow:0 STOPPED, 2 rules not collected"),
        (problem(Subject.ALL, "", rules=9, connections=3), "NOTHING STREAMS: 3 connections, 9 rules"),
        (problem(Subject.ALL, ""), "NOTHING IS COLLECTED"),
        (problem(Subject.KEY, "k1", kind="COOLING:rate_limited"), "key k1 COOLING"),
        (problem(Subject.APP, "a1", kind="out_of_credit"), "app a1 OUT OF CREDIT"),
        (problem(Subject.APP, "a1", kind="unfit", rules=3), "app a1 NOT COLLECTING 3 rules"),
        (problem(Subject.OUTPUT, "kafka", kind="failing"), "output kafka FAILING"),
        (problem(Subject.GROUP), "follow:0 RULES SUSPECT"),
        (problem(Subject.RULES, rules=2), "follow:0 REJECTED 2 rules"),
        (problem(Subject.HEARTBEAT, kind="withheld"), "heartbeat of follow:0 WITHHELD"),
        (problem(Subject.REDIS, "rules", kind="away"), "Redis AWAY for rules"),
        (problem(Subject.RELOAD, ""), "reload REFUSED"),
        (problem(Subject.JOB, "hints"), "job 'hints' FAILING"),
        (problem(Subject.LOG, ""), "log NOT WRITTEN"),
        (problem(Subject.LEDGER, ""), "gap ledger NOT WRITTEN"),
    ],
)
def test_each_subject_is_named_with_its_state_in_capitals(one: OpenProblem, expected: str) -> None:
    assert subject_of(one) == expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3600, "60 min"),
        (7200, "2 h"),
        (86_400, "24 h"),
        (172_800, "2 d"),
    ],
)
def test_ages_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert rough_age(seconds) == text
