"""Cut rules and the meanings of filters into Rules messages, and join them again.

All of them travel at each change, so a worker needs no memory of earlier changes to have the right ones; a
rule may be larger than a frame has room for, so the cuts fall anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from traptor.common.errors import ProtocolError
from traptor.common.filters import Meaning
from traptor.common.messages import Rules
from traptor.common.rules.rule import Rule

PIECE_BYTES = 1 << 18


class RulesChange(msgspec.Struct, frozen=True):
    """Everything that a worker matches by from now on."""

    rules: tuple[Rule, ...] = ()
    meanings: tuple[Meaning, ...] = ()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(RulesChange)


def cut(change: int, rules: Sequence[Rule], meanings: Sequence[Meaning]) -> Iterator[Rules]:
    """Yield the messages that tell a worker of its change number `change`, in order."""
    data = _encoder.encode(RulesChange(tuple(rules), tuple(meanings)))
    for piece, start in enumerate(range(0, len(data), PIECE_BYTES)):
        end = start + PIECE_BYTES
        yield Rules(change, piece, end >= len(data), data[start:end])


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
            return _decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise ProtocolError(f"change {message.change} of the rules cannot be read") from None
