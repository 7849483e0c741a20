"""A post on its way, what it turns out to be when it is kept, and one that was kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec


class KeptPost(NamedTuple):
    """One post that an output or an outbox holds; ids as of a claim."""

    post: int
    included: tuple[int, ...]
    received_at_s: float
    """Unix time."""


class Claim(msgspec.Struct, frozen=True):
    """One post that a stream brought, from its handling until it is kept.

    Ids are numbers; 0 is one that is no usual id, which nobody has ever seen. `settle` is called once, when
    it is known whose the post is: by whichever thread commits, never by two at once.
    """

    post: int
    included: tuple[int, ...]
    received_at_s: float
    gives_way: bool
    """Whether it is dropped if another worker takes the post first."""
    settle: Callable[[bool], object]
    """Told whether this worker has taken it."""
