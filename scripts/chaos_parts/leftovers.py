"""What may not be left in the supervisor's folders when it has ended and Kafka has taken all."""

from __future__ import annotations

from pathlib import Path

_FOLDERS = ("outbox", "undelivered")


def leftovers(state: Path) -> list[str]:
    """The files that should not be there."""
    files = sorted(path for name in _FOLDERS for path in (state / name).rglob("*") if path.is_file())
    return [
        f"left in the state folder: {path.relative_to(state)}, {path.stat().st_size} bytes" for path in files
    ]
