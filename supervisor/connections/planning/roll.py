"""Creates and forgets connections: the only place that changes which there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from traptor.common.config.settings import Settings
from traptor.common.rules.rule import GroupId, fingerprint
from traptor.supervisor.connections.connection import Connection, WantedGeneration
from traptor.supervisor.connections.context import Context
from traptor.supervisor.gaps.interval import Instant, instant
from traptor.supervisor.gaps.second import SecondTracker
from traptor.supervisor.gaps.timeline import GapTracker
from traptor.supervisor.workers.crashes import CrashBackoff, RestartLimits
from traptor.supervisor.workers.leftovers import first_of, is_app_connection, is_second, parse_connection
from traptor.supervisor.workers.spec import Spec


class Roll:
    """The connections of a context; `timeline_of` returns a connection's timeline, begun at that time."""

    def __init__(self, context: Context, timeline_of: Callable[[str, Instant], GapTracker]) -> None:
        self._context = context
        self._timeline_of = timeline_of
        self._parts: dict[GroupId, dict[int, Connection]] = {}

    def parts_of(self, group: GroupId) -> Mapping[int, Connection]:
        """Return the connections of a group, by part."""
        return self._parts.get(group, {})

    def connection(self, name: str, now: float) -> Connection | None:
        """Return the connection of this name, created if there is none; None for an invalid name."""
        if (c := self._context.connections.get(name)) is not None:
            return c
        group, part = None, 1
        if not is_app_connection(name):
            try:
                group, part = parse_connection(name)
            except ValueError:
                return None
        limits = restart_limits(self._context.settings)
        c = self._context.connections[name] = Connection(
            name=name,
            group=group,
            part=part,
            crashes=CrashBackoff(limits, self._context.rng),
            refresh_crashes=CrashBackoff(limits, self._context.rng),
            gaps=self._timeline(name, now),
            is_stopped=name in self._context.stops,
        )
        if group is not None:
            self._parts.setdefault(group, {})[part] = c
        return c

    def _timeline(self, name: str, now: float) -> GapTracker:
        if not is_second(name):
            return self._timeline_of(name, instant(now))
        first = self.connection(first_of(name), now)
        assert first is not None
        return SecondTracker(name, instant(now), first.gaps)

    def forget(self, c: Connection) -> None:
        """Forget a connection that is not planned and has no process."""
        del self._context.connections[c.name]
        if c.group is None:
            return
        parts = self._parts[c.group]
        del parts[c.part]
        if not parts:
            del self._parts[c.group]

    def wanted_of_drain_worker(self) -> WantedGeneration:
        """Return the inputs of a generation that streams nothing."""
        settings = self._context.worker_settings
        return WantedGeneration((), settings, Spec(fingerprint(()), settings.fingerprint, 0))


def restart_limits(settings: Settings) -> RestartLimits:
    """Return the options for restarts."""
    supervisor = settings.supervisor
    return RestartLimits(
        supervisor.restart_backoff, supervisor.restart_backoff_max, supervisor.restart_reset_after
    )
