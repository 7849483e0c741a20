"""Make a change: under the lock, read what stands, work the change out, and write it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import redis

from traptor.common.rules.rule import GroupId, RuleType
from traptor.rulekit.changes.change import GroupChange
from traptor.rulekit.changes.holdings import Holdings
from traptor.rulekit.keeping.lock import locked
from traptor.rulekit.keeping.reading import Progress, read_holdings, revisions_of
from traptor.rulekit.keeping.writing import GroupWriter, Signature

Steps = Sequence[Sequence[GroupChange]]
WorkOut = Callable[[redis.Redis, Holdings], Steps]


@dataclass(frozen=True)
class Hearing:
    """Who hears of the progress: a sentence for people, and how far reading and writing are."""

    say: Callable[[str], None]
    read: Progress
    written: Progress


def apply_change(
    client: redis.Redis,
    channel: str,
    rule_type: RuleType,
    signature: Signature,
    wait_s: float,
    work_out: WorkOut,
    hearing: Hearing,
) -> Steps:
    """Return what was changed, group by group, after it is written.

    Raises RedisUnavailable, LockedByAnother, ChangedMeanwhile, LoadInterrupted, and what `work_out` raises.
    """
    with locked(client, rule_type, signature.by, wait_s, hearing.say) as lock:
        holdings = read_holdings(client, rule_type, None, hearing.read)
        steps = work_out(client, holdings)
        groups: set[GroupId] = {change.group for step in steps for change in step}
        # Groups without rules keep the revision of their last change.
        empty = revisions_of(client, sorted(groups - holdings.revisions.keys()))
        writer = GroupWriter(client, channel, lock, signature)
        writer.write_all(steps, {**holdings.revisions, **empty}, hearing.written)
        return steps
