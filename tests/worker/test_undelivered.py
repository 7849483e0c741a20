"""What Kafka did not take is kept whole, or counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from traptor.worker.record import Record
from traptor.worker.tally import SAY_INTERVAL_S, Tally
from traptor.worker.undelivered import Undelivered


def record(value: bytes, key: bytes | None = b"7") -> Record:
    return Record("traptor", key, value, [("traptor-rules", b"r1,r2")], 5)


def test_a_message_is_kept_with_all_that_is_needed_to_send_it_again(tmp_path: Path) -> None:
    file = Undelivered(tmp_path / "undelivered" / "track:0-1.jsonl")
    file.write(record('{"a":"ü"}'.encode()), "too large")
    file.write(record(b"{}", None), "unknown topic")
    file.close()
    first, second = (json.loads(line) for line in file.path.read_text().splitlines())
    assert first == {
        "reason": "too large",
        "topic": "traptor",
        "key": "7",
        "time_ms": 5,
        "headers": {"traptor-rules": "r1,r2"},
        "value": {"a": "ü"},
    }
    assert second["key"] is None


def test_no_file_is_made_while_there_is_nothing_to_keep(tmp_path: Path) -> None:
    file = Undelivered(tmp_path / "undelivered" / "track:0-1.jsonl")
    file.close()
    assert not file.path.parent.exists()


def test_what_cannot_be_kept_is_counted_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    file = Undelivered(tmp_path / "file" / "track:0-1.jsonl")
    file.write(record(b"{}"), "too large")
    file.write(record(b"{}"), "too large")
    assert file.lost == 2
    assert caplog.text.count("are lost: they cannot be kept") == 1


def test_what_happens_often_is_said_at_once_and_then_once_a_minute_with_its_number() -> None:
    now = 0.0
    tally = Tally(lambda: now)
    assert [tally.add("a"), tally.add("a"), tally.add("a"), tally.add("b")] == [1, 0, 0, 1]
    now = SAY_INTERVAL_S
    assert tally.add("a") == 3
    tally.add("a")
    assert tally.rest() == {"a": 1}
    assert tally.rest() == {}
