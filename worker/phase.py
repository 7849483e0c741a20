"""Keep what a worker's main thread does, and since when."""

from __future__ import annotations

from traptor.common.messages import Activity


class Phase:
    """Hold the activity of the main thread, which alone changes it; any thread may read it."""

    def __init__(self, now: float) -> None:
        self._entered = (Activity.STARTING, now)
        self._handling_since = 0.0  # 0: no message in hand

    def enter(self, activity: Activity, now: float) -> None:
        """Begin another activity."""
        self._entered = (activity, now)

    def message_came(self, now: float) -> None:
        """Begin to handle a message of the stream."""
        self._handling_since = now

    def message_handled(self) -> None:
        """Go on with the activity in which the message came."""
        self._handling_since = 0.0

    @property
    def reading_since(self) -> float | None:
        """Return since when a stream is opened or read; None in other activities."""
        activity, since = self._entered
        return since if activity is Activity.READING else None

    def activity(self, reaches_since: float | None) -> tuple[Activity, float]:
        """Return the activity and since when; `reaches_since`: since when the output is waited for."""
        handling_since = self._handling_since
        if handling_since:
            return Activity.HANDLING, handling_since
        if reaches_since is not None:
            return Activity.SINK, reaches_since
        return self._entered
