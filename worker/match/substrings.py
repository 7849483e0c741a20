"""The wider interpretation of track rules, for tweets in which the documented one finds no rule.

Like the original Traptor it looks for terms anywhere, including inside words and in authors' screen names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import ahocorasick_rs


class SubstringIndex:
    """Finds the track rules whose terms all occur somewhere in a text."""

    def __init__(self, phrases: Mapping[str, Sequence[int]]) -> None:
        """Take folded phrases that are not blank, each with the indexes of its rules."""
        self._phrases = [(tuple(text.split()), tuple(rules)) for text, rules in phrases.items()]
        shared = Counter(term for terms, _ in self._phrases for term in terms)
        rarest = [min(terms, key=lambda term: (shared[term], -len(term))) for terms, _ in self._phrases]
        self._automaton = ahocorasick_rs.AhoCorasick(rarest)

    def match(self, text: str) -> set[int]:
        """Return the indexes of the rules that match a folded text."""
        hits = {number for number, _, _ in self._automaton.find_matches_as_indexes(text, overlapping=True)}
        candidates = (self._phrases[number] for number in hits)
        return {rule for terms, rules in candidates if all(term in text for term in terms) for rule in rules}
