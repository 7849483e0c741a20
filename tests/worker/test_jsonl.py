"""The JSON lines sink: what it takes it writes, or keeps, or counts as failed and says so."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.outgoing import other, tweet
from support.waiting import wait_for

from traptor.common.errors import SinkError
from traptor.worker.sink import Sink, SinkCounts, SinkStopped, open_sink


@pytest.fixture
def make_sink(tmp_path: Path) -> Iterator[Callable[..., Sink]]:
    made: list[Sink] = []

    def make(other_messages: str = "topic") -> Sink:
        sink = open_sink(f"jsonl:{tmp_path / 'out'}", other_messages, "track:0")
        sink.open()
        made.append(sink)
        return sink

    yield make
    for sink in made:
        sink.close()


def read(path: Path) -> list[object]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def fill_disk(path: Path) -> None:
    """Have every write to `path` fail for want of space."""
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/full")


def free_disk(path: Path) -> None:
    path.unlink()


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def test_tweets_and_other_messages_are_lines_in_the_connections_file(
    make_sink: Callable[..., Sink], tmp_path: Path
) -> None:
    sink = make_sink("topic")
    sink.send(tweet(1))
    sink.send(other(2))
    assert read(tmp_path / "out" / "track:0.jsonl") == [{"id": 1, "filler": ""}, {"delete": 2}]
    assert sink.counts == SinkCounts(accepted=2, delivered=2, failed=0)
    assert sink.waiting_since is None


def test_other_messages_can_have_a_file_of_their_own(make_sink: Callable[..., Sink], tmp_path: Path) -> None:
    sink = make_sink("notices")
    sink.send(tweet(1))
    sink.send(other(2))
    assert read(tmp_path / "out" / "track:0.jsonl") == [{"id": 1, "filler": ""}]
    assert read(tmp_path / "out" / "track:0.notices.jsonl") == [{"delete": 2}]


def test_other_messages_can_be_dropped(make_sink: Callable[..., Sink], tmp_path: Path) -> None:
    sink = make_sink("drop")
    sink.send(other(1))
    assert (tmp_path / "out" / "track:0.jsonl").read_bytes() == b""
    assert sink.counts == SinkCounts()


@pytest.mark.parametrize("output", ["kafka", "jsonl:", "", "csv:out"])
def test_another_output_is_an_error_that_says_what_there_is(output: str) -> None:
    with pytest.raises(SinkError, match="jsonl:DIR or jsonl:-"):
        open_sink(output, "topic", "track:0")


def test_a_full_disk_makes_it_wait_and_nothing_is_lost(
    make_sink: Callable[..., Sink], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "out" / "track:0.jsonl"
    sink = make_sink()
    fill_disk(path)
    sink_reopens(sink)
    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        thread, raised = in_thread(lambda: [sink.send(tweet(1)), sink.send(tweet(2))])
        since = wait_for(lambda: sink.waiting_since, "it waits")
        wait_for(lambda: "waiting for the output" in caplog.text, "it says so")
        assert began <= since <= time.monotonic()
        assert sink.counts == SinkCounts(accepted=1)
        free_disk(path)
        thread.join(30)
    assert not thread.is_alive()
    assert raised == []
    assert read(path) == [{"id": 1, "filler": ""}, {"id": 2, "filler": ""}]
    assert sink.counts == SinkCounts(accepted=2, delivered=2)
    assert sink.waiting_since is None
    assert "the output works again" in caplog.text


def sink_reopens(sink: Sink) -> None:
    """Have the next write look where the name leads now, and not up to a second later."""
    for lines in sink._outputs():  # type: ignore[attr-defined]
        lines._next_look = 0.0


def test_stop_waiting_ends_a_wait_and_the_message_is_kept_for_the_drain(
    make_sink: Callable[..., Sink], tmp_path: Path
) -> None:
    path = tmp_path / "out" / "track:0.jsonl"
    sink = make_sink()
    fill_disk(path)
    sink_reopens(sink)
    thread, raised = in_thread(lambda: sink.send(tweet(1)))
    wait_for(lambda: sink.waiting_since, "it waits")
    sink.stop_waiting()
    thread.join(30)
    assert not thread.is_alive()
    assert [type(error) for error in raised] == [SinkStopped]
    assert sink.counts == SinkCounts(accepted=1)
    free_disk(path)
    assert sink.drain(time.monotonic() + 30) == 0
    assert read(path) == [{"id": 1, "filler": ""}]
    assert sink.counts == SinkCounts(accepted=1, delivered=1)


def test_after_stop_waiting_what_has_room_is_still_written(
    make_sink: Callable[..., Sink], tmp_path: Path
) -> None:
    sink = make_sink()
    sink.stop_waiting()
    sink.send(tweet(1))
    assert read(tmp_path / "out" / "track:0.jsonl") == [{"id": 1, "filler": ""}]


def test_a_drain_waits_for_room_until_its_deadline(make_sink: Callable[..., Sink], tmp_path: Path) -> None:
    path = tmp_path / "out" / "track:0.jsonl"
    sink = make_sink()
    fill_disk(path)
    sink_reopens(sink)
    sink.stop_waiting()
    for number in range(3):
        with pytest.raises(SinkStopped):
            sink.send(tweet(number))
    thread, raised = in_thread(lambda: sink.drain(time.monotonic() + 30))
    wait_for(lambda: sink.waiting_since, "the drain waits")
    free_disk(path)
    thread.join(30)
    assert not thread.is_alive()
    assert raised == []
    assert [line["id"] for line in read(path)] == [0, 1, 2]


def test_what_a_drain_leaves_is_counted_as_failed_and_said(
    make_sink: Callable[..., Sink], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = make_sink()
    fill_disk(tmp_path / "out" / "track:0.jsonl")
    sink_reopens(sink)
    sink.stop_waiting()
    for number in range(2):
        with pytest.raises(SinkStopped):
            sink.send(tweet(number))
    with caplog.at_level(logging.WARNING):
        assert sink.drain(time.monotonic() + 0.05) == 2
    assert sink.counts == SinkCounts(accepted=2, failed=2)
    assert "messages are not delivered" in caplog.text
    assert sink.drain(time.monotonic()) == 0, "it is told once"


def test_an_output_that_keeps_failing_is_said_once_a_minute(
    make_sink: Callable[..., Sink], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = make_sink()
    fill_disk(tmp_path / "out" / "track:0.jsonl")
    sink_reopens(sink)
    sink.stop_waiting()
    with caplog.at_level(logging.WARNING):
        for number in range(20):
            with pytest.raises(SinkStopped):
                sink.send(tweet(number))
    assert caplog.text.count("waiting for the output") == 1


def test_a_folder_that_cannot_be_used_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="make the folder"):
        open_sink(f"jsonl:{tmp_path / 'file'}", "topic", "track:0").open()
