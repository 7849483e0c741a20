"""Find rules that come twice in a source, in bounded memory."""

from __future__ import annotations

from enum import Enum, auto

from traptor.rulekit.changes.wanted import Wanted, other_content


class Coming(Enum):
    """How a rule comes in its source."""

    FIRST = auto()
    AGAIN = auto()  # word for word


class Doubles:
    """Remembers the first `most` rules of a source, by hashes of their ids and contents."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: dict[int, tuple[int, int]] = {}  # by id: the row, and the content

    def note(self, rule: Wanted) -> Coming:
        """Return how the rule comes. Raises ValueError when its id came before with other content."""
        name, content = hash(rule.rule_id), hash(frozenset(rule.fields.items()))
        first = self._seen.get(name)
        if first is None:
            if len(self._seen) < self._most:
                self._seen[name] = (rule.number, content)
            return Coming.FIRST
        if first[1] != content:
            raise ValueError(other_content(rule.rule_id, first[0]))
        return Coming.AGAIN
