"""Track rules: find the phrases in a tweet, at a cost that grows with the tweet and hardly with the rules.

Each phrase is filed under one word that any tweet containing the phrase has among its pieces: the word that
the fewest phrases share, and of these the longest, so that few phrases gather under common words. One pass
over a tweet's pieces finds the words; only phrases filed under one of them are compared in full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import ahocorasick_rs

from traptor.worker.match.named import with_named
from traptor.worker.match.tags import MARKS, is_tag
from traptor.worker.match.tokens import ascii_pieces, blanked, blanked_pieces, pieces_of
from traptor.worker.match.words import Words


@dataclass(frozen=True, slots=True)
class Phrase:
    """The terms of one phrase, by what they are compared with, and the indexes of its rules."""

    terms: frozenset[str]
    pieces: frozenset[str]
    tags: frozenset[str]
    whole: frozenset[str]
    rules: tuple[int, ...]
    blanked: tuple[bytes, ...]  # the pieces in the form of `Words.pieces`

    @classmethod
    def of(cls, text: str, rules: Sequence[int]) -> Phrase:
        """Split a folded phrase at blanks and sort its terms."""
        terms = frozenset(text.split())
        pieces = frozenset(term for term in terms if pieces_of(term) == [term])
        tags = frozenset(term for term in terms - pieces if is_tag(term))
        return cls(terms, pieces, tags, terms - pieces - tags, tuple(rules), tuple(map(blanked, pieces)))

    def is_in(self, words: Words) -> bool:
        """Tell whether every term occurs."""
        for piece in self.blanked:
            if piece not in words.pieces:
                return False
        for tag in self.tags:
            if not words.has_tag(tag):
                return False
        return not self.whole or all(map(words.has_whole, self.whole))

    def sure_words(self) -> frozenset[str]:
        """Return words that are all among the pieces of any text containing the phrase."""
        return self.pieces | {tag[1:] for tag in self.tags}

    def alternatives(self) -> list[frozenset[str]]:
        """Return sets of words; any text with the phrase has all words of at least one set among its pieces.

        Empty when the phrase is nothing but punctuation.
        """
        sure = self.sure_words()
        if sure:
            return [sure]
        readings = [_readings(term) for term in sorted(self.whole)]
        return next((reading for reading in readings if reading), [])


def _readings(term: str) -> list[frozenset[str]]:
    """Return the ways in which a term with inner punctuation may have been split within a tweet.

    A mark at its start makes a tag, but not after a slash; and it may be named by an entity.
    """
    readings = {frozenset(pieces_of(term)), frozenset(pieces_of(f"/{term}"))}
    readings.add(frozenset((term[1:] if term[0] in MARKS else term,)))
    return [] if frozenset() in readings else list(readings)


def _rarest(words: Iterable[str], shared: Mapping[str, int]) -> str:
    return min(words, key=lambda word: (shared[word], -len(word), word))


class TrackIndex:
    """Finds the track rules that a tweet matches."""

    def __init__(self, phrases: Mapping[str, Sequence[int]]) -> None:
        """Take folded phrases that are not blank, each with the indexes of its rules."""
        filed = [Phrase.of(text, rules) for text, rules in phrases.items()]
        shared = Counter(word for phrase in filed for reading in phrase.alternatives() for word in reading)
        files: dict[str, _File] = {}
        self._unfiled: list[Phrase] = []
        for phrase in filed:
            readings = phrase.alternatives()
            if not readings:
                self._unfiled.append(phrase)
            for key in {_rarest(reading, shared) for reading in readings}:
                files.setdefault(key, _File()).add(key, phrase)
        # Blanks around the words turn a substring search into a word search.
        automaton = ahocorasick_rs.BytesAhoCorasick([blanked(key) for key in files])
        self._find = automaton.find_matches_as_indexes
        self._files = list(files.values())
        self._is_ascii = all(map(str.isascii, phrases))  # other pieces of a text do not matter then

    def match(self, text: str, tags: Sequence[str] = ()) -> set[int]:
        """Return the indexes of the rules that match a text and the tags that entities name in it."""
        text, named, names = with_named(text, tags) if tags else (text, b"", b"")
        if self._is_ascii and not text.isascii() and (likely := ascii_pieces(text)) is not None:
            written, pieces = likely[0] + names, likely[1] + names
            hits = self._find(pieces, True)
            found, because = self._rules(hits, text, named, pieces)
            if _are_words(hits, because, written, pieces):
                return found
        pieces = blanked_pieces(text) + names
        return self._rules(self._find(pieces, True), text, named, pieces)[0]

    def _rules(
        self, hits: Sequence[tuple[int, int, int]], text: str, named: bytes, pieces: bytes
    ) -> tuple[set[int], list[bytes]]:
        """Return the rules of the phrases filed under a word found that occur, and their other pieces."""
        found: set[int] = set()
        because: list[bytes] = []
        phrases = self._unfiled
        for number in {number for number, _start, _end in hits}:  # a word may occur often
            file = self._files[number]
            if file.rules:
                found.update(file.rules)
            for others, rules in file.worded:
                for piece in others:
                    if pieces.find(piece) < 0:  # `in` takes half as long again, as it tries numbers first
                        break
                else:
                    found.update(rules)
                    because += others
            if file.phrases:
                phrases = phrases + file.phrases
        if phrases:
            words = Words(text, named, pieces)
            for phrase in phrases:
                if phrase.is_in(words):
                    found.update(phrase.rules)
                    because += phrase.blanked
        return found, because


def _are_words(
    hits: Sequence[tuple[int, int, int]], others: Sequence[bytes], written: bytes, pieces: bytes
) -> bool:
    """Tell whether all these pieces stand between ASCII, so that no word goes on there (`ascii_pieces`)."""
    for _number, start, end in hits:
        if written[start] > 0x7F or written[end - 1] > 0x7F:
            return False
    for piece in others:
        start = pieces.find(piece)
        if written[start] > 0x7F or written[start + len(piece) - 1] > 0x7F:
            return False
    return True


@dataclass(frozen=True, slots=True)
class _File:
    """Phrases filed under one word: rules that need no more, those that need further pieces, and the rest."""

    rules: list[int] = field(default_factory=list)
    worded: list[tuple[tuple[bytes, ...], tuple[int, ...]]] = field(default_factory=list)
    phrases: list[Phrase] = field(default_factory=list)

    def add(self, key: str, phrase: Phrase) -> None:
        if phrase.terms != phrase.pieces:
            self.phrases.append(phrase)
        elif others := tuple(map(blanked, phrase.pieces - {key})):
            self.worded.append((others, phrase.rules))
        else:
            self.rules.extend(phrase.rules)
