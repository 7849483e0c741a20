"""Log lines about rules that cannot be streamed: each when it begins, and when it ends."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from traptor.common.logs.event import fields
from traptor.common.rules.rule import Rejected

log = logging.getLogger(__name__)


def say_rejected(before: Sequence[Rejected], now: Sequence[Rejected]) -> None:
    """Log which rules are rejected now and were not before, or for another reason, and the reverse."""
    if before is now:
        return
    known = {(rule.key, rule.reason) for rule in before}
    for rule in now:
        if (rule.key, rule.reason) not in known:
            log.warning("rule rejected", extra=fields(key=rule.shown_key, reason=rule.reason))
    still = {rule.key for rule in now}
    for rule in before:
        if rule.key not in still:
            log.info("rule no longer rejected", extra=fields(key=rule.shown_key))
