"""What the supervisor's side may add to the commands; without it they say less.

A command line puts what makes a `Seams` into the context: `ctx.meta[KEY] = lambda: Seams(...)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import click

from traptor.common.config.settings import Settings
from traptor.common.rules.rule import GroupId, Rule
from traptor.rulekit.keeping.losses import LiveGroups

KEY = "traptor.rulekit.seams"

Groups = Mapping[GroupId, Sequence[Rule]]
FilterOutlook = Callable[[Settings, Groups, Groups], Sequence[str]]
"""Return lines about what becomes of an app's filters: rules before, and rules after."""


Matching = Callable[[Sequence[Rule]], Callable[[bytes], Sequence[int] | None]]
"""Return what tells which rules a delivered message matches, by index; None for one that is no tweet."""
Sample = Callable[[str], Iterable[bytes]]
"""Return what a running supervisor delivers within a duration such as `10s`."""


Live = Callable[[], LiveGroups | None]
"""Return the groups of a running supervisor; None when none can be asked."""


@dataclass(frozen=True, slots=True)
class Seams:
    """What can be asked of the supervisor's side."""

    filters: FilterOutlook | None = None
    matching: Matching | None = None
    sample: Sample | None = None
    live: Live | None = None


def seams_of(ctx: click.Context) -> Seams:
    """Return what the command line offers."""
    make = ctx.meta.get(KEY)
    found = make() if callable(make) else None
    return found if isinstance(found, Seams) else Seams()
