"""What a worker is born with: all it needs to serve its connection, except credentials."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from traptor.common.rules.rule import GroupId, Rule


@dataclass(frozen=True)
class KafkaSettings:
    """Where messages go with `output = kafka`."""

    bootstrap_servers: str  # host:port, separated by commas
    topic: str
    create_topic: bool
    library: tuple[tuple[str, str], ...] = field(repr=False)  # what goes to librdkafka as it is
    secrets: tuple[str, ...] = field(repr=False)  # the values among them that no log may show
    dead_letter_dir: Path  # where messages go that Kafka takes by no means

    @property
    def dead_letter_topic(self) -> str:
        """Where they go before, if that topic takes them."""
        return f"{self.topic}.dlq"


@dataclass(frozen=True)
class OutboxSettings:
    """How messages are kept until they are delivered."""

    state_dir: Path
    max_bytes: int  # for one connection; beyond it the stream is closed until there is room
    synced: bool  # whether they survive the host too, and not only the processes
    confirm_timeout_s: float = 60.0  # how long the output may confirm nothing


@dataclass(frozen=True)
class WorkerSettings:
    """The options that a generation keeps from its fork to its end; a change of one is a refresh."""

    api: str
    output: str
    other_messages: str
    stream_url: str
    connect_timeout_s: float
    stall_timeout_s: float
    redis_url: str = field(repr=False)
    redis_timeout_s: float
    stats: bool
    log_dir: Path | None  # None: stdout
    log_level: str
    log_format: str
    outbox: OutboxSettings
    kafka: KafkaSettings | None = None  # None: the output is another
    extras: bool = True  # whether tweets get members that the original Traptor did not add
    redis_ca_file: Path | None = None
    stream_ca_file: Path | None = None  # None: the authorities that are known to all
    proxy_of_environment: bool = False  # for keys without a proxy

    @cached_property
    def fingerprint(self) -> str:
        """Differs when any option differs."""
        text = repr(asdict(self))  # by way of dicts: the settings' own representation leaves secrets out
        return hashlib.sha256(text.encode()).hexdigest()[:16]


NO_GENERATION = 0
"""The number of drain workers: generations count up from 1."""


@dataclass(frozen=True)
class Birth:
    """One generation of one connection, as it is forked.

    `drains`: it is a drain worker, which streams nothing and only delivers what generations left.
    """

    connection: str
    generation: int
    group: GroupId
    rules: tuple[Rule, ...] = field(repr=False)
    settings: WorkerSettings
    drains: bool = False

    @cached_property
    def keys(self) -> frozenset[str]:
        """The Redis keys of its rules."""
        return frozenset(rule.key for rule in self.rules)

    @property
    def name(self) -> str:
        """Names the generation in logs: `track:0#3`."""
        return f"{self.connection}#{self.generation}"
