"""What librdkafka is told: our choices, and over them what [kafka] passes on.

Options and their defaults: librdkafka, CONFIGURATION.md.
"""

from __future__ import annotations

import logging
import socket

from traptor.common.birth import KafkaSettings

log = logging.getLogger(__name__)

_BATCH_BYTES = 1_000_000  # librdkafka's default
_SIZES = ("batch.size", "message.max.bytes")

Config = dict[str, object]

_OURS: dict[str, object] = {
    "enable.idempotence": True,  # implies acks=all; a retry of librdkafka neither doubles nor reorders
    "message.timeout.ms": 0,  # its default gives up after five minutes; what it gives up is sent again
    "partitioner": "murmur2_random",  # as Java's clients do, so that other topics' keys can be joined
    "linger.ms": 20,
    # Its default is 1 GiB for each worker. When this is full, messages wait in the outbox alone.
    "queue.buffering.max.kbytes": 16_384,
    "queue.buffering.max.messages": 100_000,
    "message.max.bytes": 1_000_000,
    "socket.keepalive.enable": True,
    "reconnect.backoff.max.ms": 2_000,
    "enable.metrics.push": False,
}


def client_config(settings: KafkaSettings, connection: str) -> Config:
    """The configuration of a client of librdkafka that serves a connection."""
    return {
        **_OURS,
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": f"traptor-{socket.gethostname()}-{connection}",
        **dict(settings.library),
        "logger": _LibraryLog(),
    }


def most_message_bytes(settings: KafkaSettings) -> int:
    """How large a message librdkafka takes, with key and headers."""
    return int(str({**_OURS, **dict(settings.library)}["message.max.bytes"]))


def fitted(config: Config, most_bytes: int, settings: KafkaSettings) -> Config:
    """The configuration with batches of at most `most_bytes`, unless the operator has set their size.

    A broker refuses a batch larger than its topic's messages may be, and all the messages in it.
    """
    if any(name in _SIZES for name, _ in settings.library):
        return config
    return {**config, "batch.size": min(most_bytes, _BATCH_BYTES)}


class _LibraryLog:
    """Takes librdkafka's log, which repeats itself at every reconnect: what counts comes as errors, too."""

    def log(self, _level: int, text: str, *words: object) -> None:
        """Log for those who look for it."""
        log.debug(text, *words)
