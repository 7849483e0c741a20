"""Messages between master and worker, and their framing on the socketpair.

A frame is a 4-byte big-endian length followed by that many bytes of msgpack, at most 1 MiB. All times are
seconds of CLOCK_MONOTONIC, which all processes of one host share.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from traptor.common.counts import Counters
from traptor.common.errors import ProtocolError
from traptor.common.fills import FillEnd, FillMethod
from traptor.common.filters import Meaning
from traptor.common.redis.state import RedisState

MAX_FRAME_BYTES = 1 << 20
HEADER = struct.Struct(">I")


class Activity(StrEnum):
    """The activities of the worker's main thread."""

    STARTING = "starting"  # building the matcher, connecting to the sink
    WAITING = "waiting"  # for an order from the master
    READING = "reading"  # from the socket, including the response headers
    HANDLING = "handling"  # one message from the stream
    SINK = "sink"  # waiting for the output, or for room in the outbox
    DRAINING = "draining"

    @property
    def may_last(self) -> bool:
        """True when a long stay in this activity is normal because the outside world decides when it ends."""
        return self not in (Activity.STARTING, Activity.HANDLING)


class OutboxTrouble(StrEnum):
    """The reasons why an outbox accepts no more messages."""

    LIMIT = "limit"  # outbox_max_bytes is reached: the output is slower than the stream
    DISK = "disk"  # the disk that holds state_dir is full
    BROKEN = "broken"  # it cannot be written for another reason


class DisconnectKind(StrEnum):
    """The reasons for the end of a stream, or of an attempt to open one."""

    OWN_CLOSE = "own_close"
    SERVER_CLOSE = "server_close"  # end of the body of a 200 response
    NETWORK = "network"  # no connection, or the connection broke
    STALL = "stall"  # no byte within stall_timeout
    HTTP = "http"  # a response with a status other than 200
    WORKER = "worker"  # an error in the worker while streaming
    OUTBOX_FULL = "outbox_full"  # closed by the worker: there was no room to keep new messages


# ---- worker to master


class Ready(msgspec.Struct, tag="ready", frozen=True):
    """The matcher is built and the sink is connected."""


class MayConnect(msgspec.Struct, tag="may_connect", frozen=True):
    """The worker asks to connect and waits until the master answers with Connect."""


class Connected(msgspec.Struct, tag="connected", frozen=True):
    """The server answered 200 at `at`; `headers` as in Disconnected."""

    at: float
    headers: dict[str, str] = {}


class Disconnected(msgspec.Struct, tag="disconnected", frozen=True, kw_only=True):
    """The stream ended, or could not be opened (then `streamed` is False).

    `at` is when it ended. Everything received until `safe_until` is safe; what came later may be lost.
    `headers` holds the response headers that say when to retry, names in lower case. `problem` names the
    reason that API v2 gave, in the response or in the stream: a connection issue (`TooManyConnections`,
    `RuleConfigurationIssue`, ...), a disconnect type (`InternalError`, ...), or else the last segment of a
    problem's type (`rate-limit-exceeded`, `usage-capped`, `credits-depleted`, ...); empty if it gave none.
    """

    kind: DisconnectKind
    at: float
    last_byte_at: float
    streamed: bool
    safe_until: float | None = None
    reached: bool = True  # False: no connection to the server was established
    status: int | None = None
    headers: dict[str, str] = {}
    detail: str = ""
    problem: str = ""


class OutboxFull(msgspec.Struct, tag="outbox_full", frozen=True):
    """There is no room for messages from a stream; the next MayConnect tells that there is room again.

    Sent again when the reason changes.
    """

    trouble: OutboxTrouble


