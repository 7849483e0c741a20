"""Everything a worker needs to serve its connection, except credentials; the first that it is told."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from traptor.common.filters import Meaning
from traptor.common.rules.rule import GroupId, Rule

API_V2 = "v2"
NATIVE_PAYLOAD = "native"
V1_PAYLOAD = "v1.1"


@dataclass(frozen=True)
class KafkaSettings:
    """The options of `output = kafka`: where messages go, and how."""

    bootstrap_servers: str  # host:port pairs, separated by commas
    topic: str
    create_topic: bool
    library: tuple[tuple[str, str], ...] = field(repr=False)  # passed to librdkafka unchanged
    secrets: tuple[str, ...] = field(repr=False)  # the values among them that must not appear in logs
    dead_letter_dir: Path  # holds messages that Kafka permanently rejects
    topic_option: str = "[kafka] topic"  # the option that names the topic

    @property
    def dead_letter_topic(self) -> str:
        """The topic that rejected messages are sent to first, if it accepts them."""
        return f"{self.topic}.dlq"


@dataclass(frozen=True)
class OutboxSettings:
    """The options of the outbox, which keeps messages until they are delivered."""

    state_dir: Path
    max_bytes: int  # per connection; above this the stream is closed until there is room
    synced: bool  # whether messages survive a crash of the host, not only of the processes
    confirm_timeout_s: float  # how long the output may go without confirming anything


@dataclass(frozen=True)
class WorkerSettings:
    """The options that a generation keeps from fork to end; changing one requires a refresh."""

    api: str
    output: str
    other_messages: str
    stream_url: str
    connect_timeout_s: float
    stall_timeout_s: float
    redis_url: str = field(repr=False)
    redis_timeout_s: float
    stats: bool
    extras: bool  # whether to add members to tweets that the original Traptor did not add
    log_dir: Path | None  # None: log to stdout
    log_level: str
    log_format: str
    outbox: OutboxSettings
    kafka: KafkaSettings | None = None  # None: another output is configured
    redis_ca_file: Path | None = None
    stream_ca_file: Path | None = None  # None: the system's certificate authorities
    proxy_of_environment: bool = False  # for keys without a proxy
    rate_limits: tuple[tuple[str, str], ...] = ()  # patterns of groups, each with a rate and a capacity
    # v2: the fields and expansions of the request, which has no other parameters
    stream_query: tuple[tuple[str, str], ...] = ()
    payload: str = NATIVE_PAYLOAD  # v2: the form of delivered posts, or v1.1
    repeated: str = "mark"  # v2: what happens to a post that comes again, or drop
    edits: str = "all"  # v2: whether versions of a post keep their keys, or last
    trial: str = ""  # v2: the topic, or the name of a file, that gets the other form too; empty: no trial

    @cached_property
    def fingerprint(self) -> str:
        """A text that differs whenever any option differs."""
        text = repr(asdict(self))  # go through dicts: the settings' own repr leaves secrets out
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def trial_payload(self) -> str:
        """The form of posts that a trial gets: the one that the main output does not."""
        return V1_PAYLOAD if self.payload == NATIVE_PAYLOAD else NATIVE_PAYLOAD


NO_GENERATION = 0
"""The number of drain workers: generations count up from 1."""


@dataclass(frozen=True)
class Birth:
    """One generation of one connection at the time of its fork.

    `drains` marks a drain worker, which opens no stream and only delivers what earlier generations left.
    `group` is None for a connection that carries several groups. Rules and filters are those at the fork;
    under v2 Rules messages replace them. `pair` is the name that two connections of one app have in common,
    which bring the same posts to one output; None for a connection that stands alone.
    """

    connection: str
    generation: int
    group: GroupId | None
    rules: tuple[Rule, ...] = field(repr=False)
    settings: WorkerSettings
    drains: bool = False
    filters: tuple[Meaning, ...] = field(default=(), repr=False)  # v2: the filters that posts may name
    keys: frozenset[str] = field(default=frozenset(), repr=False)  # the Redis keys of its rules
    pair: str | None = None

    @property
    def is_one_of_two(self) -> bool:
        """True when another connection brings the same posts."""
        return self.pair is not None

    @property
    def stands_for(self) -> str:
        """The name of the connection in posts, headers and files of the output."""
        return self.pair or self.connection

    @property
    def name(self) -> str:
        """The generation's name in logs: `track:0#3`."""
        return f"{self.connection}#{self.generation}"
