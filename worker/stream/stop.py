"""The order to end a stream."""

from __future__ import annotations

from traptor.common.messages import DisconnectKind

# Time to handle what had arrived before the order.
_HANDLE_S = 0.5


class Stop:
    """Holds whether a stream is to end, and how that is called; any thread may order it."""

    def __init__(self) -> None:
        self._kind: DisconnectKind | None = None
        self._handle_by = 0.0

    @property
    def kind(self) -> DisconnectKind | None:
        """The kind of end; None while none was ordered."""
        return self._kind

    def order(self, kind: DisconnectKind, now: float) -> None:
        """Order the stream's end; the first order sets the kind, each the time for what has arrived."""
        self._handle_by = now + _HANDLE_S
        self._kind = self._kind or kind

    def is_over(self, now: float) -> bool:
        """Tell whether what has arrived has had its time, too."""
        return self._kind is not None and now > self._handle_by
