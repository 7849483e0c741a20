"""Cut changes of what a worker matches by into Rules messages, and join them again.

A change brings only what is new: of the rules that the worker has, it names runs; of the filters, those that
mean something else. A rule may be larger than a frame has room for, so the cuts fall anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import msgspec

from traptor.common.errors import ProtocolError
from traptor.common.filters import Meaning
from traptor.common.knowledge import Knowledge
from traptor.common.messages import Rules
from traptor.common.rules.rule import GroupId, Rule
from traptor.common.rules.turnover import alike

PIECE_BYTES = 1 << 18
BIRTH = 0
"""The number of the change from nothing to what a worker is born with."""

Run = tuple[int, int]
"""Rules that the worker has, in a row: the place of the first, and that after the last."""


class RulesChange(msgspec.Struct, frozen=True):
    """All rules from now on, as runs of those before and new ones, and the filters that mean something else.

    Where the rules stay as they are, they are one run, and the worker looks at none of them.
    """

    rules: tuple[Run | Rule, ...] = ()
    meanings: tuple[Meaning, ...] = ()  # all of each filter that is new or means something else
    gone: tuple[str, ...] = ()  # filters that no longer stand for anything

    def after(self, known: Knowledge) -> Knowledge:
        """Return what this makes of the knowledge before. Raises ProtocolError if it was made for another."""
        rules, gone = known.rules, set(self.gone)
        if self.rules != ((0, len(rules)),):
            rules = tuple(self._rules(rules))
        if not gone <= known.by_filter.keys():
            raise ProtocolError("a change of the rules takes a filter away that never came")
        kept = {key: found for key, found in known.by_filter.items() if key not in gone}
        return Knowledge(rules, {**kept, **Knowledge.of((), self.meanings).by_filter})

    def _rules(self, known: tuple[Rule, ...]) -> Iterator[Rule]:
        for one in self.rules:
            if isinstance(one, Rule):
                yield one
            elif 0 <= one[0] < one[1] <= len(known):
                yield from known[one[0] : one[1]]
            else:
                raise ProtocolError("a change of the rules names one that never came")


def change_to(now: Knowledge, before: Knowledge) -> RulesChange:
    """Return the change for a worker that knows what was `before`."""
    changed = [found for key, found in now.by_filter.items() if before.by_filter.get(key) != found]
    gone = [key for key in before.by_filter if key not in now.by_filter]
    return RulesChange(
        tuple(_runs(before.rules, now.rules)), tuple(chain.from_iterable(changed)), tuple(gone)
    )


def _runs(before: Sequence[Rule], now: Sequence[Rule]) -> Iterator[Run | Rule]:
    """Yield the rules of now, those of before as runs."""
    first = alike(before, now)
    run = (0, first)
    places = {rule.digest: place for place, rule in enumerate(before)} if first < len(now) else {}
    for rule in now[first:]:
        place = places.get(rule.digest)
        if place is not None and place == run[1]:
            run = run[0], place + 1
            continue
        if run[0] < run[1]:
            yield run
        if place is None:
            yield rule
        run = (place, place + 1) if place is not None else (0, 0)
    if run[0] < run[1]:
        yield run


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(RulesChange)


def cut(number: int, change: RulesChange) -> Iterator[Rules]:
    """Yield the messages that tell a worker of its change number `number`, in order."""
    data = _encoder.encode(change)
    for piece, start in enumerate(range(0, len(data), PIECE_BYTES)):
        end = start + PIECE_BYTES
        yield Rules(number, piece, end >= len(data), data[start:end])


class Joint:
    """Joins the pieces of one change after the other."""

    def __init__(self, first: int = 1) -> None:
        """Begin with the change of this number; BIRTH is the one that a worker begins with."""
        self._change = first - 1
        self._pieces: list[bytes] = []

    def take(self, message: Rules) -> RulesChange | None:
        """Return the whole change with its last piece, else None. Raises ProtocolError.

        Each change follows from the one before it, so none may be missing.
        """
        expected = (self._change, len(self._pieces)) if self._pieces else (self._change + 1, 0)
        if (message.change, message.piece) != expected:
            raise ProtocolError(f"piece {message.piece} of change {message.change} out of order")
        self._change = message.change
        self._pieces.append(message.data)
        if not message.is_last:
            return None
        data, self._pieces = b"".join(self._pieces), []
        try:
            change = _decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise ProtocolError(f"change {message.change} of the rules cannot be read") from None
        _share_groups([one for one in change.rules if isinstance(one, Rule)])
        return change


def _share_groups(rules: Sequence[Rule]) -> None:
    """Give all rules of a group the same group, as they have it in the master."""
    groups: dict[GroupId, GroupId] = {}
    for rule in rules:
        msgspec.structs.force_setattr(rule, "group", groups.setdefault(rule.group, rule.group))
