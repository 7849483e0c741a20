"""The rules that stand in Redis, as a loader sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from traptor.common.rules.invisible import without_invisible
from traptor.common.rules.normalise import Found, read_rule
from traptor.common.rules.rule import GroupId, Limits, Rejected, RuleType
from traptor.common.rules.values import read_values
from traptor.rulekit.changes.change import Fields

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """One rule's hash."""

    key: str
    group: GroupId
    rule_id: str
    fields: Fields

    def judged(self, honour_status: bool, limits: Limits) -> Found:
        """Return what the supervisor makes of it."""
        return read_rule(self.key, self.fields, honour_status, limits)


@dataclass(frozen=True, slots=True)
class Holdings:
    """The rules of one type, by key; `unusable` are keys under its prefix that hold no rule.

    `left_out` is how many rules more each group has, where only some were of interest.
    """

    rules: tuple[Stored, ...] = field(repr=False)
    unusable: tuple[Rejected, ...] = ()
    revisions: Mapping[GroupId, bytes | None] = field(default_factory=dict)
    left_out: Mapping[GroupId, int] = field(default_factory=dict)

    @property
    def groups(self) -> tuple[GroupId, ...]:
        """The groups that have rules."""
        return tuple(sorted({*(rule.group for rule in self.rules), *self.left_out}))

    def counts(self) -> Counter[GroupId]:
        """Return how many rules each group has."""
        return Counter(rule.group for rule in self.rules) + Counter(self.left_out)

    def of(self, groups: Iterable[GroupId]) -> Holdings:
        """Return the rules of these groups alone."""
        wanted = frozenset(groups)
        return replace(
            self,
            rules=tuple(rule for rule in self.rules if rule.group in wanted),
            left_out={group: count for group, count in self.left_out.items() if group in wanted},
        )

    def by_id(self) -> dict[str, Stored]:
        """Return the rules by rule id; of several with one id, the first by key."""
        found: dict[str, Stored] = {}
        for rule in self.rules:
            found.setdefault(rule.rule_id, rule)
        return found


def values_of(rule_type: RuleType, fields: Fields) -> Values:
    """Return the distinct values that a hash contributes to its group; none when it is invalid."""
    hashtag = rule_type is RuleType.TRACK and fields.get("orig_type", "").strip().lower() == "hashtag"
    try:
        text, _ = without_invisible(fields["value"])
        return read_values(rule_type, text, hashtag=hashtag)
    except (KeyError, ValueError):
        return ()
