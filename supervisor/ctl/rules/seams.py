"""What only this side can tell the commands of the rule kit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import click

from traptor.common.rules.rule import Rule
from traptor.rulekit.commands.parts.seams import Seams
from traptor.rulekit.keeping.losses import LiveGroups, live_groups
from traptor.supervisor.ctl.client import Client, ErrorAnswer, NotRunning
from traptor.supervisor.ctl.rules.filters import apps_outlook
from traptor.supervisor.ctl.rules.unfiltered import value_unfiltered, why_unfiltered
from traptor.supervisor.ctl.target import Target

_AT_ONCE = 8  # connections that are listened to; the API accepts a few more
_MESSAGES = 500


def seams_of(target: Target) -> Seams:
    """Return what can be asked, of the supervisor that the command line names."""
    return Seams(
        apps=apps_outlook,
        matching=_matching,
        sample=lambda within: _sample(target.client, within),
        live=lambda: _live(target),
        unfiltered=lambda traptor, twitter, groups: why_unfiltered(traptor, twitter, groups, target),
        value_unfiltered=value_unfiltered,
    )


def _live(target: Target) -> LiveGroups | None:
    """Return what the supervisor knows of its groups; None where none answers, or may be asked."""
    try:
        return live_groups(target.client.get("status")["groups"])
    except (NotRunning, ErrorAnswer, click.UsageError):
        return None


def _matching(rules: Sequence[Rule]) -> Callable[[bytes], Sequence[int] | None]:
    from traptor.worker.entry import matching  # it takes half a second, and few commands match

    return matching(rules)


def _sample(client: Client, within: str) -> Iterator[bytes]:
    """Yield what connections deliver within a duration. Raises NotRunning and ErrorAnswer."""
    names = [one["connection"] for one in client.get("connections") if one.get("serving")][:_AT_ONCE]

    def listen(name: str) -> list[bytes]:
        parameters = {"messages": str(_MESSAGES), "within": within}
        return list(Client(client.path).lines("connections", name, "sample", **parameters))

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        for lines in pool.map(listen, names):
            yield from lines
