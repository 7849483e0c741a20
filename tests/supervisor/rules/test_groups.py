"""The groups as they are known: each look of the master at all of them costs what has changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from support.stepping import PlannedWorld, make_rules

from traptor.common.rules.rule import GroupId, Rule
from traptor.supervisor.rules.snapshot import Snapshot


def names(master: PlannedWorld) -> list[str]:
    return [str(group.id) for group in master.groups.all()]


def test_all_groups_are_told_by_name_and_sorted_only_when_there_are_others(tmp_path: Path) -> None:
    master = PlannedWorld(tmp_path, keys=0)
    assert names(master) == []
    for group in ("track:2", "follow:1", "track:10"):
        master.set_rules(group, range(1))
    assert names(master) == ["follow:1", "track:10", "track:2"]
    told = master.groups.all()
    master.set_rules("track:2", range(2))
    master.groups.drop_unserved()
    assert master.groups.all() is told, "the same groups, whatever their rules"
    master.groups.forget(GroupId.parse("track:10"))
    assert names(master) == ["follow:1", "track:2"]
    master.set_rules("track:10", range(1))
    assert names(master) == ["follow:1", "track:10", "track:2"]


def test_doubtful_rules_are_logged_by_key_the_first_of_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """All rules of a group may be written in another language."""
    master = PlannedWorld(tmp_path, keys=0)
    rules = [replace(rule, doubt="taken as words") for rule in make_rules("track:0", *map(str, range(30)))]
    take(master, rules[:3])
    take(master, rules)
    take(master, rules)
    said = [(one.getMessage(), one.__dict__["fields"]) for one in caplog.records]
    singles = [about["key"] for event, about in said if event == "rule doubtful"]
    assert len(singles) == len(set(singles)) == 23
    assert [about["rules"] for event, about in said if event == "more rules doubtful"] == [7]


def take(master: PlannedWorld, rules: list[Rule]) -> None:
    """Have a look at Redis find these rules."""
    group = GroupId.parse("track:0")
    start = master.groups.begin_look({group}, is_of_all=False)
    master.groups.take_look(start, {group: Snapshot.of(group, rules, master.now)}, master.now)
