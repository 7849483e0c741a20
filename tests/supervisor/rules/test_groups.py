"""The groups as they are known: each look of the master at all of them costs what has changed."""

from __future__ import annotations

from pathlib import Path

from support.stepping import PlannedWorld

from traptor.common.rules.rule import GroupId


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
