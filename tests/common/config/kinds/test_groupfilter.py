"""The groups of a host are those that its list names, one by one or by type."""

from __future__ import annotations

import pytest

from traptor.common.config.kinds.groupfilter import GroupFilter
from traptor.common.rules.rule import GroupId, RuleType

TRACK_0, TRACK_1, FOLLOW_0 = (GroupId.parse(text) for text in ("track:0", "track:1", "follow:0"))


def test_a_star_serves_every_group() -> None:
    everything = GroupFilter.parse(("*",))
    assert everything == GroupFilter()
    assert all(everything.serves(group) for group in (TRACK_0, TRACK_1, FOLLOW_0))


def test_a_type_serves_its_groups_and_no_others() -> None:
    tracks = GroupFilter.parse(("track:*",))
    assert tracks.serves(TRACK_1)
    assert not tracks.serves(FOLLOW_0)


def test_a_named_group_is_served_and_kept_by_name() -> None:
    some = GroupFilter.parse(("track:0", "follow:*", "track:0"))
    assert some.named == {TRACK_0}
    assert some.serves(TRACK_0)
    assert some.serves(FOLLOW_0)
    assert not some.serves(TRACK_1)


def test_a_named_group_stays_named_beside_its_whole_type() -> None:
    assert GroupFilter.parse(("*", "track:0")).named == {TRACK_0}


def test_location_means_locations() -> None:
    assert GroupFilter.parse(("location:*",)).types == {RuleType.LOCATIONS}
    assert GroupFilter.parse(("location:7",)).named == {GroupId.parse("locations:7")}


@pytest.mark.parametrize(
    "item", ["", "track", "track:", "tracks:0", "track:a b", ":0", "*:0", "track:0:1", "**"]
)
def test_what_names_no_group_is_refused_by_its_number(item: str) -> None:
    with pytest.raises(ValueError, match="item 2 names no group"):
        GroupFilter.parse(("*", item))


def test_a_filter_reads_like_the_option() -> None:
    for items in [("*",), ("follow:*", "track:*", "locations:3"), ("track:0", "track:1")]:
        assert GroupFilter.parse(tuple(str(GroupFilter.parse(items)).split(", "))) == GroupFilter.parse(items)
    assert str(GroupFilter.parse(("track:1", "follow:*"))) == "follow:*, track:1"
