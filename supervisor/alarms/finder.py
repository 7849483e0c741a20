"""Derive the current alarms from what the master knows now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from logging import INFO, WARNING

from traptor.common.rules.rule import GroupId
from traptor.common.text import counted
from traptor.supervisor.alarms.alarm import (
    COOLING,
    FOREIGN_FILTERS,
    HEARTBEAT,
    KEYS,
    NOTHING_STREAMS,
    REDIS,
    RULES_SUSPECT,
    RULES_WAIT,
    SYNC_FAILS,
    Alarm,
    Meaning,
    Subject,
)
from traptor.supervisor.apps.app import App
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.waits import MEANINGS, PASSING, Wait
from traptor.supervisor.keys.states import KeyState, KeyStatus
from traptor.supervisor.rules.groups import Group
from traptor.supervisor.rules.redisuses import RedisUse, UseState


class Finder:
    """Finds the alarms; it caches only the number of waiting rules, which is slow to count."""

    def __init__(self) -> None:
        self._counted: dict[str, tuple[tuple[str, str], int]] = {}

    def of_connections(self, connections: Iterable[Connection]) -> list[Alarm]:
        """Return an alarm for each connection that waits with rules, and one when none streams."""
        planned = [c for c in connections if c.is_planned]
        names = {c.name for c in planned}
        self._counted = {name: count for name, count in self._counted.items() if name in names}
        alarms = [alarm for c in planned if (alarm := self._of_connection(c)) is not None]
        return [*alarms, *_nothing_streams(planned, alarms)]

    def _of_connection(self, c: Connection) -> Alarm | None:
        if (silence := c.silence) is not None:
            return _alarm(c, silence, _rules(c), MEANINGS[silence.kind].level)
        if c.wait is None:
            return None
        # The old generation streams while a refresh waits.
        waiting = self._uncollected(c)
        level = min(MEANINGS[c.wait.kind].level, WARNING) if waiting else INFO
        return _alarm(c, c.wait, waiting, level)

    def _uncollected(self, c: Connection) -> int:
        """Return how many of the wanted rules the connection's stream does not carry."""
        assert c.wanted is not None
        assert c.serving is not None
        prints = (c.wanted.spec.rules, c.serving.spec.rules)
        known = self._counted.get(c.name)
        if known is None or known[0] != prints:
            count = len({*c.wanted.rules} - {*c.serving.birth.rules}) if prints[0] != prints[1] else 0
            known = self._counted[c.name] = (prints, count)
        return known[1]


def _alarm(c: Connection, wait: Wait, rules: int, level: int) -> Alarm:
    meaning = MEANINGS[wait.kind]
    return Alarm(
        Subject.CONNECTION,
        c.name,
        wait.kind,
        wait.text,
        meaning.todo,
        level,
        meaning.say_after_s,
        wait.until,
        wait.key,
        rules,
        is_passing=wait.kind in PASSING,
    )


def _nothing_streams(planned: list[Connection], alarms: list[Alarm]) -> Iterator[Alarm]:
    """Yield one alarm when nothing streams; it counts when the last connection's does (no start counts)."""
    if not planned or any(c.streams for c in planned):
        return
    [(why, _)] = Counter(alarm.why for alarm in alarms).most_common(1)
    yield Alarm(
        Subject.ALL,
        "",
        "nothing_streams",
        why,
        NOTHING_STREAMS.todo,
        NOTHING_STREAMS.level,
        max(alarm.say_after_s for alarm in alarms),
        rules=sum(_rules(c) for c in planned),
        connections=len(planned),
    )


def _rules(c: Connection) -> int:
    return len(c.wanted.rules) if c.wanted is not None else 0


def of_keys(keys: Iterable[KeyStatus]) -> Iterator[Alarm]:
    """Yield an alarm for each key that cannot be used as intended."""
    for key in keys:
        meaning = KEYS[key.state]
        rests = key.state is KeyState.COOLING
        if meaning is None or (rests and (key.hindrance is None or not COOLING[key.hindrance])):
            continue
        kind = f"{key.state}:{key.hindrance}" if rests else key.state
        yield Alarm(
            Subject.KEY,
            key.name,
            kind,
            key.reason,
            meaning.todo,
            meaning.level,
            until=key.not_before,
            is_said_elsewhere=meaning.is_said_elsewhere,
        )


def of_groups(groups: Iterable[Group], withheld: Mapping[GroupId, str]) -> Iterator[Alarm]:
    """Yield an alarm for each group whose rules are suspect, or whose heartbeat is withheld."""
    for group in groups:
        if group.suspect:
            why = "Redis no longer has any of its rules; the known ones stream on"
            yield _plain(Subject.GROUP, str(group.id), "rules_suspect", why, RULES_SUSPECT)
    for group_id, why in withheld.items():
        yield _plain(Subject.HEARTBEAT, str(group_id), "withheld", why, HEARTBEAT)


def of_redis(uses: Mapping[RedisUse, UseState]) -> Iterator[Alarm]:
    """Yield an alarm for each use of Redis that fails."""
    for use, state in uses.items():
        if (meaning := REDIS[state.state]) is not None:
            yield _plain(Subject.REDIS, use, state.state, state.error or "", meaning)


def of_apps(apps: Iterable[App]) -> Iterator[Alarm]:
    """Yield the gravest alarm of each app whose filters are not as its rules want them (v2)."""
    for app in apps:
        name, waiting = app.key.name, app.composed.waiting
        if app.is_refusing:
            why = "filters of others stand in the app; none of ours is changed"
            yield _plain(Subject.APP, name, "foreign_filters", why, FOREIGN_FILTERS)
        elif waiting:
            why = f"{counted(len(waiting), 'rule')} without a filter, the first {waiting[0].shown_key}"
            yield _plain(Subject.APP, name, "rules_wait", why, RULES_WAIT)
        elif app.trouble is not None:
            yield _plain(Subject.APP, name, "sync_fails", str(app.trouble), SYNC_FAILS)


def _plain(subject: Subject, name: str, kind: str, why: str, meaning: Meaning) -> Alarm:
    said = meaning.is_said_elsewhere
    return Alarm(subject, name, kind, why, meaning.todo, meaning.level, is_said_elsewhere=said)
