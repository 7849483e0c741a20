"""Find what may not be left when the supervisor has ended and the output has received everything."""

from __future__ import annotations

from pathlib import Path

from kafka_parts.broker import KafkaProcess
from kafka_parts.reader import TopicReader

_FOLDERS = ("outbox", "undelivered", "dead-letters")


def files_left(state: Path) -> list[str]:
    """Return the files that should not exist."""
    files = sorted(path for name in _FOLDERS for path in (state / name).rglob("*") if path.is_file())
    return [
        f"left in the state folder: {path.relative_to(state)}, {path.stat().st_size} bytes" for path in files
    ]


def messages_left(kafka: KafkaProcess, topic: str) -> list[str]:
    """Return the messages that should not be on a topic."""
    with TopicReader(kafka.bootstrap_servers, topic) as reader:
        count = sum(reader.ends().values())
    return [f"{count} messages are on the topic {topic}"] if count else []
