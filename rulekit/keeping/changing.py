"""Make a change: under the lock, read what stands, work the change out, and write it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import redis

from traptor.common.rules.rule import GroupId, RuleType
from traptor.rulekit.changes.change import GroupChange
from traptor.rulekit.changes.holdings import Holdings
from traptor.rulekit.keeping.history import Signature
from traptor.rulekit.keeping.lock import locked
from traptor.rulekit.keeping.reading import Progress, read_holdings, revisions_of
from traptor.rulekit.keeping.writing import GroupWriter

Steps = Sequence[Sequence[GroupChange]]
WorkOut = Callable[[redis.Redis, Holdings], Steps]

Read = Callable[[redis.Redis, Callable[[], None]], Holdings]
"""Reads rules; the second argument keeps the lock, and is to be called every ten seconds or sooner."""


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
    read: Read | None = None,
) -> Steps:
    """Return what was changed, group by group, after it is written.

    `read` reads what `work_out` needs, by default all rules of the type.
    Raises RedisUnavailable, LockedByAnother, ChangedMeanwhile, LoadInterrupted, and what `work_out` raises.
    """
    with locked(client, rule_type, signature.by, wait_s, hearing.say) as lock:
        if read is None:
            holdings = read_holdings(client, rule_type, None, hearing.read)
        else:
            holdings = read(client, lock.renew)
        steps = work_out(client, holdings)
        groups: set[GroupId] = {change.group for step in steps for change in step}
        # Groups without rules keep the revision of their last change.
        empty = revisions_of(client, sorted(groups - holdings.revisions.keys()))
        writer = GroupWriter(client, channel, lock, signature)
        writer.write_all(steps, {**holdings.revisions, **empty}, hearing.written)
        return steps
