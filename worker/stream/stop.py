"""Keep the order to end a stream."""

from __future__ import annotations

from traptor.common.messages import DisconnectKind

# How long what has arrived before the order may be handled after it.
_HANDLE_S = 0.5


class Stop:
    """Hold whether a stream is to end, and how that is called; any thread may order it."""

    def __init__(self) -> None:
        self._kind: DisconnectKind | None = None
        self._handle_by = 0.0

    @property
    def kind(self) -> DisconnectKind | None:
        """Return how the stream ends; None while nobody has ordered it."""
        return self._kind

    def order(self, kind: DisconnectKind, now: float) -> None:
        """Have the stream end; the first order says how, each gives what has arrived its time."""
        self._handle_by = now + _HANDLE_S
        self._kind = self._kind or kind

    def is_over(self, now: float) -> bool:
        """Return whether what has arrived has had its time, too."""
        return self._kind is not None and now > self._handle_by
