"""How many posts rules would bring, by X's counts of the last seven days: a lower bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from traptor.common.rules.rule import RuleType
from traptor.rulekit.lookups.accounts import Progress
from traptor.rulekit.lookups.queries import queries_of
from traptor.rulekit.lookups.question import XRefused

if TYPE_CHECKING:
    from traptor.rulekit.lookups.asker import Asker

_PATH = "/2/tweets/counts/recent"
_DAYS = 7.0


@dataclass(frozen=True, slots=True)
class Volume:
    """Posts a day of one rule; `reason` says why they are not known."""

    rule_id: str
    value: str
    posts_a_day: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is to be asked about one rule."""

    rule_id: str
    value: str
    queries: tuple[str, ...]
    reason: str = ""


def inquiry(rule_type: RuleType, rule_id: str, value: str, values: Sequence[str]) -> Inquiry:
    """Return what is to be asked about a rule; nothing, where it cannot be."""
    try:
        return Inquiry(rule_id, value, tuple(queries_of(rule_type, values)))
    except ValueError as error:
        return Inquiry(rule_id, value, (), str(error))


def volumes(asker: Asker, inquiries: Sequence[Inquiry], progress: Progress) -> list[Volume]:
    """Return the volume of each rule. A query that X refuses concerns its own rule only."""
    found = []
    for number, one in enumerate(inquiries, start=1):
        found.append(_volume(asker, one))
        progress(number, len(inquiries))
    return found


def _volume(asker: Asker, one: Inquiry) -> Volume:
    if one.reason:
        return Volume(one.rule_id, one.value, reason=one.reason)
    posts = 0
    try:
        for query in one.queries:
            posts += _total(asker.get(_PATH, {"query": query, "granularity": "day"}))
    except XRefused as error:
        return Volume(one.rule_id, one.value, reason=str(error))
    return Volume(one.rule_id, one.value, posts / _DAYS)


def _total(answer: dict[str, object]) -> int:
    meta = answer.get("meta")
    total = meta.get("total_tweet_count") if isinstance(meta, dict) else None
    if not isinstance(total, int):
        raise XRefused(f"{_PATH}: the answer has no total")
    return total
