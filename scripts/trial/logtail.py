"""Follow a supervisor.log in JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

Json = dict[str, Any]


class LogTail:
    """The records of a log so far; whole lines only, without lines torn by a full disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.records: list[Json] = []

    def read_on(self) -> list[Json]:
        """Return the records added since the last call."""
        try:
            with self._path.open("rb") as log:
                log.seek(self._offset)
                text = log.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        new = [record for line in whole.splitlines() if (record := _record(line)) is not None]
        self.records += new
        return new


def _record(line: bytes) -> Json | None:
    try:
        record: Json = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record


def told(record: Json) -> str | None:
    """Return the record as a line for people; None when it is of no interest."""
    name = record.get("connection", record.get("worker", ""))
    match record["message"]:
        case "worker forked":
            text = f"worker {record['pid']} forked with {record['rules']:,} rules"
        case "stream connected":
            text = f"streams with {record['key']}"
        case "refreshed":
            text = f"now served by worker {record['pid']} (way: {record['way']})"
        case "worker ended":
            text = f"worker {record['pid']} ended ({record['why']})"
        case "gap":
            text = f"gap of {record['seconds']:.1f} s ({record['cause']})"
        case message if record["level"] in ("WARNING", "ERROR", "CRITICAL"):
            text = message
        case _:
            return None
    return f"{name}: {text}" if name else text
