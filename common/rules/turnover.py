"""The rules that left and joined since another time: what was worked out for the rest stays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from traptor.common.rules.rule import Rule


@dataclass(frozen=True, slots=True)
class Turnover:
    """Rules of the earlier time that are no longer there, and rules that were not there; each in order.

    A changed rule leaves as it was, and joins as it is.
    """

    left: tuple[Rule, ...]
    joined: tuple[Rule, ...]

    @property
    def values(self) -> set[str]:
        """Return the values of these rules."""
        return {value for rule in (*self.left, *self.joined) for value in rule.values}


def alike(before: Sequence[Rule], now: Sequence[Rule]) -> int:
    """Return how many rules are the same from the beginning."""
    count = 0
    for one, other in zip(before, now, strict=False):
        if one is not other and one.digest != other.digest:
            break
        count += 1
    return count


def turnover(before: Sequence[Rule], now: Sequence[Rule]) -> Turnover:
    """Return the turnover; where little has changed, each rule is passed by once."""
    first = alike(before, now)
    last = alike(before[:first:-1], now[:first:-1]) if first < min(len(before), len(now)) else 0
    old, new = before[first : len(before) - last], now[first : len(now) - last]
    had, has = _digests(old), _digests(new)
    return Turnover(
        tuple([rule for rule in old if rule.digest not in has]),
        tuple([rule for rule in new if rule.digest not in had]),
    )


def _digests(rules: Iterable[Rule]) -> set[int]:
    return {rule.digest for rule in rules}
