"""The register of an app's posts: which were taken, and by whom first.

A post counts as taken from the moment in which it is kept, never before: a worker that is killed in between
took nothing. Workers of one app that stream at the same time judge and keep under one lock (`signs_as`), so
that of two that have the same post in hand one takes it and the other gives way. Whoever keeps posts in its
turn signs the lock until they are recorded. Whoever finds a name there comes after a worker that was killed
in between, and first takes what that one kept (docs/decisions/0032-killed-in-its-turn.md).

The file is an aid: what is wrong with it is said, and memory goes on without it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from traptor.common.birth import API_V2, Birth
from traptor.common.logs.event import fields, lifecycle
from traptor.worker.seen.claims import Claims, KeptPost, Ours, only, ours_of_all
from traptor.worker.seen.log import WordLog
from traptor.worker.seen.memory import Memory
from traptor.worker.seen.words import of_billed, of_time

log = logging.getLogger(__name__)

_LONGEST_WAIT_S: Final = 1.0
_TRY_AGAIN_S: Final = 10.0
_MOST_UNWRITTEN: Final = 1 << 16
_ADOPTED_S: Final = 600.0  # before the last post: what a dead worker kept earlier, it recorded


def register_of(birth: Birth, kept_by: KeptBy) -> Register | None:
    """Return the register that a generation shares; None where posts are not claimed."""
    if birth.settings.api != API_V2:
        return None
    folder = seen_folder(birth.settings.outbox.state_dir, birth.stands_for)
    signs_as = f"{birth.connection}/{birth.generation}" if birth.is_one_of_two else None
    return Register(WordLog(folder), Memory(), kept_by, signs_as=signs_as)


def seen_folder(state_dir: Path, connection: str) -> Path:
    """Return the folder of the posts that an app's workers have taken."""
    return state_dir / "seen" / connection


KeptBy = Callable[[str], Sequence[KeptPost]]
"""Finds the posts that a worker kept last, by the name with which it signed."""


class Billed(NamedTuple):
    """How many posts one worker has read of those that X bills."""

    posts: int  # as a line's own
    included_posts: int


