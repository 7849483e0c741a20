"""What the supervisor's side may add to the commands; without it they say less.

A command line puts what makes a `Seams` into the context: `ctx.meta[KEY] = lambda: Seams(...)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import click

from traptor.common.config.sections.traptor import TraptorSection
from traptor.common.config.sections.twitter import TwitterSection
from traptor.common.config.settings import Settings
from traptor.common.rules.rule import GroupId, Rule, RuleType
from traptor.rulekit.changes.effects import Effect
from traptor.rulekit.keeping.losses import LiveGroups

KEY = "traptor.rulekit.seams"

Groups = Mapping[GroupId, Sequence[Rule]]


@dataclass(frozen=True, slots=True)
class AppOutlook:
    """What becomes of one app of API v2: its connection with its values, and its filters at X.

    `waiting` are rules without a filter, before and after; `lines` say all of it for people.
    """

    effect: Effect
    filters: tuple[int, int]
    added: int
    deleted: int
    requests: int
    seconds: float
    waiting: tuple[int, int]
    lines: tuple[str, ...]


AppsOutlook = Callable[[Settings, Groups, Groups], Sequence[AppOutlook]]
"""Return what becomes of each app that changes: the rules of all groups before, and after."""


Matching = Callable[[Sequence[Rule]], Callable[[bytes], Sequence[int] | None]]
"""Return what tells which rules a delivered message matches, by index; None for one that is no tweet."""
Sample = Callable[[str], Iterable[bytes]]
"""Return what a running supervisor delivers within a duration such as `10s`."""


Live = Callable[[], LiveGroups | None]
"""Return the groups of a running supervisor; None when none can be asked."""


Unfiltered = Callable[[TraptorSection, TwitterSection, Groups], Mapping[str, str]]
"""Return why X has no filter for a rule, by its Redis key."""


ValueUnfiltered = Callable[[TwitterSection, RuleType, Sequence[str]], str | None]
"""Return why a rule with these values would have no filter at X; None if it would have one."""


@dataclass(frozen=True, slots=True)
class Seams:
    """What can be asked of the supervisor's side."""

    apps: AppsOutlook | None = None
    matching: Matching | None = None
    sample: Sample | None = None
    live: Live | None = None
    unfiltered: Unfiltered | None = None
    value_unfiltered: ValueUnfiltered | None = None


def seams_of(ctx: click.Context) -> Seams:
    """Return what the command line offers."""
    make = ctx.meta.get(KEY)
    found = make() if callable(make) else None
    return found if isinstance(found, Seams) else Seams()
