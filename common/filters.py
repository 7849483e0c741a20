"""Filters as exchanged by master and worker: a filter is one rule registered with an app at X."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class FollowScope(StrEnum):
    """The posts related to a followed account that are wanted; each scope includes the one before it."""

    AUTHOR = "author"  # posts by the account, including its reposts and quotes
    REPLIES = "replies"  # also replies to the account
    FULL = "full"  # also reposts of its posts by others: what v1.1 delivered


class Meaning(msgspec.Struct, frozen=True, gc=False):
    """The meaning of a filter for one group: values in the form of `Rule.values`.

    If the filter is not packed, its id alone says that all these values matched; if it is packed, the post
    must be compared with each value. A filter shared by two groups has a meaning for each.
    """

    filter_id: str
    group: str
    values: tuple[str, ...]
    is_packed: bool
    scopes: tuple[FollowScope, ...] = ()  # of the values of follow rules, in their order; empty: all FULL
