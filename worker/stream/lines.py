"""Split a stream into messages, in whatever pieces it arrives."""

from __future__ import annotations

from enum import Enum, auto

import msgspec
import urllib3

# A tweet with everything in it has some ten thousand bytes.
MOST_LINE_BYTES = 16 << 20
# A message over several lines is a short notice, formatted for people.
_MOST_INNER_LINES = 256
_MOST_INNER_BYTES = 64 << 10

_CRLF = b"\r\n"
_CR = b"\r"[0]


class Lines:
    """Cuts pieces into messages, and returns each as soon as its end has arrived.

    CRLF ends a message. CR or LF alone ends one only after complete JSON: some servers end messages with LF
    alone, others send JSON over several lines. The line ends inside become spaces. A blank message is a
    keep-alive.
    """

    def __init__(self) -> None:
        self._begun: list[bytes] = []  # the line that the next piece continues
        self._begun_bytes = 0
        self._inner: list[bytes] = []  # complete lines of an unfinished message
        self._inner_bytes = 0

    @property
    def is_between(self) -> bool:
        """True when nothing waits for the next piece."""
        return not (self._begun or self._inner)

    def take(self, piece: bytes) -> list[bytes]:
        """Return the messages ended by `piece`. Raises ProtocolError (urllib3's) for a line without end."""
        if self._begun and self._begun[-1].endswith(b"\r"):
            piece = self._begun.pop() + piece  # its LF may come first there
            self._begun_bytes = sum(map(len, self._begun))
        messages: list[bytes] = []
        start = 0
        while end := piece.find(b"\n", start) + 1:
            stop = end - 2  # as nearly all arrive: whole, with CRLF
            if (
                stop >= start
                and piece[stop] == _CR
                and self.is_between
                and piece.find(b"\r", start, stop) < 0
            ):
                messages.append(piece[start:stop])
            else:
                messages += self._take_ended(self._line(piece[start:end]))
            start = end
        return messages + self._go_on(piece[start:]) if start < len(piece) else messages

    def finish(self) -> list[bytes]:
        """Return messages that only the response's end ends. Raises ProtocolError (urllib3's) for a part."""
        messages = self._end(self._line(b"")) if not self.is_between else []
        if any(_state(message) is not _Json.WHOLE for message in messages if message):
            raise urllib3.exceptions.ProtocolError("the answer ended within a message")
        return messages

    def _line(self, end: bytes) -> bytes:
        """Return the unfinished line with its end."""
        if not self._begun:
            return end
        line = b"".join((*self._begun, end))
        self._begun, self._begun_bytes = [], 0
        return line

    def _take_ended(self, line: bytes) -> list[bytes]:
        """Return the messages that a line with its LF or CRLF ends."""
        if line.endswith(_CRLF):
            return self._end(line[:-2])
        return [message for one in line.splitlines() for message in self._add(one)]

    def _go_on(self, piece: bytes) -> list[bytes]:
        """Keep `piece`, which has no LF; return the messages that a lone CR ends."""
        messages: list[bytes] = []
        if cut := 1 + piece.rfind(b"\r", 0, -1):
            for line in self._line(piece[:cut]).splitlines():
                messages += self._add(line)
            piece = piece[cut:]
        self._begun.append(piece)
        self._begun_bytes += len(piece)
        if self._begun_bytes > MOST_LINE_BYTES:
            raise urllib3.exceptions.ProtocolError(f"a line of more than {MOST_LINE_BYTES} bytes")
        return messages

    def _add(self, line: bytes) -> list[bytes]:
        """Take a line that a lone CR or LF ended; return the messages that certainly end with it."""
        if not self._inner and not line:
            return [line]
        state = _state(b" ".join((*self._inner, line)))
        if state is _Json.BROKEN and self._inner:  # the lines do not belong together
            return self._let_go() + self._add(line)
        self._inner.append(line)
        self._inner_bytes += len(line)
        if state is _Json.BEGUN and self._may_go_on:
            return []
        return [self._joined()] if state is _Json.WHOLE else self._let_go()

    def _end(self, line: bytes) -> list[bytes]:
        """Return the messages of a line that CRLF ended, with those of the lines before it."""
        *lines, last = line.splitlines() or [b""]
        messages = [message for one in lines for message in self._add(one)]
        if self._inner and _state(b" ".join((*self._inner, last))) is _Json.WHOLE:
            self._inner.append(last)
            return [*messages, self._joined()]
        return [*messages, *self._let_go(), last]

    @property
    def _may_go_on(self) -> bool:
        return len(self._inner) < _MOST_INNER_LINES and self._inner_bytes < _MOST_INNER_BYTES

    def _joined(self) -> bytes:
        return b" ".join(self._let_go())

    def _let_go(self) -> list[bytes]:
        lines, self._inner, self._inner_bytes = self._inner, [], 0
        return lines


class _Json(Enum):
    WHOLE = auto()
    BEGUN = auto()  # more may complete it
    BROKEN = auto()


_decoder = msgspec.json.Decoder(msgspec.Raw)


def _state(text: bytes) -> _Json:
    try:
        _decoder.decode(text)
    except msgspec.DecodeError as error:
        return _Json.BEGUN if "truncated" in str(error) else _Json.BROKEN
    except RecursionError:
        return _Json.BROKEN
    return _Json.WHOLE
