"""Keep the latest messages while somebody asks for them, and only then."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence

from traptor.common.messages import Sample
from traptor.worker.outbox.message import Outgoing

MOST_MESSAGES = 1000
MOST_BYTES = 4 << 20
_PIECE_BYTES = 256 << 10  # a frame holds at most 1 MiB
_ASKED_S = 5.0  # who listens asks at least every second


class Sampler:
    """Keeps them from the main thread; the link thread takes them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0  # somebody asks; monotonic seconds
        self._kept: deque[bytes] = deque()
        self._bytes = 0
        self._skipped = 0

    def offer(self, messages: Sequence[Outgoing]) -> None:
        """Keep tweets and posts, and no other messages, if somebody asks."""
        if self._until and not self._keep(messages, time.monotonic()):
            self._until = 0.0

    def _keep(self, messages: Sequence[Outgoing], now: float) -> bool:
        with self._lock:
            if now >= self._until:
                self._clear()
                return False
            for message in messages:
                if message.tweet_id is not None:
                    self._add(message.body)
            return True

    def _add(self, message: bytes) -> None:
        self._kept.append(message)
        self._bytes += len(message)
        while len(self._kept) > MOST_MESSAGES or self._bytes > MOST_BYTES:
            self._bytes -= len(self._kept.popleft())
            self._skipped += 1

    def take(self, now: float) -> Iterator[Sample]:
        """Yield what was kept since the last call, in pieces, and keep for some seconds more."""
        with self._lock:
            kept, skipped = list(self._kept), self._skipped
            self._clear()
            self._until = now + _ASKED_S
        pieces = list(_pieces(kept))
        skipped += len(kept) - sum(map(len, pieces))
        for number, piece in enumerate(pieces, start=1):
            is_last = number == len(pieces)
            yield Sample(piece, skipped if is_last else 0, is_last)

    def _clear(self) -> None:
        self._kept.clear()
        self._bytes = self._skipped = 0


def _pieces(messages: list[bytes]) -> Iterator[list[bytes]]:
    """Cut into pieces that fit into a frame each; a message that is too large for one is left out."""
    piece: list[bytes] = []
    size = 0
    for message in messages:
        if len(message) > 3 * _PIECE_BYTES:
            continue
        if piece and size + len(message) > _PIECE_BYTES:
            yield piece
            piece, size = [], 0
        piece.append(message)
        size += len(message)
    yield piece