class Register:
    """What one process knows of the register; used by one thread at a time."""

    def __init__(
        self,
        words: WordLog,
        memory: Memory,
        kept_by: KeptBy,
        *,
        signs_as: str | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take what finds the posts that a killed worker kept, and a name where workers take turns."""
        self._log = words
        self._memory = memory
        self._kept_by = kept_by
        self._signs_as = signs_as
        self._is_shared = signs_as is not None
        self._clock = clock
        self._in_hand: set[int] = set()
        self.take_in_hand = self._in_hand.update
        """Records that posts are on their way."""
        self._tried: set[Claims] = set()  # to posts that are billed and could not be kept yet
        self._unwritten: list[int] = []
        self._only_billed: list[int] = []  # words that go with the next posts
        self._billed_posts = self._billed_included = 0
        self._written_at_s = 0  # the time that stands last in the file, as far as known
        self._is_locked = False
        self._waits_from = 0.0  # no wait for the lock before this time (monotonic)
        self._opens_from = 0.0
        self._trouble = ""

    # ---- handling

    def seen(self, posts: Sequence[int]) -> list[bool]:
        """Tell of each whether it was taken lately, is in hand, or comes before among these (any thread)."""
        # In this order: a post in hand is remembered before it is let go.
        earlier = self._in_hand.intersection(posts)
        known = self._memory.known(posts)
        if not earlier and len(set(posts)) == len(posts):  # as nearly always
            return known
        for at, post in enumerate(posts):
            known[at] = known[at] or (post > 0 and post in earlier)
            earlier.add(post)
        return known

    def is_billed(self, posts: Iterable[int], at_s: float) -> bool:
        """Tell whether all of these posts were billed on the day of this moment."""
        return all(post and self._memory.is_billed(post, at_s) for post in posts)

    @property
    def billed(self) -> Billed:
        """What this worker has read so far (any thread)."""
        return Billed(self._billed_posts, self._billed_included)

    # ---- keeping

    def take(self, claims: Sequence[Claims], keep: Callable[[Ours], bool]) -> bool:
        """Take posts in one turn, and settle their claims; return False if `keep` does: nothing is taken.

        `keep` is told which of all the posts are this worker's, and keeps these. By then they are billed, as
        X bills them whether they are kept or not.
        """
        if self._is_shared:
            self._begin()
        try:
            taken: list[int] = []
            first: list[int] = []
            for one in claims:
                if self._is_shared:
                    one.ours = self._ours(one.posts)
                posts = only(one.ours, one.posts)
                taken += posts
                if one not in self._tried:
                    self._bill(posts, only(one.ours, one.included), one.received_at_s, first)
            if self._signs_as is not None and taken:
                self._sign(self._signs_as)
            if not keep(ours_of_all(claims) if self._is_shared else None):
                self._leave(claims, first)
                self._erase()
                return False
            self._taken([*filter(None, taken)])
            self._erase()
            for one in claims:
                self._in_hand.difference_update(one.posts)
            self._tried.difference_update(claims)
        finally:
            if self._is_locked:
                self._end()
        for one in claims:
            one.settle()
        return True

    def bill(
        self,
        posts: Sequence[int],
        included_posts: Sequence[int],
        at_s: float,
        book: Callable[[Billed], object],
    ) -> None:
        """Count posts that X bills though they are not taken.

        `book` is told how many of them are new, before the workers of the app are.
        """
        self._begin()
        try:
            new = Billed(self._bill_untaken(posts, at_s), self._bill_untaken(included_posts, at_s))
            self._billed_posts += new.posts
            self._billed_included += new.included_posts
            book(new)
            self._taken([])
        finally:
            self._end()

    def look(self) -> None:
        """Learn what others have taken."""
        self._begin()
        self._end()

    def adopt(self, kept: Sequence[KeptPost]) -> None:
        """Take what a dead worker kept last: it counted it, and may not have come to record it."""
        self._begin()
        try:
            self._adopt_new(kept)
        finally:
            self._end()

    def _adopt_new(self, kept: Sequence[KeptPost]) -> None:
        since_s = max((one.received_at_s for one in kept), default=0.0) - _ADOPTED_S
        last = [one for one in kept if one.received_at_s >= since_s]
        for at_s, those in groupby(last, lambda one: int(one.received_at_s)):
            if new := [one for one in those if not self._memory.has(one.post)]:
                self._adopt(new, at_s)

    def _adopt(self, kept: Sequence[KeptPost], at_s: int) -> None:
        posts = [one.post for one in kept]
        included = self._memory.bill([post for one in kept for post in one.included if post], at_s)
        self._memory.bill(posts, at_s)
        self._written_at_s = at_s  # the next words get a time of their own
        self._write([of_time(at_s), *map(of_billed, included), *posts])
        self._memory.take(posts)

    # ---- the file

    def open(self) -> None:
        """Read what was taken before."""
        self._open_soon()

    def close(self) -> None:
        """Close the file."""
        self._log.close()

    def _begin(self) -> None:
        """Take the lock, and learn what others have taken."""
        if not self._log.is_open:
            self._open_soon()
        if not self._log.is_open:
            return
        try:
            now = time.monotonic()
            self._is_locked = self._log.lock(_LONGEST_WAIT_S if now >= self._waits_from else 0.0)
            if self._is_locked:
                self._learn(self._log.news())
            elif now >= self._waits_from:
                self._waits_from = time.monotonic() + _TRY_AGAIN_S
                log.warning("another worker keeps the seen posts for itself")
            else:
                return
            if who := self._log.signature():  # killed in its turn, or it hangs there
                self._adopt_new(self._kept_by(who))
                self._erase()
        except OSError as error:
            self._failed(error)

    def _end(self) -> None:
        if not self._is_locked:
            return
        self._is_locked = False
        try:
            self._log.unlock()
        except OSError as error:
            self._failed(error)

    def _sign(self, who: str) -> None:
        """Say who keeps posts, in case that this process is killed before they are recorded."""
        if not self._is_locked:
            return
        try:
            self._log.sign(who)
        except OSError as error:
            self._failed(error)

    def _erase(self) -> None:
        """Say that everything that is kept is recorded; where that failed, the name stays."""
        if not self._is_locked:
            return
        try:
            self._log.erase()
        except OSError as error:
            self._failed(error)

    def _ours(self, posts: Sequence[int]) -> Ours:
        """Tell which of these posts no other worker has taken."""
        known = self._memory.known(posts)
        return [not is_known for is_known in known] if any(known) else None

    def _bill(
        self, posts: Sequence[int], included: Sequence[Sequence[int]], at_s: float, first: list[int]
    ) -> None:
        """Count what X bills for posts and those in their includes; add to `first` what is billed first."""
        done = 0
        if any(included):  # in this order: what stands in the includes of one may come itself
            for number, its in enumerate(included, 1):
                if its:
                    self._billed_posts += self._bill_all(posts[done:number], at_s, first)
                    self._billed_included += self._bill_untaken(its, at_s)
                    done = number
        self._billed_posts += self._bill_all(posts[done:], at_s, first)

    def _bill_all(self, posts: Sequence[int], at_s: float, first: list[int]) -> int:
        """Return how many posts are billed for the first time on this day, and add them to `first`."""
        usual = [*filter(None, posts)]
        new = self._memory.bill(usual, at_s)
        first += new
        return len(posts) - len(usual) + len(new)

    def _bill_untaken(self, posts: Sequence[int], at_s: float) -> int:
        """Do as `_bill_all` for posts that are not taken, and have them written down."""
        first: list[int] = []
        count = self._bill_all(posts, at_s, first)
        self._only_billed += map(of_billed, first)
        return count

    def _leave(self, claims: Sequence[Claims], billed: Sequence[int]) -> None:
        """Write down that posts are billed which could not be kept: another worker may take them."""
        self._tried.update(claims)
        if billed:
            self._only_billed += map(of_billed, billed)
            self._taken([])

    def _taken(self, posts: list[int]) -> None:
        """Write posts down, with what was billed and what else is to be written, and remember them."""
        now, words = self._clock(), posts
        if self._only_billed:
            words, self._only_billed = [*self._only_billed, *words], []
        if not 0 <= now - self._written_at_s < 1.0:
            self._memory.pass_time(now)
            self._written_at_s = int(now)
            words = [of_time(self._written_at_s), *words]
        self._write(words)  # first: a worker that is killed until then has them delivered again
        self._memory.take(posts)

    def _open_soon(self) -> None:
        if time.monotonic() < self._opens_from:
            return
        try:
            for words in self._log.open(_LONGEST_WAIT_S):
                self._learn(words)
        except OSError as error:
            self._failed(error)
            return
        self._memory.pass_time(self._clock())

    def _learn(self, words: Sequence[int]) -> None:
        if words:
            self._written_at_s = int(self._memory.learn(words, self._written_at_s))

    def _write(self, words: list[int]) -> None:
        if self._unwritten:
            words = [*self._unwritten, *words]
        if not words:
            return
        try:
            if self._log.is_open:
                self._log.append(words)
                self._unwritten = []
                self._works()
                return
        except OSError as error:
            self._failed(error)
        self._unwritten = words[-_MOST_UNWRITTEN:]

    def _failed(self, error: OSError) -> None:
        self._log.close()
        self._is_locked = False
        self._opens_from = time.monotonic() + _TRY_AGAIN_S
        if not self._trouble:
            about = fields(error=error.strerror, file=error.filename)
            log.error("seen posts are remembered in memory only", extra=about)
        self._trouble = error.strerror or "unknown"

    def _works(self) -> None:
        if self._trouble:
            self._trouble = ""
            log.info("seen posts are written again", extra=lifecycle())