class TrialReport(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the trial output, with the meanings of the same members of a Report."""

    backlog: int
    outbox_bytes: int
    unconfirmed_since: float | None
    oldest_at: float | None
    trouble: str


class Report(msgspec.Struct, tag="report", frozen=True, kw_only=True):
    """Sent once a second (v2: twice) and on change: what the worker is doing and has done.

    Everything received until `safe_until` is safe: delivered, or in the outbox. `backlog` and `outbox_bytes`
    count what is not yet delivered, including what earlier generations left to this one. `redis_state` is
    that of the counters.
    """

    at: float
    activity: Activity
    activity_since: float
    last_byte_at: float
    safe_until: float
    backlog: int
    outbox_bytes: int
    counters: Counters
    redis_state: RedisState = RedisState.UNKNOWN
    redis_error: str = ""
    unconfirmed_since: float | None = None  # since when the output has confirmed nothing
    oldest_at: float | None = None  # about when the oldest undelivered message was put into an outbox
    output_trouble: str = ""  # why the output does not deliver now
    rules_change: int = 0  # number of the last Rules in effect
    # v2: filters of the last change that a post has named for the first time since the previous report: they
    # are in effect at X
    seen_filters: tuple[str, ...] = ()
    trial: TrialReport | None = None  # None: there is no trial output


class Sample(msgspec.Struct, tag="sample", frozen=True):
    """One piece of an answer to TakeSample: whole messages as they were given to the output, oldest first.

    `skipped` counts those that were not kept since the last TakeSample: the newest ones are.
    """

    messages: list[bytes]
    skipped: int
    is_last: bool

    def __repr__(self) -> str:
        return f"Sample({len(self.messages)} messages, skipped={self.skipped}, is_last={self.is_last})"


BACKFILLED = 0


class PieceFetched(msgspec.Struct, tag="piece_fetched", frozen=True, kw_only=True):
    """The answer to a SearchPiece or RecoverPiece: with FillEnd.DONE its posts are in the outbox.

    `posts` came, of which `new` were given to the output and the others had been before; `reads` is what X
    bills for them, as in Counters. `token` leads to the next page, if there is one; of a recovery it is the
    Unix time at which the latest post that came was written. `status`, `headers`, `detail` and
    `problem` are as in Disconnected. With the number BACKFILLED it tells of the past posts that a Connect
    with `backfill_minutes` brought.
    """

    number: int
    end: FillEnd
    token: str = ""
    posts: int = 0
    new: int = 0
    reads: dict[str, int] = {}
    status: int | None = None
    headers: dict[str, str] = {}
    detail: str = ""
    problem: str = ""


class Drained(msgspec.Struct, tag="drained", frozen=True):
    """The worker's last message: `undelivered` messages stay in its outbox for another worker to deliver."""

    undelivered: int


# ---- master to worker


class Connect(msgspec.Struct, tag="connect", frozen=True, kw_only=True):
    """Permission for one connect, with the credentials for it; its repr shows only the key's name.

    Under API v2 the credentials are `bearer_token` alone.
    """

    key_id: str
    key_name: str
    consumer_key: str = ""
    consumer_secret: str = ""
    access_token: str = ""
    access_token_secret: str = ""
    bearer_token: str = ""
    source_address: str | None = None
    proxy: str | None = None
    backfill_minutes: int = 0  # of posts before the connect, which X sends first (v2)

    def __repr__(self) -> str:
        return f"Connect(key_name={self.key_name!r}, key_id={self.key_id!r})"


class SearchPiece(msgspec.Struct, tag="search_piece", frozen=True, kw_only=True):
    """The order to fetch one page of posts that a gap lacks, and to deliver them, while the stream goes on.

    It is of the master's `fill`. Times are those of the request, in X's form. `meanings` tells what the query
    stands for: a query of one clause names its rules by itself, posts of another are compared with its values
    (v2).
    """

    number: int
    fill: int
    connect: Connect
    method: FillMethod = FillMethod.SEARCH
    query: str
    start_time: str
    end_time: str
    max_results: int
    token: str = ""
    meanings: tuple[Meaning, ...] = ()

    def __repr__(self) -> str:
        return f"SearchPiece(number={self.number}, max_results={self.max_results}, token={self.token!r})"


class RecoverPiece(msgspec.Struct, tag="recover_piece", frozen=True, kw_only=True):
    """The order to fetch posts of a time by a recovery job, and to deliver them, while the stream goes on.

    It is of the master's `fill`. Times are those of the request, in X's form; after `most_posts` the worker
    ends it (v2, Enterprise).
    """

    number: int
    fill: int
    connect: Connect
    start_time: str
    end_time: str
    most_posts: int

    def __repr__(self) -> str:
        return f"RecoverPiece(number={self.number}, start_time={self.start_time!r})"


class Close(msgspec.Struct, tag="close", frozen=True):
    """Close the stream and wait for the next order (the `serial` way of a refresh)."""


class Rules(msgspec.Struct, tag="rules", frozen=True):
    """One piece of a change of the rules and filters' meanings that the worker has.

    The change with number 0 brings those that it is born with. Under v2 others follow, without a reconnect.
    `change` counts up in each generation; a change takes effect when its last piece has arrived.
    `common.pieces` cuts and joins.
    """

    change: int
    piece: int  # from 0
    is_last: bool
    data: bytes

    def __repr__(self) -> str:
        return f"Rules(change={self.change}, piece={self.piece}, is_last={self.is_last})"


class Drain(msgspec.Struct, tag="drain", frozen=True):
    """Close the stream, deliver pending messages within `deadline_s` seconds, then exit."""

    deadline_s: float


class TakeSample(msgspec.Struct, tag="take_sample", frozen=True):
    """Send the messages kept since the last TakeSample, and keep further ones for some seconds."""


class Reopen(msgspec.Struct, tag="reopen", frozen=True):
    """Reopen the log files."""


FromWorker = (
    Ready | MayConnect | Connected | Disconnected | OutboxFull | Report | Sample | PieceFetched | Drained
)
FromMaster = Connect | Close | Rules | SearchPiece | RecoverPiece | Drain | TakeSample | Reopen


def is_urgent(message: FromWorker, told_reads: Mapping[str, int]) -> bool:
    """Tell whether the master is to hear of it at once, and not only when it next hears all workers.

    That is all but reports; of them those of more posts that X bills than it was told, for a cap ends their
    stream, and those of filters that are in effect now (v2).
    """
    if not isinstance(message, Report):
        return True
    return message.counters.reads != told_reads or bool(message.seen_filters)


_encoder = msgspec.msgpack.Encoder()
_from_worker: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(FromWorker)
_from_master: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(FromMaster)


def frame(message: FromWorker | FromMaster) -> bytes:
    """Return the bytes of one message on the wire. Raises ProtocolError when it is too large."""
    payload = _encoder.encode(message)
    return HEADER.pack(payload_size(len(payload))) + payload


def payload_size(size: int) -> int:
    """Return `size` unchanged. Raises ProtocolError when it exceeds the maximum size of a frame."""
    if size > MAX_FRAME_BYTES:
        raise ProtocolError(f"a frame of {size} bytes is larger than {MAX_FRAME_BYTES}")
    return size


def from_worker(payload: bytes) -> FromWorker:
    """Decode a message from a worker. Raises ProtocolError."""
    return _decode(_from_worker, payload)  # type: ignore[no-any-return]  # a union has no Decoder type


def from_master(payload: bytes) -> FromMaster:
    """Decode a message from the master. Raises ProtocolError."""
    return _decode(_from_master, payload)  # type: ignore[no-any-return]  # a union has no Decoder type


def _decode(decoder: msgspec.msgpack.Decoder[Any], payload: bytes) -> Any:
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError as error:
        # Its text may quote whatever stands at the place that it names.
        _, at, place = str(error).rpartition(" - at ")
        raise ProtocolError(f"not a known message: a wrong value{at}{place if at else ''}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ProtocolError("not a known message: broken msgpack") from None
