"""What delivered tweets with the same rules have in common."""

from __future__ import annotations

import msgspec


class Label(msgspec.Struct, frozen=True, gc=False):
    """The rules' part of a delivered tweet, ready to be joined; most of it is memory of the rules."""

    matched: tuple[int, ...]
    """The rules' indexes."""
    is_marked: bool
    """Only the wider interpretation found them, and the tweet says so."""
    rule_ids: tuple[str, ...]
    opening: bytes
    """The beginning of the member `traptor`."""
    members: bytes
    """The rules, as they stand in the list of them."""
    ending: bytes
    """The end of that list."""
