"""The sink of JSON lines: a line is written whole, or the sink has no room and says so."""

from __future__ import annotations

import fcntl
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.nospace import file_size_limit
from support.outgoing import Heard, other, tweet

from traptor.common.errors import SinkError
from traptor.worker.outbox.message import Outgoing
from traptor.worker.sinks.linefile import LineFile
from traptor.worker.sinks.lines import LineSink
from traptor.worker.sinks.outputs import line_sink

ticket = Heard.ticket


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def make_sink(tmp_path: Path, heard: Heard) -> Iterator[Callable[..., LineSink]]:
    made: list[LineSink] = []

    def make(other_messages: str = "topic") -> LineSink:
        sink = line_sink(f"jsonl:{tmp_path / 'out'}", other_messages, "track:0")
        sink.open(heard)
        made.append(sink)
        return sink

    yield make
    for sink in made:
        sink.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of the connection's tweets."""
    return tmp_path / "out" / "track:0.jsonl"


def read(path: Path) -> list[object]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def at_once(sink: LineSink, *messages: Outgoing) -> bool:
    return sink.may_deliver_at_once(messages) and sink.deliver_at_once(messages)


class Disk:
    """A disk that is full, or has room again."""

    def __init__(self) -> None:
        self._until = ExitStack()

    def fill(self) -> None:
        self._until.enter_context(file_size_limit(0))

    def free(self) -> None:
        self._until.close()


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.free()


def test_tweets_and_other_messages_are_lines_in_the_connections_file(
    make_sink: Callable[..., LineSink], path: Path
) -> None:
    sink = make_sink("topic")
    assert sink.takes(tweet(1))
    assert sink.takes(other(2))
    assert at_once(sink, tweet(1))
    assert at_once(sink, other(2))
    assert read(path) == [{"id": 1, "filler": ""}, {"delete": 2}]


def test_other_messages_can_have_a_file_of_their_own(
    make_sink: Callable[..., LineSink], path: Path, heard: Heard
) -> None:
    sink = make_sink("notices")
    assert at_once(sink, other(1))
    assert sink.send(tweet(1), ticket(1))
    assert sink.send(other(2), ticket(2))
    assert read(path) == [{"id": 1, "filler": ""}]
    assert read(path.with_name("track:0.notices.jsonl")) == [{"delete": 1}, {"delete": 2}]
    assert heard.delivered_numbers == [1, 2]


def test_lines_that_come_together_are_one_write(
    make_sink: Callable[..., LineSink], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = make_sink("topic")
    written: list[bytes] = []
    monkeypatch.setattr(LineFile, "_append", lambda _file, lines: written.append(lines))
    assert at_once(sink, tweet(1), other(2), tweet(3))
    assert [json.loads(line) for line in written[0].splitlines()] == [
        {"id": 1, "filler": ""},
        {"delete": 2},
        {"id": 3, "filler": ""},
    ]
    assert (len(written), written[0][-1:]) == (1, b"\n")


def test_lines_for_two_files_are_not_one_write(make_sink: Callable[..., LineSink], path: Path) -> None:
    sink = make_sink("notices")
    assert not at_once(sink, tweet(1), other(2))
    assert at_once(sink, tweet(1), tweet(2))
    assert len(read(path)) == 2


def test_other_messages_can_be_dropped(make_sink: Callable[..., LineSink], path: Path, heard: Heard) -> None:
    """One that waited in an outbox from before the option was changed leaves it, too."""
    sink = make_sink("drop")
    assert not sink.takes(other(1))
    assert not at_once(sink, other(1))
    assert sink.send(other(1), ticket(1))
    assert path.read_bytes() == b""
    assert heard.delivered_numbers == [1]


@pytest.mark.parametrize("output", ["kafka", "jsonl:", "", "csv:out"])
def test_another_output_is_an_error_that_says_what_there_is(output: str) -> None:
    with pytest.raises(SinkError, match="jsonl:DIR or jsonl:-"):
        line_sink(output, "topic", "track:0")


def test_a_folder_that_cannot_be_used_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="make the folder"):
        line_sink(f"jsonl:{tmp_path / 'file'}", "topic", "track:0").open(Heard())


def test_on_a_full_disk_nothing_is_delivered_at_once_and_what_was_sent_is_written_when_there_is_room(
    make_sink: Callable[..., LineSink], path: Path, disk: Disk, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    sink = make_sink()
    disk.fill()
    with caplog.at_level(logging.INFO):
        assert not at_once(sink, tweet(1))
        assert sink.send(tweet(1), ticket(1))
        sink.serve()
        assert not sink.send(tweet(2), ticket(2)), "it has one line in hand and no room for another"
        assert heard.delivered_numbers == []
        disk.free()
        sink.serve()
        assert heard.delivered_numbers == [1]
        assert sink.send(tweet(2), ticket(2))
    assert read(path) == [{"id": 1, "filler": ""}, {"id": 2, "filler": ""}]
    assert heard.delivered_numbers == [1, 2]
    assert "waiting for the output" in caplog.text
    assert "the output works again" in caplog.text


def test_no_message_overtakes_the_line_that_is_being_written(
    make_sink: Callable[..., LineSink], path: Path, disk: Disk
) -> None:
    sink = make_sink()
    disk.fill()
    assert sink.send(tweet(1), ticket(1))
    disk.free()
    assert not at_once(sink, tweet(2))
    sink.serve()
    assert at_once(sink, tweet(2))
    assert read(path) == [{"id": 1, "filler": ""}, {"id": 2, "filler": ""}]


def test_an_output_that_keeps_failing_is_said_once_a_minute(
    make_sink: Callable[..., LineSink], disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    sink = make_sink()
    disk.fill()
    with caplog.at_level(logging.WARNING):
        for number in range(20):
            assert not at_once(sink, tweet(number))
    assert caplog.text.count("waiting for the output") == 1


def test_while_another_generation_writes_there_is_no_room_and_nothing_is_said(
    make_sink: Callable[..., LineSink], path: Path, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    sink = make_sink()
    with path.open("ab") as another, caplog.at_level(logging.WARNING):
        fcntl.flock(another, fcntl.LOCK_EX)
        assert not at_once(sink, tweet(1))
        assert sink.send(tweet(1), ticket(1))
        assert heard.delivered_numbers == []
        fcntl.flock(another, fcntl.LOCK_UN)
        sink.serve()
    assert heard.delivered_numbers == [1]
    assert read(path) == [{"id": 1, "filler": ""}]
    assert caplog.text == ""


def test_what_is_in_hand_when_it_is_closed_is_not_told_as_delivered(
    make_sink: Callable[..., LineSink], disk: Disk, heard: Heard
) -> None:
    sink = make_sink()
    disk.fill()
    assert sink.send(tweet(1), ticket(1))
    sink.close()
    assert heard.delivered_numbers == []
