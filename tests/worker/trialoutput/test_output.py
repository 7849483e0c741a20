"""A trial output loses nothing that it has room for, and nothing that happens to it reaches the caller."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.deliveries import worker_birth
from support.gatesink import GateSink
from support.outgoing import tweet
from support.waiting import wait_for

from traptor.common.errors import SinkError
from traptor.common.files.outboxes import Left, ownerless, trial_folder
from traptor.worker.delivery.sink import Results, Ticket
from traptor.worker.outbox.message import Outgoing
from traptor.worker.trialoutput.making import trial_of
from traptor.worker.trialoutput.output import TrialOutput

Make = Callable[..., TrialOutput]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes opened trials over a sink, which are let go at the end."""
    made: list[TrialOutput] = []

    def make_one(sink: GateSink, generation: int = 1, max_bytes: int = 1 << 24) -> TrialOutput:
        trial = TrialOutput(worker_birth(tmp_path, generation, max_bytes=max_bytes), sink)
        made.append(trial)
        trial.open()
        return trial

    yield make_one
    for trial in made:
        if trial._delivery._thread.is_alive():
            trial.drain(time.monotonic())
    assert [thread.name for thread in threading.enumerate() if thread.name == "delivery"] == []


def send(trial: TrialOutput, message: Outgoing) -> None:
    trial.gather([message])
    trial.hand_over()


def test_every_message_is_delivered_and_counted(make: Make) -> None:
    sink = GateSink()
    trial = make(sink)
    for number in range(10):
        send(trial, tweet(number))
    wait_for(lambda: trial.counts()["delivered"] == 10, "all are delivered")
    assert set(sink.delivered.values()) == {1}
    assert trial.counts() == {
        "accepted": 10,
        "delivered": 10,
        "dead_letters": 0,
        "redelivered": 0,
        "dropped": 0,
    }
    assert (trial.trouble, trial.backlog) == ("", 0)


def test_what_has_no_room_is_dropped_counted_and_said_and_what_had_room_arrives(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    sink = GateSink(confirms=False)
    trial = make(sink, max_bytes=1 << 20)
    for number in range(200):
        send(trial, tweet(number, filler=20_000))
    counts = trial.counts()
    assert counts["accepted"] + counts["dropped"] == 200
    assert counts["dropped"] > 100
    assert "no room left" in trial.trouble
    assert [r.message for r in caplog.records].count("posts are missing in the trial") == 1
    sink.confirms = True
    wait_for(lambda: trial.counts()["delivered"] == counts["accepted"], "the others arrive")
    wait_for(lambda: not trial.trouble, "there is room again")
    send(trial, tweet(1000))
    wait_for(lambda: sink.delivered["1000"] == 1, "it takes posts again")


def test_it_leaves_the_disk_to_the_main_output(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traptor.common.files.disk.spare_bytes", lambda _folder: 8 << 20)
    trial = make(GateSink(confirms=False))
    for number in range(400):
        send(trial, tweet(number, filler=20_000))
        if trial.counts()["dropped"]:
            break
    report = trial.report()
    assert trial.counts()["dropped"] > 0
    assert 1 << 20 < report.outbox_bytes < 4 << 20


def test_what_is_left_is_delivered_by_the_next_generation(make: Make, tmp_path: Path) -> None:
    first = make(GateSink(room=0))
    for number in range(5):
        send(first, tweet(number))
    first.drain(time.monotonic())
    assert ownerless(tmp_path) == {"track:0": Left(trial=5)}
    sink = GateSink()
    second = make(sink, generation=2)
    wait_for(lambda: second.counts()["redelivered"] == 5, "the next one delivers them")
    assert sink.repeated == {str(number) for number in range(5)}


class BrokenSink(GateSink):
    """Fails in whatever way a test says."""

    def __init__(self, *, at_open: Exception | None = None, at_send: Exception | None = None) -> None:
        super().__init__()
        self._at_open, self._at_send = at_open, at_send

    def open(self, results: Results) -> None:
        super().open(results)
        if self._at_open is not None:
            raise self._at_open

    def send(self, message: Outgoing, ticket: Ticket) -> bool:
        if self._at_send is not None:
            raise self._at_send
        return super().send(message, ticket)


@pytest.mark.parametrize(
    "sink", [BrokenSink(at_open=SinkError("no such folder")), BrokenSink(at_send=KeyError("a bug"))]
)
def test_no_failure_of_it_reaches_the_caller_and_no_stream_is_dated_by_it(
    make: Make, sink: BrokenSink
) -> None:
    trial = make(sink)
    trial.follow(lambda: 7.0)
    send(trial, tweet(1))
    wait_for(lambda: trial.trouble, "it fails")
    send(trial, tweet(2))
    trial.keep()
    trial.stream_opened()
    assert trial.counts()["dropped"] >= 1
    assert trial.safe_until() == 7.0
    began = time.monotonic()
    trial.drain(began + 600)
    assert time.monotonic() - began < 60  # nobody waits for it
    assert trial.report().trouble == trial.trouble


def test_what_it_has_not_kept_yet_is_not_safe(make: Make) -> None:
    now = 5.0
    trial = make(GateSink())
    trial.follow(lambda: now)
    with trial._delivery._lock:  # nothing is committed meanwhile
        send(trial, tweet(1))
        now = 9.0
        unkept = trial.safe_until()
        trial.keep()
        kept = trial.safe_until()
    assert (unkept, kept) == (5.0, 9.0)


def test_a_drain_does_not_wait_for_a_trial_in_trouble(make: Make) -> None:
    sink = GateSink(room=0)
    trial = make(sink)
    send(trial, tweet(1))
    wait_for(lambda: trial.backlog == 1, "it waits")
    sink.trouble = "the topic is missing"
    began = time.monotonic()
    assert trial.drain(began + 600) == 1
    assert time.monotonic() - began < 60


def test_what_an_ended_trial_left_is_removed_and_said(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left, used = make(GateSink(room=0)), make(GateSink(room=0), generation=2)
    send(left, tweet(1))
    send(used, tweet(2))
    wait_for(lambda: used.backlog == 1, "it is kept")
    left.drain(time.monotonic())
    caplog.set_level("INFO")
    assert trial_of(worker_birth(tmp_path, 3)) is None
    folder = trial_folder(tmp_path, "track:0")
    assert [path.name for path in folder.iterdir()] == ["2"]  # its process lives
    assert "what waited for the ended trial is removed" in caplog.text


def test_lines_go_to_a_file_of_their_own_even_if_it_could_not_be_opened_at_first(tmp_path: Path) -> None:
    birth = worker_birth(tmp_path)
    settings = replace(birth.settings, output=f"jsonl:{tmp_path}/none/out", trial="old")
    trial = trial_of(replace(birth, settings=settings))
    assert trial is not None
    assert trial.payload == "v1.1"
    trial.open()
    send(trial, tweet(1))
    wait_for(lambda: trial.trouble, "the file is missed")
    (tmp_path / "none" / "out").mkdir(parents=True)
    wait_for(lambda: trial.counts()["delivered"] == 1, "it is written")
    assert (tmp_path / "none" / "out" / "track:0.old.jsonl").read_bytes() == tweet(1).body + b"\n"
    trial.drain(time.monotonic())
