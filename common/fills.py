"""What master and worker say about filling gaps: methods, and how the fetch of a piece ended."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

# In the place of a fill's id: what a stream that ends gaps brings is of all of them.
OF_BACKFILLS: Final = (1 << 63) - 1


class FillMethod(StrEnum):
    """The ways to get the posts of a gap afterwards; tweets name theirs in `traptor.collection.filled`."""

    SEARCH = "search"  # GET /2/tweets/search/all
    BACKFILL = "backfill"  # `backfill_minutes` of the stream that ends the gap (Enterprise)
    RECOVERY = "recovery"  # a stream of its own with `start_time` and `end_time` (Enterprise)


class FillEnd(StrEnum):
    """How the fetch of a piece ended."""

    DONE = "done"  # its posts are in the outbox
    HTTP = "http"  # X answered with another status than 200
    NETWORK = "network"  # no answer, or one that broke off
    BROKEN = "broken"  # the answer is no page of posts
    SHORT = "short"  # a recovery that came less far than the one before
    NO_ROOM = "no_room"  # the outbox takes nothing now: posts may be missing from it
    FAULT = "fault"  # an error in the worker
