"""Match a post against many filters, at a cost that hardly grows with their number."""

from __future__ import annotations

from itertools import count

from traptor.sandbox.v2.language.facts import Facts
from traptor.sandbox.v2.language.rule import Rule


class FilterIndex:
    """The filters in force, by id; only filters with a necessary key in the post are evaluated."""

    def __init__(self) -> None:
        self._rules: dict[str, tuple[int, Rule]] = {}
        self._by_key: dict[str, set[str]] = {}
        self._without_keys: set[str] = set()
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._rules)

    def add(self, filter_id: str, rule: Rule) -> None:
        """Put a filter in force, replacing one with the same id."""
        self.remove(filter_id)
        self._rules[filter_id] = next(self._numbers), rule
        keys = rule.root.necessary()
        if keys is None:
            self._without_keys.add(filter_id)
        for key in keys or ():
            self._by_key.setdefault(key, set()).add(filter_id)

    def remove(self, filter_id: str) -> None:
        """Remove a filter; an unknown id is ignored."""
        if filter_id not in self._rules:
            return
        _, rule = self._rules.pop(filter_id)
        self._without_keys.discard(filter_id)
        for key in rule.root.necessary() or ():
            filters = self._by_key[key]
            filters.discard(filter_id)
            if not filters:
                del self._by_key[key]

    def candidates(self, facts: Facts) -> set[str]:
        """Return the ids of the filters that may match the post."""
        found = set(self._without_keys)
        for key in facts.keys:
            found.update(self._by_key.get(key, ()))
        return found

    def matching(self, facts: Facts) -> list[str]:
        """Return the ids of the filters that match the post, in the order in which they were added."""
        found = [name for name in self.candidates(facts) if self._rules[name][1].matches(facts)]
        return sorted(found, key=lambda name: self._rules[name][0])
