"""The rules that a post was sent for."""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from traptor.worker.tweets.label import Label


class RuleSource(Enum):
    """What the filters that a post names tell about its rules."""

    MATCHED = auto()  # the rules that the filters, or comparing their values, give
    INFERRED = auto()  # rules that only the wider interpretation found among a filter's values
    UNATTRIBUTED = auto()  # a filter of ours, but none of its values was found
    FOREIGN = auto()  # no filter of ours


# By name, as they are needed for every post: in Python 3.11 a member of an enum is found by a call.
MATCHED, INFERRED, FOREIGN = RuleSource.MATCHED, RuleSource.INFERRED, RuleSource.FOREIGN


class Attribution(msgspec.Struct, gc=False, eq=False):
    """The rules that a post was sent for, by index, in the order in which X names their filters.

    All these posts name the same filters. Nothing of it changes, but that the label of its posts is kept
    here once it is made, if it is small. That is when the first one comes: the memory of rules that nothing
    matches stays shared with the master.
    """

    source: RuleSource
    rules: tuple[int, ...] = ()
    label: Label | None = None
