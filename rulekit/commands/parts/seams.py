"""What the supervisor's side may add to the commands; without it they say less.

A command line puts a `Seams` into the context under `KEY`: `ctx.meta[KEY] = Seams(...)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import click

from traptor.common.config.settings import Settings
from traptor.common.rules.rule import GroupId, Rule

KEY = "traptor.rulekit.seams"

Groups = Mapping[GroupId, Sequence[Rule]]
FilterOutlook = Callable[[Settings, Groups, Groups], Sequence[str]]
"""Return lines about what becomes of an app's filters: rules before, and rules after."""


@dataclass(frozen=True, slots=True)
class Seams:
    """What can be asked of the supervisor's side."""

    filters: FilterOutlook | None = None


def seams_of(ctx: click.Context) -> Seams:
    """Return what the command line offers."""
    found = ctx.meta.get(KEY)
    return found if isinstance(found, Seams) else Seams()
