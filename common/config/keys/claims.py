"""The groups that each app serves under API v2: every served group has exactly one key."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from traptor.common.config.keys.key import ApiKey
from traptor.common.config.kinds.groupfilter import GroupFilter
from traptor.common.config.report import Position, Problems


class PlacedKey(NamedTuple):
    """A key, and where the operator wrote it."""

    key: ApiKey
    place: Position


def check_claims(keys: Sequence[PlacedKey], served: GroupFilter, place: Position, report: Problems) -> None:
    """Report groups that two keys claim, or none; `place` is where the served groups are set."""
    silent = [one for one in keys if one.key.groups is None]
    if len(keys) > 1 and silent:
        names = ", ".join(one.key.name for one in keys)
        for one in silent:
            report.problem(
                one.place,
                f"lacks groups: there are {len(keys)} keys ({names}), and with API v2 each says which groups"
                " its app serves, such as `groups = follow:*, track:3`; remove keys that are not needed",
            )
        return
    for first, second in combinations(keys, 2):
        for shared in _shared(first.key.groups, second.key.groups):
            report.problem(
                second.place,
                f"claims {shared}, and so does the key {first.key.name} at {first.place}; a group is served"
                " by one key",
            )
    unclaimed = _unclaimed(keys, served)
    if unclaimed:
        names = ", ".join(one.key.name for one in keys)
        report.problem(
            place,
            f"serves {', '.join(unclaimed)}, which no key claims (keys: {names}); add it to the groups of"
            " one, or list here what this host serves",
        )


def _shared(one: GroupFilter | None, other: GroupFilter | None) -> list[str]:
    if one is None or other is None:
        return []
    types = [f"{rule_type}:*" for rule_type in sorted(one.types & other.types)]
    named = {group for group in one.named if other.serves(group)}
    named |= {group for group in other.named if one.serves(group)}
    return types + [str(group) for group in sorted(named)]


def _unclaimed(keys: Sequence[PlacedKey], served: GroupFilter) -> list[str]:
    claims = [one.key.groups or GroupFilter() for one in keys]
    if not claims:
        return []
    types = served.types.difference(*(claim.types for claim in claims))
    named = [group for group in served.named if not any(claim.serves(group) for claim in claims)]
    return [f"{rule_type}:*" for rule_type in sorted(types)] + [str(group) for group in sorted(named)]
