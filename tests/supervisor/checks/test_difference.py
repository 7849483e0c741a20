"""What runs beside what a fresh start would do."""

from __future__ import annotations

from traptor.supervisor.checks.difference import SAME, UNKNOWN, compare
from traptor.supervisor.checks.plan import PlannedConnection
from traptor.supervisor.control.client import SeenConnection, SeenGeneration


def planned(name: str, rules: int = 3, key: str | None = "k1") -> PlannedConnection:
    return PlannedConnection(name, rules, rules, key, None)


def runs(name: str, rules: int = 3, key: str | None = "k1", **more: str) -> SeenConnection:
    serving = None if key is None else SeenGeneration("STREAMING", key)
    return SeenConnection(
        name, more.get("state", "UP"), rules, more.get("waits_for"), None, serving, successor=None
    )


def test_another_good_key_is_no_difference() -> None:
    (row,) = compare([runs("track:0", key="k2")], [planned("track:0", key="k1")])
    assert (row.streams, row.key, row.differs) == (True, "k2", False)


def test_other_rules_are_one() -> None:
    (row,) = compare([runs("track:0")], [planned("track:0", rules=5001)])
    assert row.fresh == "5,001 rules, k1"


def test_a_connection_that_waits_though_a_key_is_free_is_one() -> None:
    waiting = runs("track:0", key=None, state="WAITING_FOR_KEY", waits_for="no key is free")
    (row,) = compare([waiting], [planned("track:0")])
    assert (row.streams, row.waits, row.fresh) == (False, "no key is free", "3 rules, k1")


def test_a_connection_that_a_fresh_start_would_leave_without_a_key_is_one() -> None:
    (row,) = compare([runs("track:0")], [planned("track:0", key=None)])
    assert row.fresh == "3 rules, waits for a key"


def test_what_only_one_of_them_has_is_one() -> None:
    rows = compare([runs("follow:0")], [planned("track:0")])
    assert [(row.name, row.state, row.fresh) for row in rows] == [
        ("follow:0", "STREAMING", "would not exist"),
        ("track:0", "not running", "3 rules, k1"),
    ]


def test_a_quiet_group_is_the_same_though_it_is_not_planned() -> None:
    (row,) = compare([runs("follow:7", rules=0, key=None, state="QUIET")], [])
    assert (row.fresh, row.waits) == (SAME, "")


def test_without_redis_nobody_knows_what_a_fresh_start_would_do() -> None:
    (row,) = compare([runs("track:0")], None)
    assert (row.fresh, row.differs) == (UNKNOWN, False)
