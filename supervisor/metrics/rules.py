"""Metrics of the rules. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from traptor.supervisor.metrics.family import CONNECTION, Family, Json, by_name, each, gauge, type_of
from traptor.supervisor.workers.states import ConnectionState


def of_rules(status: Json) -> Iterator[Family]:
    """Yield how many rules there are, and how many are not collected."""
    groups, connections = status["groups"], status["connections"]
    rules, rejected = Counter[str](), Counter[str]()
    for group in groups:
        rules[type_of(group["group"])] += group["rules"]
        rejected[type_of(group["group"])] += group["rejected"]
    for app in status.get("apps", ()):
        rejected.update(app["rejected_by_type"])
    waiting = Counter[str]()
    for c in connections:
        waiting[type_of(c["connection"])] += (
            c["uncollected"] if c["state"] == ConnectionState.WAITING_FOR_KEY else 0
        )
    yield gauge("rules", "Valid rules.", ("type",), by_name(rules))
    yield gauge(
        "rules_rejected",
        "Rules that are invalid, or that X does not take.",
        ("type",),
        by_name(rejected),
    )
    yield gauge("rules_unassigned", "Rules without a key.", ("type",), by_name(waiting))
    yield gauge(
        "rules_not_collected",
        "Wanted rules that no stream carries now.",
        CONNECTION,
        each(connections, "uncollected"),
    )
    suspect = sum(group["suspect"] for group in groups)
    yield gauge("groups_suspect", "Groups whose rules vanished unannounced.", (), [((), suspect)])
    yield gauge("rules_stray", "Keys in Redis that name no group.", (), [((), status["strays"])])
