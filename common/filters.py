"""Filters as master and worker speak of them: a filter is one rule as it stands in an app at X."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class FollowScope(StrEnum):
    """Which posts about a followed account are wanted; each scope has those of the one before it."""

    AUTHOR = "author"  # posts by the account, its reposts and quotes among them
    REPLIES = "replies"  # and replies to the account
    FULL = "full"  # and reposts of its posts by others: what v1.1 delivered


class Meaning(msgspec.Struct, frozen=True, gc=False):
    """What a filter stands for in one group: values in the form of `Rule.values`.

    The id of a filter that is not packed says by itself that all these values matched; where it is packed,
    the post must be compared with each. A filter that two groups share has a meaning for each.
    """

    filter_id: str
    group: str
    values: tuple[str, ...]
    is_packed: bool
