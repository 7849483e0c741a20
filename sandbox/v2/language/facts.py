"""What rules can ask about a post."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the operators look at."""

    post_id: int
