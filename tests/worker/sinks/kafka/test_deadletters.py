"""What Kafka takes by no means is put aside whole, or stays where it is."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.nospace import file_size_limit

from traptor.common.logs.throttle import SAY_INTERVAL_S, Tally
from traptor.worker.sinks.kafka.deadletters import DeadLetters
from traptor.worker.sinks.kafka.record import Record, dead_letter


@pytest.fixture
def dead_letters(tmp_path: Path) -> Iterator[DeadLetters]:
    made = DeadLetters(tmp_path / "dead-letters" / "track:0.jsonl")
    yield made
    made.close()


def record(value: bytes, key: bytes | None = b"7") -> Record:
    return Record("traptor", key, value, [("traptor-rules", b"r1,r2")], 5)


def test_a_message_is_put_aside_with_all_that_is_needed_to_send_it_again(dead_letters: DeadLetters) -> None:
    assert dead_letters.write(record('{"a": "ü\\ud83d", "b": 1.0}'.encode()), "too large")
    assert dead_letters.write(record(b"{}", None), "unknown topic")
    lines = dead_letters.path.read_bytes().splitlines()
    assert lines[0].endswith('"value":{"a": "ü\\ud83d", "b": 1.0}}'.encode()), "byte for byte"
    assert json.loads(lines[0]) == {
        "reason": "too large",
        "topic": "traptor",
        "key": "7",
        "time_ms": 5,
        "headers": {"traptor-rules": "r1,r2"},
        "value": {"a": "ü\ud83d", "b": 1.0},
    }
    assert json.loads(lines[1])["key"] is None


def test_no_file_is_made_while_there_is_nothing_to_put_aside(dead_letters: DeadLetters) -> None:
    dead_letters.sync()
    dead_letters.close()
    assert not dead_letters.path.parent.exists()


def test_what_cannot_be_put_aside_is_not_taken_and_that_is_said_once(
    dead_letters: DeadLetters, caplog: pytest.LogCaptureFixture
) -> None:
    dead_letters.path.parent.touch()
    assert not dead_letters.write(record(b"{}"), "too large")
    assert not dead_letters.write(record(b"{}"), "too large")
    assert caplog.text.count("dead letters cannot be stored") == 1
    dead_letters.path.parent.unlink()
    assert dead_letters.write(record(b"{}"), "too large")
    assert len(dead_letters.path.read_bytes().splitlines()) == 1


def test_a_full_disk_leaves_no_broken_line(dead_letters: DeadLetters) -> None:
    assert dead_letters.write(record(b"{}"), "too large")
    whole = dead_letters.path.read_bytes()
    with file_size_limit(len(whole) + 9):
        assert not dead_letters.write(record(b"{}"), "too large")
    assert dead_letters.path.read_bytes() == whole


def test_nothing_is_written_through_a_link(
    dead_letters: DeadLetters, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    dead_letters.path.parent.mkdir()
    dead_letters.path.symlink_to(precious)
    assert not dead_letters.write(record(b"{}"), "too large")
    assert precious.read_text() == "precious"
    assert "links to files are not followed" in str(caplog.records[0].__dict__["fields"]["error"])


def test_two_generations_write_whole_lines_to_the_same_file(dead_letters: DeadLetters) -> None:
    another = DeadLetters(dead_letters.path)
    for number in range(10):
        assert (dead_letters, another)[number % 2].write(record(b'{"n":%d}' % number), "too large")
    another.close()
    lines = dead_letters.path.read_bytes().splitlines()
    assert [json.loads(line)["value"]["n"] for line in lines] == list(range(10))


def test_a_line_that_another_generation_keeps_from_being_written_is_not_taken(
    dead_letters: DeadLetters,
) -> None:
    assert dead_letters.write(record(b"{}"), "too large")
    with dead_letters.path.open("ab") as another:
        fcntl.flock(another, fcntl.LOCK_EX)
        assert not dead_letters.write(record(b"{}"), "too large")
    assert len(dead_letters.path.read_bytes().splitlines()) == 1


def test_a_dead_letter_is_the_message_with_the_reason_in_headers() -> None:
    letter = dead_letter(record(b"{}"), "traptor.dlq", "MSG_SIZE_TOO_LARGE", "MSG_SIZE_TOO_LARGE: too large")
    assert (letter.topic, letter.key, letter.value, letter.time_ms) == ("traptor.dlq", b"7", b"{}", 5)
    headers = dict(letter.headers)
    assert headers["traptor-rules"] == b"r1,r2"
    assert headers["traptor.error.topic"] == b"traptor"
    assert headers["traptor.error.class"] == b"MSG_SIZE_TOO_LARGE"
    assert headers["traptor.error.message"] == b"MSG_SIZE_TOO_LARGE: too large"
    assert headers["traptor.error.stage"] == b"deliver"
    assert str(headers["traptor.error.timestamp"]).count("T")


def test_what_happens_often_is_said_at_once_and_then_once_a_minute_with_its_number() -> None:
    now = 0.0
    tally = Tally(lambda: now)
    assert [tally.add("a"), tally.add("a"), tally.add("a"), tally.add("b")] == [1, 0, 0, 1]
    now = SAY_INTERVAL_S
    assert tally.add("a") == 3
    tally.add("a")
    assert tally.rest() == {"a": 1}
    assert tally.rest() == {}
