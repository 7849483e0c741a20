"""Find rules in Redis, for an answer that shows some of many.

It runs in a thread of a process that has other work: no step holds the interpreter for long, and only what is
shown is kept, so that the collector of garbage finds little to look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import sleep

import redis

from traptor.common.redis.client import REDIS_ERRORS, scan_page, unavailable
from traptor.common.rules.normalise import parse_key
from traptor.common.rules.rule import GroupId, Rejected, RuleType
from traptor.rulekit.changes.holdings import Holdings, Stored
from traptor.rulekit.keeping.reading import key_pattern, read_hashes, read_revisions

TOGETHER = 50
"""Rules that are read at once: about a millisecond."""

_PAUSE_S = 0.0002
_PAGES_BETWEEN = 100
_LOOSE = 1_000  # rules that are kept beyond those to be shown, before they are sorted

Wanted = Callable[[Stored], bool]


@dataclass
class Sought:
    """The first rules by key, and how many there are in all."""

    most: int
    count: int = 0
    _kept: list[Stored] = field(default_factory=list)

    def add(self, found: Sequence[Stored]) -> None:
        """Take more rules, in any order."""
        self.count += len(found)
        self._kept += found
        if len(self._kept) > self.most + _LOOSE:
            self._kept = self.rules

    @property
    def rules(self) -> list[Stored]:
        """The first rules."""
        return sorted(self._kept, key=lambda rule: rule.key)[: self.most]


def seek(
    client: redis.Redis, types: Sequence[RuleType], group: GroupId | None, wanted: Wanted, most: int
) -> Sought:
    """Return the rules of these types, or of one group, that are wanted. Raises RedisUnavailable."""
    sought = Sought(most)
    try:
        for rule_type in types:
            for keys in key_pages(client, rule_type, group):
                found = read_hashes(client, list(keys), keys)
                sought.add([one for one in found if isinstance(one, Stored) and wanted(one)])
                pause()
    except REDIS_ERRORS as error:
        raise unavailable(client, error) from error
    return sought


def sift(
    client: redis.Redis,
    rule_type: RuleType,
    group: GroupId | None,
    keeps: Wanted,
    after_some: Callable[[], object],
) -> Holdings:
    """Return the rules of a type, or of one group, that are to be kept, and how many more there are.

    `after_some` is called again and again, after some thousand rules. Raises RedisUnavailable, and what
    `after_some` raises.
    """
    kept: list[Stored] = []
    unusable: list[Rejected] = []
    left_out = Counter[GroupId]()
    try:
        revisions = read_revisions(client, [group] if group else [])
        for number, keys in enumerate(key_pages(client, rule_type, group), start=1):
            # Before the rules: a change between the two is noticed when a group is written.
            revisions |= read_revisions(client, sorted(set(keys.values()) - revisions.keys()))
            for one in read_hashes(client, list(keys), keys):
                if isinstance(one, Rejected):
                    unusable.append(one)
                elif keeps(one):
                    kept.append(one)
                else:
                    left_out[one.group] += 1
            pause()
            if not number % _PAGES_BETWEEN:
                after_some()
    except REDIS_ERRORS as error:
        raise unavailable(client, error) from error
    return Holdings(tuple(sorted(kept, key=lambda rule: rule.key)), tuple(unusable), revisions, left_out)


def pause() -> None:
    """Let whoever waits for the interpreter have it; called after each piece of work."""
    sleep(_PAUSE_S)


def key_pages(
    client: redis.Redis, rule_type: RuleType, group: GroupId | None
) -> Iterator[dict[str, GroupId]]:
    """Yield the keys of rules, some at a time, each once, with their groups. Raises redis-py's errors."""
    cursor, seen = 0, set[bytes]()
    while True:
        cursor, page = scan_page(client.scan(cursor, match=key_pattern(rule_type, group), count=TOGETHER))
        keys = {}
        for raw in set(page) - seen:
            try:
                key = raw.decode()
                found, _ = parse_key(key)
            except ValueError:
                continue  # no key of a rule
            if found.type is rule_type and group in (None, found):
                keys[key] = found
        seen.update(page)
        if keys:
            yield keys
        if not cursor:
            return
