"""The revisions of groups: who writes a group in one step counts its revision up in the same step.

A group is read in many slices. When its revision is the same before and after, no change fell in between.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import redis.asyncio

from traptor.common.redis.client import ask, values
from traptor.common.rules.revision import revision_key
from traptor.common.rules.rule import GroupId

Revisions = Mapping[GroupId, bytes | None]


async def read_revisions(
    client: redis.asyncio.Redis, groups: Collection[GroupId]
) -> dict[GroupId, bytes | None]:
    """Return the revision of each group, None for one without. Raises redis-py's errors and OSError."""
    if not groups:
        return {}
    named = sorted(groups)
    reply = client.mget([revision_key(group) for group in named])
    return dict(zip(named, await ask(client, reply, values(len(named))), strict=True))


def moved(before: Revisions, after: Revisions) -> Iterator[GroupId]:
    """Yield the groups that may have been written in between.

    A group that was not known before counts when it has a revision: it was created in one step.
    """
    for group, revision in after.items():
        if before.get(group) != revision:
            yield group
