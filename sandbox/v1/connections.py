"""All connections: which are open, which tweets each wants, and the record of past ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import orjson

from traptor.sandbox.clock import Clock, Instant
from traptor.sandbox.record import TweetRecord
from traptor.sandbox.tweets.maker import Tweet
from traptor.sandbox.tweets.values import Value
from traptor.sandbox.v1.stream import ConnectionRecord, Stream
from traptor.sandbox.wire.queue import ClosedBy, Message
from traptor.sandbox.wire.register import Register

KEEP_CONNECTIONS = 100_000

STALL, REPLACED = 4, 7  # Twitter, "Streaming message types", disconnect codes


def disconnect_message(code: int, reason: str, account: str) -> Message:
    """Return the message that announces the end of a stream."""
    body = {"code": code, "stream_name": f"{account}-statuses", "reason": reason}
    return Message(orjson.dumps({"disconnect": body}) + b"\r\n")


class Connections(Register[Stream]):
    """The register of streams, and of what each of them wants."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._by_value: dict[Value, dict[int, Stream]] = {}
        self.records: deque[ConnectionRecord] = deque(maxlen=KEEP_CONNECTIONS)
        self.opened = 0

    def next_id(self) -> int:
        """Return the number of the next connection; they count up from 1."""
        self.opened += 1
        return self.opened

    def add(self, stream: Stream) -> None:
        """Add a stream: from now on tweets are written to it."""
        super().add(stream)
        self.records.append(stream.record)
        for value in stream.record.filter.wanted():
            self._by_value.setdefault(value, {})[stream.record.id] = stream

    def deliver(self, tweet: Tweet, record: TweetRecord) -> None:
        """Queue a tweet for every open connection that asked for one of its values."""
        receivers = self.open() if tweet.is_for_all else self._receivers(tweet.values)
        if receivers:
            self.send(Message(tweet.json + b"\r\n", record), receivers)

    def send(self, message: Message, receivers: Iterable[Stream]) -> None:
        """Queue a message for these streams; a stream that reads too slowly is cut."""
        now = self._clock().mono
        for stream in receivers:
            if not stream.offer(message, now):
                self._cut(stream)

    def _forget(self, stream: Stream, now: Instant) -> None:
        for value in stream.record.filter.wanted():
            streams = self._by_value[value]
            del streams[stream.record.id]
            if not streams:
                del self._by_value[value]

    def _receivers(self, values: Iterable[Value]) -> list[Stream]:
        found: dict[int, Stream] = {}
        for value in values:
            found.update(self._by_value.get(value, {}))
        return list(found.values())

    def _cut(self, stream: Stream) -> None:
        last = disconnect_message(STALL, "the client reads too slowly", stream.account.name)
        self.end(stream, ClosedBy.SERVER, "slow reader", last=last)
