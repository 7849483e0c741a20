"""Log lines about an app's filters: each finding once, when it appears and when it goes."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from traptor.common.logs.event import fields
from traptor.common.rules.rule import Rejected
from traptor.supervisor.apps.wanted.composed import Composed
from traptor.supervisor.filters.sync.runner import SyncOutcome
from traptor.supervisor.rules.rejections import say_rejected
from traptor.supervisor.xapi.answers import ListedFilter
from traptor.supervisor.xapi.failures import XFailure

log = logging.getLogger(__name__)

_SHOWN = 5
_DELETED_IN_A_LINE = 10


class Announcements:
    """Remembers what was said about one app."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._refused: tuple[Rejected, ...] = ()
        self._suffixes: frozenset[str] = frozenset()
        self._waiting = 0
        self._foreign: frozenset[str] = frozenset()
        self._strange: frozenset[str] = frozenset()
        self._trouble = ""

    def take(self, composed: Composed, outcome: SyncOutcome | None, foreign_level: int) -> None:
        """Log what changed of the rules without a filter, and of others' filters, these at this level."""
        self._take_suffixes(composed)
        of_suffixes = {*composed.suffixes.values()}
        refused = tuple(rule for rule in composed.refused if rule.reason not in of_suffixes)
        say_rejected(self._refused, refused)
        self._refused = refused
        self._take_waiting(composed)
        foreign = outcome.difference.foreign if outcome is not None else ()
        if (ids := frozenset(one.id for one in foreign)) != self._foreign:
            self._foreign = ids
            if not ids:
                log.info("filters of others are gone", extra=fields(key=self._name))
                return
            log.log(foreign_level, "filters of others stand in the app", extra=self._about(foreign))

    def take_deleted(self, filters: Sequence[ListedFilter]) -> None:
        """Log each of the filters of others that were deleted, whole: their owner may want them back."""
        for start in range(0, len(filters), _DELETED_IN_A_LINE):
            batch = filters[start : start + _DELETED_IN_A_LINE]
            deleted = [{"id": one.id, "value": one.value, "tag": one.tag} for one in batch]
            log.warning(
                "filters of others deleted",
                extra=fields(key=self._name, filters=len(deleted), deleted=deleted),
            )

    def take_look(self, vanished: Sequence[ListedFilter], strange: Sequence[ListedFilter]) -> None:
        """Log filters that are gone though nothing here deleted them, and those that were added elsewhere."""
        if vanished:
            log.warning("filters vanished at X", extra=self._about(vanished))
        ids = frozenset(one.id for one in strange)
        if ids - self._strange:
            log.error("another program changes the app's filters", extra=self._about(strange))
        elif self._strange and not ids:
            log.info("no other program's filters are left", extra=fields(key=self._name))
        self._strange = ids

    def _about(self, filters: Sequence[ListedFilter]) -> dict[str, object]:
        return fields(key=self._name, filters=len(filters), first=[one.value for one in filters[:_SHOWN]])

    def take_trouble(self, trouble: XFailure | None, effect: str) -> None:
        """Log a trouble of the sync when it begins or changes in kind, with its effect, and its end."""
        kind = type(trouble).__name__ if trouble is not None else ""
        if kind == self._trouble:
            return
        self._trouble = kind
        if trouble is not None:
            log.warning(
                "filters cannot be changed",
                extra=fields(key=self._name, error=str(trouble), effect=effect),
            )
        else:
            log.info("filters can be changed again", extra=fields(key=self._name))

    def _take_suffixes(self, composed: Composed) -> None:
        suffixes = composed.suffixes
        for suffix in suffixes.keys() - self._suffixes:
            why = suffixes[suffix]
            about = fields(
                key=self._name,
                rules=sum(rule.reason == why for rule in composed.refused),
                why=why,
                effect="the filters of before stay as they are",
                todo="correct [traptor] suffix",
            )
            log.error("suffix refused", extra=about)
        for suffix in self._suffixes - suffixes.keys():
            log.info("suffix is no longer refused", extra=fields(key=self._name, suffix=suffix))
        self._suffixes = frozenset(suffixes)

    def _take_waiting(self, composed: Composed) -> None:
        waiting = composed.waiting
        if len(waiting) == self._waiting:
            return
        self._waiting = len(waiting)
        if waiting:
            first = waiting[0]
            log.error(
                "rules wait for a filter",
                extra=fields(key=self._name, rules=len(waiting), first=first.shown_key, reason=first.reason),
            )
        else:
            log.info("no rule waits for a filter", extra=fields(key=self._name))
