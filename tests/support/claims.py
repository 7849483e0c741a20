"""Claims to posts that tell a test what they came to."""

from __future__ import annotations

from collections.abc import Iterable

from traptor.worker.seen.claims import Ours


class ToldClaims:
    """Adds to a list, for each post, whether it was taken."""

    def __init__(
        self,
        verdicts: list[bool],
        posts: Iterable[int],
        received_at_s: float,
        included: Iterable[tuple[int, ...]] | None = None,
    ) -> None:
        self.received_at_s = received_at_s
        self.posts = list(posts)
        self.included = [()] * len(self.posts) if included is None else list(included)
        self.ours: Ours = None
        self._verdicts = verdicts

    def settle(self) -> None:
        self._verdicts += [True] * len(self.posts) if self.ours is None else self.ours
