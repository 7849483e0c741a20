"""Change the rules and filters of a worker while its stream runs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain

from traptor.common.filters import Meaning
from traptor.common.knowledge import Knowledge
from traptor.common.messages import Rules
from traptor.common.pieces import Joint, RulesChange
from traptor.common.rules.rule import Rule
from traptor.worker.filters.edition import Edition, groups_of
from traptor.worker.posts.head import PostHead

# Posts may name a filter that is gone at X: X brings changes into effect within a minute.
KNOWN_AFTER_S = 60.0
_NOTHING = set[str]()
_MOST_TOLD = 10_000  # at once: they must fit into a report


class Editions:
    """Holds the edition in force; the link thread changes it, the main thread reads it for every post."""

    def __init__(self, rules: tuple[Rule, ...], meanings: tuple[Meaning, ...]) -> None:
        """Take the rules and filters at the fork; `open` makes an edition from them."""
        self.told = Knowledge.of(rules, meanings)  # at the fork, or with the last change
        self._lock = threading.Lock()
        self._joint = Joint()
        self.now = Edition((), (), ())  # read for every post: a property would cost more than the match
        self._is_open = False
        self._gone: dict[str, float] = {}  # until when a filter that is gone is known
        self._change = 0
        self.unseen: set[str] = set()  # filters that no post has named yet
        self._seen: deque[str] = deque()

    def open(self) -> None:
        """Make the first edition, unless a change has come already."""
        with self._lock:
            if not self._is_open:
                self._edit(time.monotonic())

    # ---- the link thread

    def take(self, message: Rules) -> bool:
        """Take a piece of a change; return True when it was the last and the change is in force.

        Raises ProtocolError.
        """
        change = self._joint.take(message)
        if change is not None:
            self.replace(change, message.change, time.monotonic())
        return change is not None

    def replace(self, change: RulesChange, number: int, now: float) -> None:
        """Put a change into force at `now` (monotonic). Raises ProtocolError if it names unknown rules."""
        with self._lock:
            self.told = change.after(self.told)
            self._edit(now)
            self._change = number

    @property
    def change(self) -> int:
        """The number of the last change in force; 0: none came."""
        return self._change

    def newly_seen(self) -> tuple[str, ...]:
        """Return filters that a post has named for the first time since the last call, each once."""
        return tuple([self._seen.popleft() for _ in range(min(len(self._seen), _MOST_TOLD))])

    # ---- the main thread

    def note(self, heads: Iterable[PostHead]) -> None:
        """Record the filters that posts name."""
        unseen = self.unseen
        named = [one.id for head in heads for one in head.matching_rules or ()]
        for filter_id in unseen.intersection(named):
            unseen.discard(filter_id)
            self._seen.append(filter_id)

    # ---- changes

    def _edit(self, now: float) -> None:
        before, told = self.now, self.told
        listed = told.by_filter.keys()
        known = {meaning.filter_id for meaning in before.meanings}
        self.unseen = (self.unseen & listed) | (listed - known)
        meanings = (*told.meanings, *self._kept(before, listed, now))
        self.now = Edition(told.rules, _retired(before, told.rules, meanings), meanings)
        self._is_open = True

    def _kept(self, before: Edition, listed: AbstractSet[str], now: float) -> list[Meaning]:
        """Return the meanings of filters that are gone, and still known."""
        gone = {one.filter_id for one in before.meanings} - listed
        self._gone = {key: self._gone.get(key, now + KNOWN_AFTER_S) for key in gone}
        return [one for one in before.meanings if self._gone.get(one.filter_id, now) > now]


def _retired(before: Edition, rules: Sequence[Rule], meanings: Iterable[Meaning]) -> list[Rule]:
    """Return the earlier rules for values that no rule wants now, but that filters still stand for."""
    if not before.rules:
        return []
    missing: dict[str, set[str]] = {}
    for meaning in meanings:
        missing.setdefault(meaning.group, set()).update(meaning.values)
    names = {group: str(group) for group in groups_of(chain(rules, before.rules))}
    for rule in rules:
        missing.get(names[rule.group], _NOTHING).difference_update(rule.values)
    if not any(missing.values()):
        return []
    return [one for one in before.rules if not missing.get(names[one.group], _NOTHING).isdisjoint(one.values)]
