"""Measure what an app at X costs the master: composing its filters, a change of one rule, and idling."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

from support.collection import Collection
from support.waiting import wait_for

from benchmarks.figures import Effort, Figure, interleaved
from benchmarks.idle import idle_percent
from benchmarks.rules import follow_rules, track_rules
from benchmarks.stage import load_rules, stage
from traptor.common.rules.rule import Rule
from traptor.supervisor.apps.wanted.composed import AppLimits, Composed, composed
from traptor.supervisor.apps.wanted.translated import Translated, Wording, translated
from traptor.supervisor.filters.compose import compose
from traptor.supervisor.filters.composition import Allowance
from traptor.supervisor.filters.sync.standing import Standing
from traptor.supervisor.rules.snapshot import Snapshot

_FOLLOW, _TRACK = 20_000, 5_000
_MANY = AppLimits("default", filters=25_000)  # as an Enterprise app has
_COMPOSED_S = 1.0
_ASKED_MS = 100.0
_IDLE_PERCENT = 1.0
_UP_WITHIN_S = 120.0
_APART_S = 0.5  # looks at Redis are a quarter of a second apart at least
_SETTLED_S = 25.0  # until the filters of the first load are taken to be in effect


def one_app(effort: Effort) -> list[Figure]:
    """Measure the composition of many values; then one app with 5,500 follow and 352 track rules."""
    return [*_composing(effort), *_running(effort)]


def _composing(effort: Effort) -> list[Figure]:
    rules = {
        "follow": follow_rules(_FOLLOW // effort.scale),
        "track": track_rules(_TRACK // effort.scale),
    }
    groups = _translated(rules)
    first, allowance = _composed(groups), Allowance(_MANY.filters, _MANY.length)
    jobs = {
        "translate and compose": lambda: _composed(_translated(rules)),
        "compose": partial(_composed, groups),
        "compose again, unchanged": lambda: compose(first.demands, allowance, first.composition.filters),
    }
    values = sum(map(len, rules.values()))
    return [
        Figure.of("one_app", f"{values:,} values: {name}", "s of CPU", spent, at_most=_COMPOSED_S)
        for name, spent in interleaved(jobs, effort.rounds).items()
    ]


def _translated(rules: Mapping[str, list[Rule]]) -> list[Translated]:
    snapshots = (Snapshot.of(of_type[0].group, of_type, 0.0) for of_type in rules.values())
    return [translated(snapshot, Wording()) for snapshot in snapshots]


def _composed(groups: list[Translated]) -> Composed:
    return composed(groups, _MANY, Standing(), 0.0)


def _running(effort: Effort) -> list[Figure]:
    with stage(1, max_connections=1) as collection:
        collection.options["traptor"] = {"api": "v2"}
        collection.options["twitter"] = {"api_url": collection.sandbox.url}
        load_rules(collection.redis, follow_rules(5_500 // effort.scale))
        load_rules(collection.redis, track_rules(max(1, 352 // effort.scale)))
        collection.start()
        collection.wait_streaming("v2:key-0", within_s=_UP_WITHIN_S)
        time.sleep(min(_SETTLED_S, effort.idle_s * 2))
        asked = [1_000 * _change_s(collection, number) for number in range(effort.rounds)]
        time.sleep(min(_SETTLED_S, effort.idle_s * 2))
        percent = [idle_percent(collection, effort.idle_s) for _ in range(min(effort.rounds, 3))]
    return [
        Figure.of(
            "one_app", "one rule changed: from the hint to the request", "ms", asked, at_most=_ASKED_MS
        ),
        Figure.of("one_app", "idle master with one app", "% of a core", percent, at_most=_IDLE_PERCENT),
    ]


def _change_s(collection: Collection, number: int) -> float:
    """Return the time from a hint about a new rule to the request for its filter, by X's own record."""
    time.sleep(_APART_S)
    before = _changes(collection)
    collection.redis.hset(
        f"traptor-track:0:new-{number}", mapping={"rule_id": f"new-{number}", "value": f"novelty {number}"}
    )
    hinted = time.time()
    collection.hint("track:0")
    wait_for(lambda: len(_changes(collection)) > len(before), "X is asked", _UP_WITHIN_S)
    return _changes(collection)[len(before)] - hinted


def _changes(collection: Collection) -> list[float]:
    return [float(one["at"]) for one in collection.sandbox.v2.requests("rules_change")]
