"""Totals on their way to Redis, in numbered batches: nothing is counted twice, and nothing is lost.

With each batch go, for every rule in it, when it matched last and first, and its matches by hour:
`traptor:totals:<...>:last` (unix time), `:first` (`<unix time>:<total before it>`) and `:hour:<hour>`, a hash
for each hour since 1970, kept for 25 hours.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

Command = tuple[str | int | float, ...]

_BATCH_LIFETIME_S = 86_400
_HOUR_S = 3_600
_HOURS_LIFETIME_S = 25 * _HOUR_S

# Adds a batch unless it was added before: the reply to a batch may be lost although the batch arrived. Only
# the names of rules hold a colon.
_ADD_BATCH = """
if redis.call('GET', KEYS[2]) == ARGV[1] then return 0 end
local of_rules = false
for i = 5, #ARGV, 2 do
  local total = redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
  if string.find(ARGV[i], ':', 1, true) then
    of_rules = true
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[3])
    redis.call('HSETNX', KEYS[4], ARGV[i], ARGV[3] .. ':' .. (total - ARGV[i + 1]))
    redis.call('HINCRBY', KEYS[5], ARGV[i], ARGV[i + 1])
  end
end
if of_rules then redis.call('EXPIRE', KEYS[5], ARGV[4]) end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
return 1
"""


@dataclass(slots=True)
class Unsent:
    """Totals of one hash that Redis does not have yet.

    They are sent in numbered batches. A batch whose reply was lost is sent again unchanged under its number,
    by which Redis recognises it: nothing is counted twice.
    """

    number: int = 0
    batch: dict[str, int] = field(default_factory=dict)
    later: Counter[str] = field(default_factory=Counter)

    def next_batch(self) -> dict[str, int]:
        """Return what to send now under `number`; empty when there is nothing."""
        if not self.batch and self.later:
            self.number += 1
            self.batch, self.later = dict(self.later), Counter()
        return self.batch

    @property
    def is_waiting(self) -> bool:
        """True when there is something to send."""
        return bool(self.batch or self.later)

    def was_taken(self) -> None:
        """Record that Redis has the batch."""
        self.batch = {}


def totals_command(key: str, writer: str, unsent: Unsent, at: float) -> Command:
    """Return the command that adds the next batch to the hash at `key`, as counted until `at` (unix time)."""
    batch: Iterable[Iterable[str | int]] = unsent.next_batch().items()
    return (
        *("EVAL", _ADD_BATCH, 5),
        key,
        f"{key}:batch:{writer}",
        f"{key}:last",
        f"{key}:first",
        f"{key}:hour:{int(at) // _HOUR_S}",
        unsent.number,
        _BATCH_LIFETIME_S,
        f"{at:.0f}",
        _HOURS_LIFETIME_S,
        *itertools.chain.from_iterable(batch),
    )
