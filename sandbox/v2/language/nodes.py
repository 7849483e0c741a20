"""A rule as a tree: how it matches a post, what makes it acceptable, and the keys by which it is indexed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from traptor.sandbox.v2.language.facts import Facts

Keys = frozenset[str]


class Sign(StrEnum):
    """The need for a minus in front: allowed, impossible or required."""

    EITHER = "either"
    POSITIVE = "positive"  # cannot be negated
    NEGATIVE = "negative"  # must be negated


@dataclass(frozen=True, slots=True)
class Term:
    """One operator with its argument; a post that `test` matches has one of the `keys`, unless None."""

    test: Callable[[Facts], bool]
    keys: Keys | None = None
    may_stand_alone: bool = True
    is_stop_word: bool = False
    sign: Sign = Sign.EITHER

    def matches(self, facts: Facts) -> bool:
        """Tell whether the post matches."""
        return self.test(facts)

    def is_selective(self) -> bool:
        """Tell whether a rule may consist of this."""
        return self.may_stand_alone

    def is_meaningful(self) -> bool:
        """Tell whether this contains a clause that stands alone and is not a stop word."""
        return self.may_stand_alone and not self.is_stop_word

    def necessary(self) -> Keys | None:
        """Return keys such that each matching post has at least one; None when there are no such keys."""
        return self.keys


@dataclass(frozen=True, slots=True)
class Not:
    """A negated term."""

    term: Term

    def matches(self, facts: Facts) -> bool:
        """Tell whether the post matches."""
        return not self.term.test(facts)

    def is_selective(self) -> bool:
        """Return False: negated terms cannot stand alone."""
        return False

    def is_meaningful(self) -> bool:
        """Return False: only positive clauses count."""
        return False

    def necessary(self) -> Keys | None:
        """Return None: no key is necessary."""
        return None


@dataclass(frozen=True, slots=True)
class Both:
    """Parts that must all match the post."""

    parts: tuple[Node, ...]

    def matches(self, facts: Facts) -> bool:
        """Tell whether the post matches."""
        return all(part.matches(facts) for part in self.parts)

    def is_selective(self) -> bool:
        """Tell whether a rule may consist of this: one part suffices."""
        return any(part.is_selective() for part in self.parts)

    def is_meaningful(self) -> bool:
        """Tell whether one part is meaningful."""
        return any(part.is_meaningful() for part in self.parts)

    def necessary(self) -> Keys | None:
        """Return the keys of the part that most likely excludes a post."""
        found = [keys for part in self.parts if (keys := part.necessary()) is not None]
        return min(found, key=lambda keys: (len(keys), -min(map(len, keys), default=0)), default=None)


@dataclass(frozen=True, slots=True)
class Either:
    """Parts of which one must match the post."""

    parts: tuple[Node, ...]

    def matches(self, facts: Facts) -> bool:
        """Tell whether the post matches."""
        return any(part.matches(facts) for part in self.parts)

    def is_selective(self) -> bool:
        """Tell whether a rule may consist of this: every alternative must be able to stand alone."""
        return all(part.is_selective() for part in self.parts)

    def is_meaningful(self) -> bool:
        """Tell whether one part is meaningful."""
        return any(part.is_meaningful() for part in self.parts)

    def necessary(self) -> Keys | None:
        """Return the keys of all parts together."""
        found = [part.necessary() for part in self.parts]
        if any(keys is None for keys in found):
            return None
        return frozenset(key for keys in found for key in keys or ())


Node = Term | Not | Both | Either
