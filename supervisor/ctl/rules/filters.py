"""What becomes of filters at X when rules change, without asking X."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from traptor.common.config.keys.key import ApiKey
from traptor.common.config.settings import Settings
from traptor.common.rules.rule import GroupId, Rejected, Rule
from traptor.common.text import counted
from traptor.rulekit.changes.effects import Act, Effect
from traptor.rulekit.commands.parts.seams import AppOutlook
from traptor.supervisor.apps.configured import app_limits, terms, wording
from traptor.supervisor.apps.wanted.composed import Composed, composed
from traptor.supervisor.apps.wanted.translated import Translated, translated
from traptor.supervisor.checks.appplan import Load
from traptor.supervisor.filters.sync.standing import Standing
from traptor.supervisor.money.reads import Expand, price_of_1000
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.supervisor.workers.leftovers import app_connection

Groups = Mapping[GroupId, Sequence[Rule]]


def apps_outlook(settings: Settings, before: Groups, after: Groups) -> list[AppOutlook]:
    """Return what becomes of each app whose rules change; the groups are all that this host serves."""
    found = [app for key in settings.keys if (app := _of_app(settings, key, before, after)) is not None]
    if found:
        price = price_of_1000(terms(settings).prices, Expand(settings.traptor.expand))
        said = f"1,000 posts cost ${price.plain:,.2f}, or ${price.with_another:,.2f} where each refers to one"
        found[-1] = replace(found[-1], lines=(*found[-1].lines, said))
    return found


def _of_app(settings: Settings, key: ApiKey, before: Groups, after: Groups) -> AppOutlook | None:
    had, has = _of_key(key, before), _of_key(key, after)
    if had == has:
        return None
    limits = app_limits(settings)
    old = composed(_translated(settings, had), limits, Standing(), 0.0)
    new = composed(_translated(settings, has), limits, Standing(), 0.0, old)
    stood, stands = old.composition.by_text.keys(), new.composition.by_text.keys()
    added, deleted = len(stands - stood), len(stood - stands)
    load = Load.of(added, deleted)
    act = (
        Act.SYNC if any(had.values()) and any(has.values()) else Act.START if any(has.values()) else Act.STOP
    )
    return AppOutlook(
        effect=Effect(app_connection(key.name), act, _values(had), _values(has)),
        filters=(len(stood), len(stands)),
        added=added,
        deleted=deleted,
        requests=load.requests,
        seconds=load.seconds,
        waiting=(len(old.waiting), len(new.waiting)),
        lines=(
            f"app {key.name}: {counted(added, 'filter')} added, {deleted} deleted,"
            f" {len(stood)} -> {len(stands)} of {limits.filters}; {counted(load.requests, 'request')},"
            f" about {load.seconds:.0f} s",
            *_not_carried(key, old, new),
        ),
    )


def _not_carried(key: ApiKey, old: Composed, new: Composed) -> Iterator[str]:
    pairs: tuple[tuple[str, Sequence[Rejected], Sequence[Rejected]], ...] = (
        ("wait for a filter", old.waiting, new.waiting),
        ("cannot be said in X's language", old.refused, new.refused),
    )
    for what, before, then in pairs:
        if then:
            first = f"the first {then[0].shown_key}: {then[0].reason}"
            yield f"app {key.name}: {counted(len(then), 'rule')} {what}, {len(before)} before; {first}"


def _of_key(key: ApiKey, groups: Groups) -> dict[GroupId, Sequence[Rule]]:
    return {group: rules for group, rules in groups.items() if key.groups is None or key.groups.serves(group)}


def _translated(settings: Settings, groups: Groups) -> tuple[Translated, ...]:
    return tuple(
        translated(Snapshot.of(group, rules, 0.0), wording(settings, group))
        for group, rules in sorted(groups.items())
    )


def _values(groups: Groups) -> int:
    return sum(len({value for rule in rules for value in rule.values}) for rules in groups.values())
