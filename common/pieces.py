"""Cut rules and the meanings of filters into Rules messages, and join them again.

A change names all rules by their digests, and brings those that the worker does not have yet; meanings always
come whole. A rule may be larger than a frame has room for, so the cuts fall anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from traptor.common.errors import ProtocolError
from traptor.common.filters import Meaning
from traptor.common.messages import Rules
from traptor.common.rules.rule import GroupId, Rule

PIECE_BYTES = 1 << 18


class RulesChange(msgspec.Struct, frozen=True):
    """Everything that a worker matches by from now on: its rules by digest, and those among them to learn.

    `keeps_rules` says instead that the rules are those of the last change, or of the fork: a worker that
    looked for each of them would copy what it shares with the master.
    """

    digests: tuple[int, ...] = ()
    new: tuple[Rule, ...] = ()
    meanings: tuple[Meaning, ...] = ()
    keeps_rules: bool = False

    def rules(self, known: Iterable[Rule]) -> tuple[Rule, ...]:
        """Return the rules, those that are known as they are. Raises ProtocolError if one is missing."""
        found = {rule.digest: rule for rule in self.new} | {rule.digest: rule for rule in known}
        try:
            return tuple([found[digest] for digest in self.digests])
        except KeyError:
            raise ProtocolError("a change of the rules names one that never came") from None


def change_to(rules: Sequence[Rule], meanings: Sequence[Meaning], known: Iterable[Rule] = ()) -> RulesChange:
    """Return the change for a worker that has the rules `known`."""
    has = tuple(known)
    if has and has == tuple(rules):  # the same objects: none of them is looked at
        return RulesChange(meanings=tuple(meanings), keeps_rules=True)
    there = {rule.digest for rule in has}
    new = tuple(rule for rule in rules if rule.digest not in there)
    return RulesChange(tuple(rule.digest for rule in rules), new, tuple(meanings))


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

    def __init__(self) -> None:
        self._change = 0
        self._pieces: list[bytes] = []

    def take(self, message: Rules) -> RulesChange | None:
        """Return the whole change with its last piece, else None. Raises ProtocolError.

        A new change that begins before the end of the previous one replaces it.
        """
        if message.piece == 0 and message.change > self._change:
            self._change, self._pieces = message.change, []
        elif not self._pieces or (message.change, message.piece) != (self._change, len(self._pieces)):
            raise ProtocolError(f"piece {message.piece} of change {message.change} out of order")
        self._pieces.append(message.data)
        if not message.is_last:
            return None
        data, self._pieces = b"".join(self._pieces), []
        try:
            change = _decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise ProtocolError(f"change {message.change} of the rules cannot be read") from None
        _share_groups(change.new)
        return change


def _share_groups(rules: Sequence[Rule]) -> None:
    """Give all rules of a group the same group, as they have it in the master."""
    groups: dict[GroupId, GroupId] = {}
    for rule in rules:
        msgspec.structs.force_setattr(rule, "group", groups.setdefault(rule.group, rule.group))
