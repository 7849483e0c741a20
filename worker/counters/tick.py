"""What was counted in about a second, and how it is named in Redis."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from traptor.common.rules.rule import Rule


class Matched(Protocol):
    """What was found for some tweets; counted by its identity, as to look at all its rules takes longer."""

    @property
    def rules(self) -> tuple[int, ...]:
        """The indexes of all rules of such a tweet, which do not change."""


@dataclass(frozen=True, slots=True)
class TickPart:
    """Counts of tweets while rules were these; indexes refer to them."""

    rules: Sequence[Rule]
    tweets: Counter[Matched] = field(default_factory=Counter)
    held: dict[int, int] = field(default_factory=dict)  # matches beyond rate limits, by rule


@dataclass(slots=True)
class Tick:
    """Counts since `began` (unix time)."""

    began: float
    received: int = 0  # tweets
    matched: int = 0  # tweets matched by at least one rule
    limited: int = 0  # tweets that the server withheld
    matches: dict[int, int] = field(default_factory=dict)  # by index of the rule
    held: dict[int, int] = field(default_factory=dict)  # matches beyond rate limits, by index of the rule
    parts: list[TickPart] = field(default_factory=list)  # instead of the two, where rules change

    def part(self, rules: Sequence[Rule]) -> TickPart:
        """Return the part for this sequence of rules."""
        if not self.parts or self.parts[-1].rules is not rules:
            self.parts.append(TickPart(rules))
        return self.parts[-1]

    def by_rule(self, rules: Sequence[Rule]) -> Counter[tuple[str, str]]:
        """Return the matches by the group and the name of the rule."""
        counts: Counter[tuple[str, str]] = Counter()
        for rule, count in self._matches(rules):
            counts[_named(rule)] += count
        return counts

    def totals(self, name: str, rules: Sequence[Rule]) -> dict[str, Counter[str]]:
        """Return the counts as fields of the totals' hashes: of `name`, and of the rules' groups."""
        fields = defaultdict(Counter[str], {name: Counter[str]()})
        for (group, rule), count in self.by_rule(rules).items():
            fields[group][rule] += count
        for held_rule, count in self._held(rules):
            group, rule = _named(held_rule)
            fields[f"{group}:held"][rule] += count
        matched = self.matched
        for group, count in self._groups():
            fields[group]["matched"] += count
        for part in self.parts:
            matched += sum(count for found, count in part.tweets.items() if found.rules)
        fields[name].update(received=self.received, matched=matched, limited=self.limited)
        return {hash_name: +counts for hash_name, counts in fields.items()}

    def _matches(self, rules: Sequence[Rule]) -> Iterator[tuple[Rule, int]]:
        for index, count in self.matches.items():
            yield rules[index], count
        for part in self.parts:
            for found, count in part.tweets.items():
                yield from ((part.rules[index], count) for index in found.rules)

    def _held(self, rules: Sequence[Rule]) -> Iterator[tuple[Rule, int]]:
        yield from ((rules[index], count) for index, count in self.held.items())
        for part in self.parts:
            yield from ((part.rules[index], count) for index, count in part.held.items())

    def _groups(self) -> Iterator[tuple[str, int]]:
        """Yield the matched tweets of each group, where rules change."""
        for part in self.parts:
            for found, count in part.tweets.items():
                groups = {str(part.rules[index].group) for index in found.rules}
                yield from ((group, count) for group in groups)


def _named(rule: Rule) -> tuple[str, str]:
    """Return the rule's group, and the rule as it is named in keys."""
    group = str(rule.group)
    return group, f"{group}:{rule.rule_id}"
