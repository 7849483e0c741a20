"""Count what X bills for posts, and write it down before any of them is kept or delivered."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from traptor.common.birth import Birth
from traptor.common.counts import Counters
from traptor.common.files.reads import ReadCounts, ReadsFile
from traptor.common.logs.event import fields
from traptor.common.logs.throttle import Tally
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.posts.head import PostHead
from traptor.worker.posts.paid import included_posts, included_users, numbers_of
from traptor.worker.seen.ids import number_of

log = logging.getLogger(__name__)


class Bill:
    """Holds what one generation read; the posts among it are counted by the delivery's register."""

    def __init__(self, birth: Birth, delivery: Delivery, settled: Counters) -> None:
        """Take the counters that tell how many posts were of another's filters."""
        self._delivery = delivery
        self._settled = settled
        self.included_users = 0  # added to for every post: a method would cost more than the sum
        self._file = ReadsFile(birth.settings.outbox.state_dir, birth.connection, birth.generation)
        self._unkept = Tally()

    @property
    def reads(self) -> dict[str, int]:
        """All that was read so far, by what X bills it as."""
        return {**self._delivery.billed._asdict(), "included_users": self.included_users}

    def add_page(
        self, posts: Sequence[str | None], included: Sequence[str | None], users: int
    ) -> dict[str, int]:
        """Count a page of found posts, and return what is new of it."""
        return self._add(numbers_of(posts), numbers_of(included), users, time.time())

    def add_post(self, head: PostHead, at_s: float) -> dict[str, int]:
        """Count a post that a gap lacked, and return what is new of it."""
        post = number_of(head.post.id) or 0
        return self._add((post,), included_posts(head), included_users(head), at_s)

    def write_down(self) -> None:
        """Write down what was read so far: what is kept or delivered must not be without a count."""
        posts, included = self._delivery.billed
        error = self._file.write(ReadCounts(posts, included, self.included_users, self._settled.foreign))
        if error is not None and (count := self._unkept.add("reads")):
            about = fields(error=error.strerror or type(error).__name__, count=count)
            log.error("what was read cannot be written down", extra=about)

    def _add(self, posts: Sequence[int], included: Sequence[int], users: int, at_s: float) -> dict[str, int]:
        self.included_users += users
        return {**self._delivery.bill(posts, included, at_s)._asdict(), "included_users": users}
