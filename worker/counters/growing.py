"""Rules that change while they are counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from traptor.common.rules.rule import Rule


class CountedRules:
    """Numbers rules as they match, the same rule always alike; the main thread calls it.

    A changed rule keeps its number while it keeps its name. Only rules that ever matched take memory.
    """

    def __init__(self) -> None:
        self.by_number: list[Rule] = []  # grows only, for the thread that writes the counts
        self._numbers: dict[tuple[str, str], int] = {}
        self._rules: Sequence[Rule] = ()
        self._known: dict[int, tuple[int, str]] = {}  # number and group by index

    def use(self, rules: Sequence[Rule]) -> None:
        """Take the rules that indexes refer to from now on."""
        self._rules = rules
        self._known = {}

    def of(self, indexes: Sequence[int]) -> tuple[list[int], Iterable[str]]:
        """Return the numbers of the rules with these indexes, and their groups, each once."""
        known = self._known
        found = [known.get(index) or self._learn(index) for index in indexes]
        if len(found) == 1:
            return [found[0][0]], (found[0][1],)
        return [number for number, _ in found], {group for _, group in found}

    def _learn(self, index: int) -> tuple[int, str]:
        rule = self._rules[index]
        name = (rule.key, rule.rule_id)
        if name not in self._numbers:
            self.by_number.append(rule)
            self._numbers[name] = len(self.by_number) - 1
        self._known[index] = self._numbers[name], str(rule.group)
        return self._known[index]
