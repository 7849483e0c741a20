"""The alarms of one master: checked once a second, logged, and shown in the status."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from traptor.common.rules.rule import GroupId
from traptor.supervisor.alarms.alarm import Alarm
from traptor.supervisor.alarms.finder import Finder, of_apps, of_groups, of_keys, of_redis
from traptor.supervisor.alarms.watch import Watch
from traptor.supervisor.apps.app import App
from traptor.supervisor.connections.context import Context
from traptor.supervisor.rules.groups import Groups
from traptor.supervisor.rules.redisuses import RedisUse, UseState

_LOOK_INTERVAL_S = 1.0


class Alarms:
    """Checks connections, keys, groups, Redis and apps, and keeps what is wrong with them."""

    def __init__(
        self,
        context: Context,
        groups: Groups,
        withheld: Callable[[], Mapping[GroupId, str]],
        uses: Callable[[], Mapping[RedisUse, UseState]],
        apps: Iterable[App] = (),
    ) -> None:
        self._context = context
        self._groups = groups
        self._withheld = withheld
        self._uses = uses
        self._apps = apps
        self._finder = Finder()
        self._watch = Watch()

    async def run(self) -> None:
        """Check until cancelled; a stopping master raises no alarm."""
        while True:
            if not self._context.stopping:
                self.look(time.monotonic())
            await asyncio.sleep(_LOOK_INTERVAL_S)

    def look(self, now: float) -> None:
        """Log the alarms that began and those that ended."""
        alarms = [
            *self._finder.of_connections(self._context.connections.values()),
            *of_keys(self._context.pool.statuses(now)),
            *of_groups(self._groups.all(), self._withheld()),
            *of_redis(self._uses()),
            *of_apps(self._apps),
        ]
        self._watch.look(alarms, now)

    def status(self, now: float) -> list[dict[str, Any]]:
        """Return the lasting alarms, the gravest first; times are Unix seconds."""
        lasting = sorted(self._watch.lasting(), key=lambda one: (-one[0].level, one[1]))
        return [_shown(alarm, since, time.time() - now) for alarm, since in lasting]


def _shown(alarm: Alarm, since: float, offset_s: float) -> dict[str, Any]:
    return {
        "what": alarm.subject,
        "name": alarm.name,
        "level": logging.getLevelName(alarm.level),
        "why": alarm.why,
        "since": round(since + offset_s, 3),
        "until": None if alarm.until is None else round(alarm.until + offset_s, 3),
        "todo": alarm.todo,
        "key": alarm.key,
        "rules": alarm.rules,
    }
