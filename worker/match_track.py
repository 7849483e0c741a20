"""Track rules: which phrases a tweet holds, at a cost that grows with the tweet and hardly with the rules.

Each phrase is filed under one word that any tweet holding the phrase has among its pieces: the one that the
fewest phrases share, and of these the longest, so that common words collect no crowd. A tweet's pieces are
looked up; only phrases filed under one of them are compared in full.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from traptor.worker.tokens import is_tag, pieces_of
from traptor.worker.words import Words

_ONE_NAME = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Phrase:
    """The terms of one phrase by what they are compared with, and the indexes of the rules that have it."""

    terms: frozenset[str]
    pieces: frozenset[str]
    tags: frozenset[str]
    whole: frozenset[str]
    rules: tuple[int, ...]

    @classmethod
    def of(cls, text: str, rules: Sequence[int]) -> Phrase:
        """Part a folded phrase at blanks and sort its terms."""
        terms = frozenset(text.split())
        pieces = frozenset(term for term in terms if pieces_of(term) == [term])
        tags = frozenset(term for term in terms - pieces if is_tag(term))
        return cls(terms, pieces, tags, terms - pieces - tags, tuple(rules))

    def is_in(self, words: Words) -> bool:
        """Tell whether every term occurs."""
        # Whatever a term is compared with stands in the text as it is; most phrases end here.
        return all(term in words.text for term in self.terms) and (
            self.pieces <= words.piece_set
            and (not self.tags or self.tags <= words.tags)
            and (not self.whole or self.whole <= words.whole)
        )

    def sure_words(self) -> frozenset[str]:
        """Return words that are all among the pieces of any text holding the phrase."""
        return self.pieces | {tag[1:] for tag in self.tags}

    def alternatives(self) -> list[frozenset[str]]:
        """Return sets of words; any text holding the phrase has at least one of them wholly among its pieces.

        Empty when the phrase is nothing but punctuation.
        """
        sure = self.sure_words()
        if sure:
            return [sure]
        readings = [_readings(term) for term in sorted(self.whole)]
        return next((reading for reading in readings if reading), [])


def _readings(term: str) -> list[frozenset[str]]:
    """Return the ways in which a term with punctuation inside may have fallen into pieces within a tweet.

    A mark at its start makes a tag, but not after a slash; a name with `_` inside may itself be a tag's.
    """
    readings = {frozenset(pieces_of(term)), frozenset(pieces_of(f"/{term}"))}
    if _ONE_NAME.fullmatch(term):
        readings.add(frozenset((term,)))
    return [] if frozenset() in readings else list(readings)


@dataclass(slots=True)
class _File:
    """What is filed under one word: the rules that ask for no more than it, and phrases to compare."""

    rules: list[int]
    phrases: list[Phrase]


class TrackIndex:
    """Finds the track rules that a tweet matches."""

    def __init__(self, phrases: Mapping[str, Sequence[int]]) -> None:
        """Take folded phrases that are not blank, each with the indexes of its rules."""
        filed = [Phrase.of(text, rules) for text, rules in phrases.items()]
        shared = Counter(word for phrase in filed for reading in phrase.alternatives() for word in reading)
        self._files: dict[str, _File] = {}
        self._unfiled: list[Phrase] = []
        for phrase in filed:
            self._file(phrase, shared)
        self._keys = frozenset(self._files)

    def _file(self, phrase: Phrase, shared: Mapping[str, int]) -> None:
        readings = phrase.alternatives()
        if not readings:
            self._unfiled.append(phrase)
        for key in {min(reading, key=lambda word: (shared[word], -len(word), word)) for reading in readings}:
            file = self._files.setdefault(key, _File([], []))
            if phrase.terms == phrase.pieces == {key}:
                file.rules.extend(phrase.rules)
            else:
                file.phrases.append(phrase)

    def match(self, text: str) -> set[int]:
        """Return the indexes of the rules that match a folded text."""
        words = Words(text)
        found: set[int] = set()
        for key in self._keys.intersection(words.pieces):
            file = self._files[key]
            found.update(file.rules)
            for phrase in file.phrases:
                if phrase.is_in(words):
                    found.update(phrase.rules)
        for phrase in self._unfiled:
            if phrase.is_in(words):
                found.update(phrase.rules)
        return found
