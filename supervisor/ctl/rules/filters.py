"""What becomes of filters at X when rules change, without asking X."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from traptor.common.config.keys.key import ApiKey
from traptor.common.config.settings import Settings
from traptor.common.rules.rule import GroupId, Rule
from traptor.common.text import counted
from traptor.supervisor.apps.configured import app_limits, terms, wording
from traptor.supervisor.apps.wanted.composed import composed
from traptor.supervisor.apps.wanted.translated import Translated, translated
from traptor.supervisor.checks.appplan import Load
from traptor.supervisor.filters.sync.standing import Standing
from traptor.supervisor.money.reads import Expand, price_of_1000
from traptor.supervisor.rules.snapshot import Snapshot

Groups = Mapping[GroupId, Sequence[Rule]]


def filter_lines(settings: Settings, before: Groups, after: Groups) -> list[str]:
    """Return a line or two for each app whose filters change, and the price of posts."""
    lines = [line for key in settings.keys for line in _of_app(settings, key, before, after)]
    if lines:
        price = price_of_1000(terms(settings).prices, Expand(settings.traptor.expand))
        lines.append(
            f"1,000 posts cost ${price.plain:,.2f}, or ${price.with_another:,.2f} where each refers to one"
        )
    return lines


def _of_app(settings: Settings, key: ApiKey, before: Groups, after: Groups) -> Iterator[str]:
    limits = app_limits(settings)
    old = composed(_translated(settings, key, before), limits, Standing(), 0.0)
    new = composed(_translated(settings, key, after), limits, Standing(), 0.0, old.composition.filters)
    had, has = old.composition.by_text.keys(), new.composition.by_text.keys()
    added, deleted = len(has - had), len(had - has)
    if added or deleted:
        load = Load.of(added, deleted)
        requests = counted(load.requests, "request")
        yield (
            f"app {key.name}: {counted(added, 'filter')} added, {deleted} deleted, {len(had)} -> {len(has)}"
            f" of {limits.filters} for these groups; {requests}, about {load.seconds:.0f} s"
        )
    for what, rules in (("wait for a filter", new.waiting), ("cannot be said in X's language", new.refused)):
        if rules:
            first = f"the first {rules[0].shown_key}: {rules[0].reason}"
            yield f"app {key.name}: {counted(len(rules), 'rule')} {what}, {first}"


def _translated(settings: Settings, key: ApiKey, groups: Groups) -> tuple[Translated, ...]:
    return tuple(
        translated(Snapshot.of(group, rules, 0.0), wording(settings, group))
        for group, rules in sorted(groups.items())
        if key.groups is None or key.groups.serves(group)
    )
