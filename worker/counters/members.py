"""Members of the rolling sets in Redis: add those of one second, and trim old ones; many sets a command.

A command for each set would cost the worker more than all of its counting.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from traptor.worker.counters.batches import Command

WINDOW_S = 900
TRIM_INTERVAL_S = 10
# The sorted sets show rates, not totals: more members of a busy rule would only cost memory.
MOST_A_SECOND = 50
_TOGETHER = 1_000  # sets of one command: Redis does nothing else while it runs

# A key that is no sorted set is somebody else's, and costs its own rule alone.
_ADD = """
local number, problem = tonumber(ARGV[3]), false
for i, key in ipairs(KEYS) do
  local members = {}
  for _ = 1, tonumber(ARGV[4 + i]) do
    members[#members + 1] = ARGV[1]
    members[#members + 1] = ARGV[2] .. '.' .. string.format('%.0f', number)
    number = number + 1
  end
  local reply = redis.pcall('ZADD', key, unpack(members))
  if type(reply) == 'table' and reply.err then
    problem = reply
  else
    redis.call('EXPIRE', key, ARGV[4])
  end
end
return problem or 1
"""
_TRIM = """
for _, key in ipairs(KEYS) do redis.pcall('ZREMRANGEBYSCORE', key, '-inf', ARGV[1]) end
return 1
"""


def added(matches: Mapping[str, int], began: float, first: int) -> Iterator[Command]:
    """Yield commands that add members `<time>.<n>` for the matches by set; `n` counts up from `first`."""
    remaining = iter(matches.items())
    while some := list(itertools.islice(remaining, _TOGETHER)):
        keys, counts = zip(*some, strict=True)
        kept = [min(count, MOST_A_SECOND) for count in counts]
        yield ("EVAL", _ADD, len(keys), *keys, began, int(began), first, WINDOW_S, *kept)
        first += sum(kept)


class Trimming:
    """The sets that have members: each is trimmed every `TRIM_INTERVAL_S`, a share of them every second."""

    def __init__(self) -> None:
        self._turns: list[dict[str, float]] = [{} for _ in range(TRIM_INTERVAL_S)]  # time of the last write
        self._due = [float(turn) for turn in range(TRIM_INTERVAL_S)]

    def written(self, keys: Sequence[str], at: float) -> None:
        """Note that these sets have members of `at`."""
        for key in keys:
            self._turns[hash(key) % TRIM_INTERVAL_S][key] = at

    def commands(self, now: float) -> Iterator[Command]:
        """Yield commands that trim the sets whose turn it is."""
        oldest = now - WINDOW_S
        for turn, sets in enumerate(self._turns):
            if now < self._due[turn]:
                continue
            self._due[turn] = now - (now - turn) % TRIM_INTERVAL_S + TRIM_INTERVAL_S
            keys = list(sets)
            for key in [key for key in keys if sets[key] < oldest]:
                del sets[key]
            for at in range(0, len(keys), _TOGETHER):
                some = keys[at : at + _TOGETHER]
                yield ("EVAL", _TRIM, len(some), *some, f"({oldest:f}")
