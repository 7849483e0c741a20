"""One open stream of an account, and its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from traptor.sandbox.clock import Instant
from traptor.sandbox.v1.accounts import Account
from traptor.sandbox.v1.filters import StreamFilter
from traptor.sandbox.wire.queue import ClosedBy, Message, StreamQueue


@dataclass(slots=True)
class ConnectionRecord:
    """The record of a connection, kept after it is closed."""

    id: int
    account: str
    peer_ip: str
    peer_port: int
    opened: Instant
    filter: StreamFilter
    is_gzip: bool = False
    closed: Instant | None = None
    closed_by: ClosedBy | None = None
    reason: str = ""
    messages: int = 0
    tweets: int = 0
    keep_alives: int = 0
    payload_bytes: int = 0  # before chunking and compression, without keep-alives

    def as_json(self, with_values: bool = True) -> dict[str, Any]:
        """Return the record as the API shows it."""
        return {
            "id": self.id,
            "account": self.account,
            "peer_ip": self.peer_ip,
            "peer_port": self.peer_port,
            "status": 200,
            "gzip": self.is_gzip,
            "opened_at": self.opened.unix,
            "opened_mono": self.opened.mono,
            "closed_at": self.closed and self.closed.unix,
            "closed_mono": self.closed and self.closed.mono,
            "closed_by": self.closed_by,
            "reason": self.reason,
            "counts": {kind.value: len(texts) for kind, texts in self.filter.values.items()},
            "values": self._values() if with_values else None,
            "parameters": self.filter.other,
            "messages": self.messages,
            "tweets": self.tweets,
            "keep_alives": self.keep_alives,
            "bytes": self.payload_bytes,
        }

    def _values(self) -> dict[str, tuple[str, ...]]:
        return {kind.value: texts for kind, texts in self.filter.values.items()}


class Stream(StreamQueue):
    """One open connection of an account."""

    def __init__(self, record: ConnectionRecord, account: Account, queue_limit: int) -> None:
        super().__init__(queue_limit)
        self.record = record
        self.account = account
        self._alone = (record.id,)

    @property
    def owner(self) -> str:
        """The name of the account."""
        return self.account.name

    def wrote(self, batch: Sequence[Message], now_mono_s: float) -> None:
        """Record that these messages are on the wire."""
        times = (now_mono_s,)
        for message in batch:
            self.record.messages += 1
            self.record.payload_bytes += len(message.data)
            if message.tweet is not None:
                self.record.tweets += 1
                # Most tweets go to one connection: a million of them share its tuple.
                earlier = message.tweet.connections
                message.tweet.connections = earlier + self._alone if earlier else self._alone
                message.tweet.written_mono += times

    def kept_alive(self) -> None:
        """Record a keep-alive."""
        self.record.keep_alives += 1
