"""Posts that several workers bring: one keeps each, whatever ends the others."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.claims import ToldClaims
from support.deliveries import die, worker_birth
from support.gatesink import GateSink
from support.waiting import DEADLINE_S, wait_for

from traptor.worker.delivery.delivery import Delivery
from traptor.worker.outbox.message import Outgoing
from traptor.worker.outbox.outbox import Outbox, OutboxError
from traptor.worker.seen.register import Register, seen_folder
from traptor.worker.sinks.lines import LineSink, jsonl_files

Make = Callable[..., "Worker"]


class Worker:
    """A delivery of `v2:app`, or of its second connection, with what its claims came to."""

    def __init__(self, folder: Path, sink: GateSink | LineSink, generation: int, second: bool) -> None:
        birth = worker_birth(folder, generation)
        birth = replace(
            birth,
            connection="v2:app.2" if second else "v2:app",
            group=None,
            settings=replace(birth.settings, api="v2"),
            pair="v2:app",
        )
        self.birth, self.sink = birth, sink
        self.verdicts: list[bool] = []
        self.delivery = Delivery(birth, sink)
        self.delivery.open()

    def send(self, *numbers: int) -> None:
        """Hand over posts that came together."""
        posts = [Outgoing(_body(number), str(number), ("1",)) for number in numbers]
        self.delivery.hand_over(posts, ToldClaims(self.verdicts, numbers, time.time()))


def _body(number: int) -> bytes:
    came = {"collection": {"received_at": datetime.now(UTC).isoformat()}}
    return json.dumps({"data": {"id": str(number)}, "traptor": came}).encode()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Worker] = []

    def one(sink: GateSink | LineSink, generation: int = 1, *, second: bool = False) -> Worker:
        made.append(Worker(tmp_path, sink, generation, second))
        return made[-1]

    yield one
    for worker in made:
        worker.delivery.drain(time.monotonic())


@pytest.mark.parametrize("is_line_sink", [True, False])
def test_a_post_that_two_workers_bring_is_delivered_once_and_counted_once(
    make: Make, is_line_sink: bool
) -> None:
    sinks = GateSink(), GateSink()
    for sink in sinks:
        sink.is_line_sink = is_line_sink
    workers = make(sinks[0]), make(sinks[1], second=True)
    for number in range(1, 301):
        for worker in workers if number % 2 else reversed(workers):
            worker.send(number)
    wait_for(lambda: all(len(worker.verdicts) == 300 for worker in workers), "all claims are settled")
    wait_for(lambda: not any(worker.delivery.backlog for worker in workers), "all are delivered")
    assert sinks[0].delivered + sinks[1].delivered == Counter({str(one): 1 for one in range(1, 301)})
    for worker in workers:
        ours = sum(worker.verdicts)
        assert worker.delivery.billed.posts == ours
        assert worker.delivery.counts.accepted == worker.delivery.counts.delivered == ours


def keeps_nothing_more(worker: Worker) -> None:
    """Have its thread do nothing on the way to its end, as a kill would."""
    worker.delivery._gathered._waits = True
    worker.delivery._gathered._not_before = time.monotonic() + 1e9


def test_what_a_killed_worker_had_in_memory_only_is_taken_by_the_other(make: Make) -> None:
    one, other = make(GateSink(confirms=False)), make(GateSink(), second=True)
    keeps_nothing_more(one)
    one.send(1)
    die(one.delivery)
    other.send(1)
    wait_for(lambda: other.sink.delivered == {"1": 1}, "the other delivers it")


def test_what_a_killed_worker_had_gathered_is_neither_taken_nor_delivered(make: Make) -> None:
    one, other = make(GateSink()), make(GateSink(), second=True)
    for worker in (one, other):
        worker.sink.is_line_sink = True
    keeps_nothing_more(one)
    one.send(1, 2)
    die(one.delivery)
    assert (one.sink.delivered, one.delivery.billed.posts) == ({}, 0)
    other.send(2, 3)
    assert other.sink.together == [["2", "3"]]


def test_of_posts_that_came_together_those_of_another_worker_are_left_out(make: Make) -> None:
    one, other = make(GateSink()), make(GateSink(), second=True)
    for worker in (one, other):
        worker.sink.is_line_sink = True
    one.send(2)
    other.send(1, 2, 3)
    assert other.sink.together == [["1", "3"]]
    assert other.verdicts == [True, False, True]
    assert other.delivery.counts.accepted == other.delivery.billed.posts == 2


@pytest.mark.parametrize("is_line_sink", [True, False])
def test_what_came_together_is_counted_before_it_is_delivered_or_kept(make: Make, is_line_sink: bool) -> None:
    one = make(GateSink())
    one.sink.is_line_sink = is_line_sink
    noted: list[tuple[int, int]] = []
    one.delivery.before_keeping(
        lambda: noted.append((one.delivery.billed.posts, one.delivery.counts.accepted))
    )
    one.send(1, 2)
    wait_for(lambda: one.sink.delivered.total() == 2, "both are delivered")
    assert (2, 0) in noted
    assert (0, 2) not in noted


@pytest.mark.parametrize("way", ["kept", "settled", "billed"])
def test_what_is_billed_is_counted_before_others_hear_of_it(make: Make, tmp_path: Path, way: str) -> None:
    one = make(GateSink())
    words = seen_folder(one.birth.settings.outbox.state_dir, "v2:app") / "words"
    begin = words.stat().st_size
    noted: list[tuple[int, int]] = []

    def note() -> None:
        noted.append((one.delivery.billed.posts, words.stat().st_size))

    one.delivery.before_keeping(note)
    one.delivery.before_settling(note)
    match way:
        case "kept":
            one.send(1)
        case "settled":
            one.delivery.settle(ToldClaims(one.verdicts, [1], time.time()))
        case "billed":
            size = words.stat
            one.delivery.bill([1], [], time.time(), lambda new: noted.append((new.posts, size().st_size)))
    wait_for(lambda: words.stat().st_size > begin, "others hear of it")
    assert (1, begin) in noted


def test_what_a_worker_kept_and_did_not_come_to_record_is_not_delivered_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make(GateSink(confirms=False))
    with monkeypatch.context() as patch:
        patch.setattr(Register, "_taken", lambda _self, _posts: None)
        one.send(1)
        wait_for(lambda: one.sink.sent == ["1"], "it is in the outbox")
        die(one.delivery)
    successor = make(GateSink(), 2)
    successor.send(1)
    wait_for(lambda: successor.verdicts == [False], "it is known")
    wait_for(lambda: successor.sink.delivered == {"1": 1}, "it is delivered once, from the outbox")


@pytest.mark.parametrize("opens", ["after the kill", "before it, for a refresh"])
def test_what_a_worker_wrote_to_a_file_and_did_not_come_to_record_is_not_delivered_or_billed_again(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opens: str
) -> None:
    one = make(jsonl_files(tmp_path / "out", "v2:app", "drop"))
    if opens != "after the kill":
        successor = make(jsonl_files(tmp_path / "out", "v2:app", "drop"), 2)
    with monkeypatch.context() as patch:
        patch.setattr(Register, "_taken", lambda _self, _posts: None)
        one.send(1, 2)
    die(one.delivery)
    if opens == "after the kill":
        successor = make(jsonl_files(tmp_path / "out", "v2:app", "drop"), 2)
    successor.delivery.stream_opened()
    assert successor.delivery.seen([1, 2, 3]) == [True, True, False]
    assert successor.delivery.is_billed([1, 2], time.time())
    successor.send(1, 2, 3)
    assert successor.verdicts == [False, False, True]
    assert successor.delivery.billed.posts == 1
    written = (tmp_path / "out" / "v2:app.jsonl").read_text().splitlines()
    assert [json.loads(line)["data"]["id"] for line in written] == ["1", "2", "3"]


def test_what_cannot_be_kept_is_left_to_the_other(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = make(GateSink()), make(GateSink(), second=True)
    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "put", _refused)
        one.send(1)
        wait_for(lambda: not one.delivery.has_room.is_set(), "it cannot be kept")
    other.send(1)
    wait_for(lambda: other.sink.delivered == {"1": 1}, "the other delivers it")
    wait_for(lambda: one.verdicts == [False], "the first gives way later")
    assert not one.sink.delivered


def _refused(*_: object) -> None:
    raise OutboxError("broken")


# ---- one of two is killed between keeping a post and recording that

WHERE = ["in the output's file", "in its outbox"]


def make_one(make: Make, sink: LineSink, where: str, generation: int = 1) -> Worker:
    if where != WHERE[0]:
        sink.may_deliver_at_once = lambda _messages: False  # type: ignore[method-assign]
    return make(sink, generation)


def keep_and_be_killed(make: Make, sink: LineSink, *numbers: int, where: str) -> None:
    """In a process of its own: keep posts, with the sink or in the outbox, and never record that."""
    pid = os.fork()
    if pid == 0:
        one = make_one(make, sink, where)
        Register._taken = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
        try:
            one.send(*numbers)
            time.sleep(DEADLINE_S)  # its other thread keeps them
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def output(folder: Path) -> LineSink:
    return jsonl_files(folder / "out", "v2:app", "drop")


def written(folder: Path) -> list[str]:
    lines = (folder / "out" / "v2:app.jsonl").read_bytes().splitlines()
    return [json.loads(line)["data"]["id"] for line in lines]


@pytest.mark.parametrize("where", WHERE)
def test_what_one_of_two_kept_and_did_not_come_to_record_the_other_does_not_deliver(
    make: Make, tmp_path: Path, where: str
) -> None:
    other = make(output(tmp_path), second=True)
    keep_and_be_killed(make, output(tmp_path), 1, 2, where=where)
    other.send(2, 3)
    assert other.verdicts == [False, True]
    assert (other.delivery.billed.posts, other.delivery.is_billed([1, 2], time.time())) == (1, True)
    successor = make(output(tmp_path), 2)
    successor.send(1, 4)
    wait_for(lambda: not successor.delivery.backlog, "it delivers what the dead one left")
    assert sorted(written(tmp_path)) == ["1", "2", "3", "4"]


@pytest.mark.parametrize("where", WHERE)
def test_the_other_looks_once_only_for_what_a_dead_one_kept(
    make: Make, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = output(tmp_path)
    other = make(sink, second=True)
    other.send(1)
    keep_and_be_killed(make, output(tmp_path), 2, where=where)
    looks: list[int] = []
    last_written = sink.last_written
    monkeypatch.setattr(sink, "last_written", lambda: looks.append(1) or last_written())
    for number in (2, 3, 4):
        other.send(number)
    assert (other.verdicts, len(looks)) == ([True, False, True, True], 1)


@pytest.mark.parametrize("where", WHERE)
def test_of_two_one_may_be_killed_at_any_moment(make: Make, tmp_path: Path, where: str) -> None:
    """It brings posts that the other one brings later, and is killed many times."""
    other = make(output(tmp_path), second=True)
    last = 0
    for generation in range(1, 11):
        reading, writing = os.pipe()
        if (pid := os.fork()) == 0:
            one = make_one(make, output(tmp_path), where, generation)
            for number in range(last + 1, 10_000_000):
                one.send(number)
                os.write(writing, b".")
        os.close(writing)
        brought = len(os.read(reading, 1))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with os.fdopen(reading, "rb") as pipe:
            brought += len(pipe.read())
        other.send(*range(last + 1, last + brought + 3))
        last += brought + 2
    successor = make(output(tmp_path), 11)
    wait_for(lambda: not successor.delivery.backlog and not other.delivery.backlog, "all is delivered")
    assert sorted(map(int, written(tmp_path))) == [*range(1, last + 1)]
