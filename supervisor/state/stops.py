"""The connections that the operator stopped: remembered until the operator starts them again."""

from __future__ import annotations

from collections.abc import Mapping

from traptor.supervisor.state.store import StateStore


class Stops:
    """Keeps them, on disk too; times are Unix seconds. A change that cannot be kept raises TraptorError."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._since = store.load_stops()

    def __contains__(self, connection: str) -> bool:
        return connection in self._since

    def all(self) -> Mapping[str, float]:
        """Return the stopped connections, each with the time of the order."""
        return dict(self._since)

    def since(self, connection: str) -> float | None:
        """Return when the connection was stopped; None: it is not."""
        return self._since.get(connection)

    def add(self, connection: str, now: float) -> None:
        """Remember that the connection was stopped; a second order changes nothing."""
        self._store.save_stop(connection, now)
        self._since.setdefault(connection, now)

    def remove(self, connection: str) -> None:
        """Forget that the connection was stopped."""
        self._store.forget_stop(connection)
        self._since.pop(connection, None)
