"""Count what X bills for posts, and write it down before any of them is kept or delivered."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence

from traptor.common.birth import Birth
from traptor.common.counts import Counters
from traptor.common.files.fillreads import FillReads, FillReadsFile
from traptor.common.files.reads import ReadCounts, ReadsFile
from traptor.common.logs.event import fields
from traptor.common.logs.throttle import Tally
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.posts.head import PostHead
from traptor.worker.posts.paid import included_posts, included_users
from traptor.worker.seen.ids import numbers_of
from traptor.worker.seen.register import Billed

log = logging.getLogger(__name__)


class Bill:
    """Holds what one generation read; the posts among it are counted by the delivery's register."""

    def __init__(self, birth: Birth, delivery: Delivery, settled: Counters) -> None:
        """Take the counters that tell how many posts were of another's filters."""
        self._delivery = delivery
        self._settled = settled
        self.included_users = 0  # added to for every post: a method would cost more than the sum
        place = birth.settings.outbox.state_dir, birth.connection, birth.generation
        self._file = ReadsFile(*place)
        self._fills: dict[int, FillReads] = {}  # by their ids
        self._coming: deque[int] = deque()  # fills of posts that the output has and did not yet keep
        self._fills_file = FillReadsFile(*place)
        self._unkept = Tally()

    @property
    def reads(self) -> dict[str, int]:
        """All that was read so far, by what X bills it as."""
        return {**self._delivery.billed._asdict(), "included_users": self.included_users}

    def add_page(
        self, fill: int, posts: Sequence[str | None], included: Sequence[str | None], users: int
    ) -> dict[str, int]:
        """Count a page of found posts for a fill, and return what is new of it."""
        return self._add(fill, numbers_of(posts), numbers_of(included), users, time.time())

    def add_post(self, fill: int, post: int, head: PostHead, at_s: float) -> dict[str, int]:
        """Count a post that a gap lacked for a fill, and return what is new of it."""
        return self._add(fill, (post,), included_posts(head), included_users(head), at_s)

    def add_dropped(self, post: int, head: PostHead, at_s: float) -> None:
        """Count a post that was taken before, if that was on another day."""
        included = included_posts(head)
        if not self._delivery.is_billed((post, *included), at_s):
            self._delivery.bill((post,), included, at_s, lambda _new: self.write_reads())

    def delivers(self, fill: int) -> None:
        """Count a post that is given to the output next, for a fill, once it is kept."""
        self._coming.append(fill)

    def write_down(self) -> None:
        """Write down what was read so far: what is kept or delivered next must not be without a count."""
        while self._coming:
            self._count(self._coming.popleft(), FillReads(new=1))
        self.write_reads()

    def write_reads(self) -> None:
        """Write down what was read so far, but not that posts which the output has are kept."""
        posts, included = self._delivery.billed
        counts = ReadCounts(posts, included, self.included_users, self._settled.foreign)
        error = self._file.write(counts)
        if error is None and self._fills:
            error = self._fills_file.write(dict(self._fills))
        if error is not None and (count := self._unkept.add("reads")):
            about = fields(error=error.strerror or type(error).__name__, count=count)
            log.error("what was read cannot be written down", extra=about)

    # ---- parts

    def _add(
        self, fill: int, posts: Sequence[int], included: Sequence[int], users: int, at_s: float
    ) -> dict[str, int]:
        """Count it for a fill, and return what is new of it."""
        self.included_users += users
        reads = {"included_users": users}

        def book(new: Billed) -> None:
            reads.update(new._asdict())
            self._count(fill, FillReads(**reads))
            self.write_reads()

        self._delivery.bill(posts, included, at_s, book)
        return reads

    def _count(self, fill: int, more: FillReads) -> None:
        self._fills[fill] = self._fills.get(fill, FillReads()) + more
