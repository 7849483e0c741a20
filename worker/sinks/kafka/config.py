"""The configuration of librdkafka: our choices, overridden by what [kafka] passes on.

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
    "enable.idempotence": True,  # implies acks=all; librdkafka's retries neither duplicate nor reorder
    "message.timeout.ms": 0,  # the default gives up after five minutes; we resend what it gives up
    "partitioner": "murmur2_random",  # as Java's clients do, so that keys of other topics can be joined
    "linger.ms": 20,
    # The default is 1 GiB for each worker. When this is full, messages wait in the outbox only.
    "queue.buffering.max.kbytes": 16_384,
    "queue.buffering.max.messages": 100_000,
    "message.max.bytes": 1_000_000,
    "socket.keepalive.enable": True,
    "reconnect.backoff.max.ms": 2_000,
    "enable.metrics.push": False,
}


def client_config(settings: KafkaSettings, connection: str) -> Config:
    """Return the configuration of a librdkafka client that serves a connection."""
    return {
        **_OURS,
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": f"traptor-{socket.gethostname()}-{connection}",
        **dict(settings.library),
        "logger": _LibraryLog(),
    }


def most_message_bytes(settings: KafkaSettings) -> int:
    """Return the largest message that librdkafka accepts, including key and headers."""
    return int(str({**_OURS, **dict(settings.library)}["message.max.bytes"]))


def fitted(config: Config, most_bytes: int, settings: KafkaSettings) -> Config:
    """Return the configuration with batches of at most `most_bytes`, unless the operator has set their size.

    A broker rejects a batch larger than its topic's maximum message size, and all the messages in it.
    """
    if any(name in _SIZES for name, _ in settings.library):
        return config
    return {**config, "batch.size": min(most_bytes, _BATCH_BYTES)}


def batch_bytes(config: Config) -> int:
    """Return the largest batch that a producer with this configuration sends."""
    return int(str(config.get("batch.size", _BATCH_BYTES)))


class _LibraryLog:
    """Receives librdkafka's log, which repeats itself at each reconnect; errors that matter also raise."""

    def log(self, _level: int, text: str, *words: object) -> None:
        """Log at debug level."""
        log.debug(text, *words)
