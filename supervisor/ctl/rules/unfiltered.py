"""Rules and values for which X has no filter (v2): as far as they alone tell, and as a supervisor knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import click

from traptor.common.config.sections.traptor import TraptorSection
from traptor.common.config.sections.twitter import TwitterSection
from traptor.common.rules.rule import GroupId, Rule, RuleType
from traptor.rulekit.changes.state import NO_FILTER
from traptor.supervisor.apps.configured import limits_of, wording_of
from traptor.supervisor.apps.wanted.composed import composed
from traptor.supervisor.apps.wanted.translated import translated
from traptor.supervisor.ctl.client import Client, ErrorAnswer, NotRunning
from traptor.supervisor.ctl.target import Target
from traptor.supervisor.filters.composition import Allowance
from traptor.supervisor.filters.outlook import outlook, why_no_filter
from traptor.supervisor.filters.sync.standing import Standing
from traptor.supervisor.rules.snapshot import Snapshot

_MOST_TOLD = "1000"  # the API tells no more at once


def why_unfiltered(
    traptor: TraptorSection,
    twitter: TwitterSection,
    groups: Mapping[GroupId, Sequence[Rule]],
    target: Target,
) -> dict[str, str]:
    """Return why X has no filter for a rule, by its Redis key; each group as if its app had no other.

    What X refused, and what other groups leave no room for, a running supervisor tells.
    """
    limits = limits_of(traptor, twitter)
    found: dict[str, str] = {}
    for group, rules in groups.items():
        said = translated(Snapshot.of(group, rules, 0.0), wording_of(traptor, group))
        found |= composed((said,), limits, Standing(), 0.0).without_filter
    return found | _told(target, groups.keys())


def value_unfiltered(twitter: TwitterSection, rule_type: RuleType, values: Sequence[str]) -> str | None:
    """Return why a rule with these values would have no filter at X; None if it would have one."""
    return why_no_filter(outlook(rule_type, values, Allowance(twitter.rules_per_app, twitter.rule_length)))


def _told(target: Target, groups: Collection[GroupId]) -> dict[str, str]:
    """Return what a running supervisor knows of the first rules of the group, or of each type."""
    if not groups:
        return {}
    places = map(str, groups if len(groups) == 1 else sorted({group.type for group in groups}))
    try:
        client: Client = target.client
        rules = [rule for place in places for rule in client.get("rules", of=place, most=_MOST_TOLD)]
    except (NotRunning, ErrorAnswer, click.UsageError):
        return {}
    return {
        rule["key"]: rule["state"].removeprefix(NO_FILTER)
        for rule in rules
        if rule["state"].startswith(NO_FILTER)
    }
