"""Track when alarms begin, change and end: log a line for each, and list those that last."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from traptor.common.logs.event import fields
from traptor.supervisor.alarms.alarm import Alarm, Subject
from traptor.supervisor.gaps.interval import instant, iso

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Open:
    """An alarm as it is now, with the start of its subject's trouble and of its present kind."""

    alarm: Alarm
    since: float
    kind_since: float
    is_said: bool = False  # the present kind was logged
    was_said: bool = False  # any kind was logged

    def is_due(self, now: float) -> bool:
        return not self.is_said and now >= self.kind_since + self.alarm.say_after_s


class Watch:
    """Compares the present alarms with what was logged, and logs the difference."""

    def __init__(self) -> None:
        self._open: dict[tuple[Subject, str], _Open] = {}

    def look(self, alarms: Iterable[Alarm], now: float) -> None:
        """Record the alarms at `now` (monotonic seconds)."""
        found = {(alarm.subject, alarm.name): alarm for alarm in alarms}
        for place in [place for place in self._open if place not in found]:
            self._end(self._open.pop(place), now)
        for place, alarm in found.items():
            self._take(place, alarm, now)
        for one in self._open.values():
            if one.is_due(now):
                one.is_said = one.was_said = True
                _say_begin(one.alarm, one.since)

    def lasting(self) -> Iterator[tuple[Alarm, float]]:
        """Yield each alarm that counts, and since when (monotonic seconds)."""
        for one in self._open.values():
            if one.was_said:
                yield one.alarm, one.since

    def _take(self, place: tuple[Subject, str], alarm: Alarm, now: float) -> None:
        one = self._open.get(place)
        if one is None:
            self._open[place] = _Open(alarm, now, now)
        elif (alarm.kind, alarm.key) == (one.alarm.kind, one.alarm.key):
            one.alarm = alarm
        elif not (alarm.is_passing and one.was_said):
            one.alarm, one.kind_since, one.is_said = alarm, now, False

    def _end(self, one: _Open, now: float) -> None:
        if one.was_said and not one.alarm.is_said_elsewhere:
            _say_end(one.alarm, round(now - one.since, 1))


def _say_begin(alarm: Alarm, since: float) -> None:
    if alarm.is_said_elsewhere:
        return
    until = iso(instant(alarm.until).wall) if alarm.until is not None else None
    about = {
        "rules": alarm.rules,
        "why": alarm.why,
        "since": iso(instant(since).wall) if alarm.say_after_s else None,
        "until": until,
        "todo": alarm.todo,
    }
    match alarm.subject:
        case Subject.CONNECTION:
            said = fields(connection=alarm.name, key=alarm.key, **about)
            log.log(alarm.level, "rules are not collected" if alarm.rules else "refresh waits", extra=said)
        case Subject.KEY:
            log.log(alarm.level, "key cannot be used", extra=fields(key=alarm.name, **about))
        case Subject.ALL:
            said = fields(connections=alarm.connections, **about)
            log.log(alarm.level, "nothing streams", extra=said)


def _say_end(alarm: Alarm, lasted_s: float) -> None:
    match alarm.subject:
        case Subject.CONNECTION:
            log.info("rules no longer wait", extra=fields(connection=alarm.name, after_s=lasted_s))
        case Subject.KEY:
            log.info("key trouble is over", extra=fields(key=alarm.name, after_s=lasted_s))
        case Subject.ALL:
            log.info("standstill is over", extra=fields(after_s=lasted_s))
