"""One recovery job: a stream of posts of the past, beside the live one (GET /2/tweets/search/stream).

Facts: X, "Recovery and redundancy": with `start_time` and `end_time` a connection of its own brings the posts
of that time, and ends. Whether it ended early is not said, and the order is not promised.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from traptor.common.birth import WorkerSettings
from traptor.common.fills import FillEnd
from traptor.common.messages import Disconnected, DisconnectKind, PieceFetched, RecoverPiece
from traptor.common.rules.rule import Rule
from traptor.worker.posts.past import Taken, written_at
from traptor.worker.stream.request import Request
from traptor.worker.stream.v2 import V2Stream

_LONGEST_S = 120.0  # then the master decides anew: by the caps, and by what X says


class TakesRecovered(Protocol):
    """A pipeline that takes lines of a recovery, from any thread."""

    def take_recovered(self, fill: int, line: bytes) -> Taken:
        """Deliver the post of a line of a fill's recovery unless it was delivered before."""


class RecoveryStream(V2Stream):
    """The stream of a job."""

    def __init__(
        self, piece: RecoverPiece, settings: WorkerSettings, on_lines: Callable[[Sequence[bytes]], None]
    ) -> None:
        super().__init__(piece.connect, settings, on_open=_nothing, on_lines=on_lines)
        self._times = (("start_time", piece.start_time), ("end_time", piece.end_time))

    def request(self, rules: Sequence[Rule]) -> Request:
        """Return the request for the posts of that time."""
        live = super().request(rules)
        return Request(live.method, live.path, live.auth, (*live.params, *self._times))


class Recovery:
    """Carries out one job; `stop` may be called from any thread."""

    def __init__(
        self,
        piece: RecoverPiece,
        settings: WorkerSettings,
        pipeline: TakesRecovered,
        has_room: Callable[[], bool],
    ) -> None:
        self._piece = piece
        self._pipeline = pipeline
        self._has_room = has_room
        self._stream = RecoveryStream(piece, settings, self._take_all)
        self._until = datetime.fromisoformat(piece.end_time).timestamp()
        self._posts = self._new = 0
        self._reads: dict[str, int] = {}
        self._reached: float | None = None  # when the latest post was written (Unix time)
        self._was_announced = False
        self._lacks_room = False

    def run(self, keep: Callable[[], bool]) -> PieceFetched:
        """Take what X sends until the end, and return what came of it; `keep` commits it to the outbox."""
        timer = threading.Timer(_LONGEST_S, self.stop)
        timer.daemon = True
        timer.start()
        try:
            ended = self._stream.run(())
        finally:
            timer.cancel()
        is_kept = keep() and not self._lacks_room
        return PieceFetched(
            number=self._piece.number,
            end=self._end(ended, is_kept),
            token="" if self._reached is None else f"{self._reached:.3f}",
            posts=self._posts,
            new=self._new,
            reads=self._reads,
            status=ended.status,
            headers=ended.headers,
            detail=ended.detail,
            problem=ended.problem,
        )

    def stop(self) -> None:
        """End it now; the master has the rest fetched."""
        self._stream.stop()

    def _take_all(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            self._take(line)

    def _take(self, line: bytes) -> None:
        if not self._has_room():
            self._lacks_room = True
            self.stop()
            return
        taken = self._pipeline.take_recovered(self._piece.fill, line)
        self._was_announced |= taken.ends
        for kind, count in taken.reads.items():
            self._reads[kind] = self._reads.get(kind, 0) + count
        at = written_at(taken.post_id)
        if at is None:
            return
        self._posts += 1
        self._new += taken.is_new
        if at < self._until:  # an id of a later time would have the rest of the job left out
            self._reached = max(at, self._reached or at)
        if self._posts >= self._piece.most_posts:
            self.stop()

    def _end(self, ended: Disconnected, is_kept: bool) -> FillEnd:
        if ended.status is not None and not ended.streamed:
            return FillEnd.HTTP
        if not is_kept:
            return FillEnd.NO_ROOM
        is_whole = ended.kind is DisconnectKind.SERVER_CLOSE and not self._was_announced
        return FillEnd.DONE if is_whole else FillEnd.NETWORK


def _nothing() -> None:
    return None
