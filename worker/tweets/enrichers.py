"""Make the enrichers of one generation, which differ by rules, group and method."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from traptor.common.birth import Birth
from traptor.common.logs.event import fields
from traptor.common.logs.throttle import Tally
from traptor.common.rules.rule import GroupId, Rule
from traptor.worker.tweets.enrich import Enricher

log = logging.getLogger(__name__)


class Enrichers:
    """Makes what enriches tweets, and says when rules of one are cut."""

    def __init__(self, birth: Birth, most_bytes: int) -> None:
        self._birth = birth
        self._most_bytes = most_bytes
        self._said = Tally()

    def of(self, rules: Sequence[Rule], group: GroupId | None, filled: str = "") -> Enricher:
        """Return what enriches tweets with these rules; `filled` names how those of a gap were fetched."""
        return Enricher(
            rules,
            self._birth.stands_for,
            self._birth.generation,
            self._birth.settings.api,
            group,
            extras=self._birth.settings.extras,
            filled=filled,
            most_bytes=self._most_bytes,
            on_truncated=self._say_truncated,
        )

    def _say_truncated(self, rules: int) -> None:
        if count := self._said.add("truncated"):
            log.warning("rules of a tweet are cut to their ids", extra=fields(rules=rules, count=count))
