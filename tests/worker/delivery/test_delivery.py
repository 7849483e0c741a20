"""Delivery by way of the outbox: nothing that was taken is lost, whatever the output and the process do."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from support.deliveries import die, worker_birth
from support.gatesink import GateSink
from support.outgoing import other, tweet
from support.waiting import DEADLINE_S, wait_for

from traptor.common.files.mark import read_mark
from traptor.common.files.outboxes import outbox_folder, outboxes
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.delivery.outflow import Outflow
from traptor.worker.outbox.outbox import Outbox, OutboxError
from traptor.worker.sinks.lines import LineSink, jsonl_files

Make = Callable[..., Delivery]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Opens deliveries of generation 1, 2, ... over one folder; ends those that still live."""
    made: list[Delivery] = []

    def open_one(sink: GateSink, generation: int = 1, **options: int) -> Delivery:
        delivery = Delivery(worker_birth(tmp_path, generation, **options), sink)  # type: ignore[arg-type]
        delivery.open()
        made.append(delivery)
        return delivery

    yield open_one
    for delivery in made:
        delivery.drain(time.monotonic())


def soon() -> float:
    return time.monotonic() + DEADLINE_S


def names(first: int, end: int) -> list[str]:
    return [str(number) for number in range(first, end)]


def folders(tmp_path: Path) -> list[str]:
    return [path.name for path in outboxes(tmp_path, "track:0")]


# ---- the way of a message


def test_a_tweet_that_was_written_and_did_not_leave_the_outbox_is_not_written_again(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = tmp_path / "out" / "track:0.jsonl"
    first = make(jsonl_files(lines.parent, "track:0", "topic"))
    with monkeypatch.context() as patch:
        patch.setattr(LineSink, "may_deliver_at_once", lambda _self, _messages: False)
        patch.setattr(Outflow, "remove_done", lambda _self: None)
        first.hand_over([tweet(1), other(1), tweet(2)])
        wait_for(lambda: lines.exists() and lines.read_bytes().count(b"\n") == 3, "all are written")
        die(first)
    successor = make(jsonl_files(lines.parent, "track:0", "topic"), 2)
    successor.send(tweet(3))
    wait_for(lambda: not successor.backlog and folders(tmp_path) == ["2"], "the outbox is empty")
    written = sorted(lines.read_bytes().splitlines())
    bodies = [one.body for one in (tweet(1), tweet(2), tweet(3), other(1))]
    assert written == sorted([*bodies, other(1).body]), "two equal messages may be meant, two tweets are not"
    assert successor.counts.redelivered == 3


def test_the_time_until_the_output_confirms_is_counted_and_not_for_those_of_others(make: Make) -> None:
    first = GateSink(confirms=False)
    delivery = make(first)
    delivery.send(tweet(1))
    wait_for(lambda: delivery.keep() and first.sent, "it is sent")
    assert delivery.latency.by_step() == {}, "nothing is confirmed yet"
    die(delivery)
    second = GateSink()
    successor = make(second, 2)
    wait_for(lambda: successor.counts.redelivered == 1, "it is delivered")
    successor.send(tweet(2))
    wait_for(lambda: successor.counts.delivered == 1, "the next one is delivered")
    assert sum(successor.latency.by_step().values()) == 1


def test_a_message_is_in_the_outbox_before_it_is_sent_and_leaves_it_when_it_is_delivered(make: Make) -> None:
    sink = GateSink(confirms=False)
    delivery = make(sink)
    for number in range(1000):
        delivery.send(tweet(number))
    wait_for(lambda: len(sink.sent) == 1000, "all are sent")
    assert sink.sent == names(0, 1000)
    assert sink.not_in_outbox == []
    assert delivery.backlog == 1000
    sink.tell(1000)
    wait_for(lambda: not delivery.backlog and not delivery.outbox_bytes, "the outbox is empty")
    assert (delivery.counts.accepted, delivery.counts.delivered) == (1000, 1000)


def test_one_message_on_a_quiet_stream_is_committed_and_sent_without_another(make: Make) -> None:
    sink = GateSink()
    delivery = make(sink)
    delivery.send(tweet(1))
    wait_for(lambda: sink.delivered == {"1": 1}, "it is delivered")
    wait_for(lambda: not delivery.outbox_bytes, "it leaves the outbox")


def test_messages_that_are_not_wanted_are_not_accepted(make: Make) -> None:
    sink = GateSink()
    delivery = make(sink)
    delivery.send(other(1))
    assert (delivery.counts.accepted, delivery.backlog) == (0, 0)


def test_an_output_that_can_deliver_at_once_needs_no_outbox(make: Make, tmp_path: Path) -> None:
    sink = GateSink()
    sink.is_line_sink = True
    delivery = make(sink)
    delivery.send(tweet(1))
    assert sink.delivered == {"1": 1}
    assert (delivery.counts.delivered, delivery.backlog, sink.sent) == (1, 0, [])
    assert not (outbox_folder(tmp_path, "track:0") / "1" / "data.mdb").exists()


def test_what_came_together_is_delivered_together_in_its_order(make: Make) -> None:
    sink = GateSink()
    sink.is_line_sink = True
    delivery = make(sink)
    delivery.hand_over([tweet(number) for number in range(1, 4)])
    delivery.hand_over([])
    assert (sink.together, delivery.backlog) == ([["1", "2", "3"]], 0)
    assert (delivery.counts.accepted, delivery.counts.delivered, delivery.latency.at_once) == (3, 3, 3)


def test_what_waits_to_be_committed_is_not_safe_however_much_is_handled_after_it(make: Make) -> None:
    sink = GateSink()
    delivery = make(sink)
    handled_until = 10.0
    delivery.follow(lambda: handled_until)
    with delivery._lock:  # its thread commits nothing meanwhile
        delivery.send(tweet(1))
        handled_until = 20.0
        delivery.send(tweet(2))
        assert delivery.safe_until() == 10.0
        delivery.keep()
        assert delivery.safe_until() == 20.0


def test_what_could_not_be_delivered_at_once_goes_through_the_outbox(make: Make) -> None:
    sink = GateSink(room=0)
    sink.is_line_sink = True
    delivery = make(sink)
    delivery.send(tweet(1))
    delivery.send(tweet(2))
    wait_for(lambda: delivery.outbox_bytes, "they are in the outbox")
    sink.room = 10
    wait_for(lambda: delivery.counts.delivered == 2, "they are delivered")
    assert (sink.sent, sink.together) == (["1", "2"], [])


def test_with_durability_of_the_host_the_output_is_synced(make: Make) -> None:
    sink = GateSink()
    make(sink, synced=1)
    wait_for(lambda: sink.syncs, "it is synced")


# ---- an output that takes nothing for a while


def test_what_waits_goes_out_in_order_with_live_messages_in_between(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "traptor")
    sink = GateSink(room=0, confirms=False)
    delivery = make(sink)
    for number in range(20_000):
        delivery.send(tweet(number))
    wait_for(lambda: "messages wait in the outbox" in caplog.text, "it says that they wait")
    assert sink.sent == []
    assert delivery.backlog == 20_000
    sink.room = 3_000
    wait_for(lambda: len(sink.sent) >= 2_000, "some are sent")
    delivery.send(tweet(99_999))
    wait_for(lambda: "99999" in sink.sent, "the live one does not wait for all the others")
    assert len(sink.sent) < 5_000
    sink.confirms = True
    wait_for(lambda: delivery.counts.delivered == 20_001, "all are delivered")
    late = [name for name in sink.sent if name != "99999"]
    assert late == names(0, 20_000)
    assert sink.repeated == set()  # none of them was sent before
    wait_for(lambda: "all that waited in the outbox is delivered" in caplog.text, "it says so")


def test_what_comes_back_is_sent_again_and_marked_as_repeated(make: Make) -> None:
    sink = GateSink(confirms=False)
    delivery = make(sink)
    for number in range(10):
        delivery.send(tweet(number))
    wait_for(lambda: len(sink.sent) == 10, "they are sent")
    sink.tell(4)
    sink.tell(6, "came_back")
    wait_for(lambda: len(sink.sent) == 16, "those that came back are sent again")
    assert sorted(sink.sent[10:]) == names(4, 10)
    assert sink.repeated == set(names(4, 10))
    sink.tell(6)
    wait_for(lambda: not delivery.backlog, "all are delivered")
    assert sink.delivered == dict.fromkeys(names(0, 10), 1)


def test_an_output_that_takes_messages_and_never_confirms_them_is_shown_until_it_does(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where later messages are confirmed meanwhile, and where the first come back again and again."""
    caplog.set_level(logging.INFO)
    sink = GateSink(confirms=False)
    delivery = make(sink, confirm_timeout_s=1)
    assert delivery.unconfirmed_since is None
    delivery.send(tweet(0))
    wait_for(lambda: sink.sent == ["0"], "it is with the output")
    delivery.send(tweet(1))
    wait_for(lambda: len(sink.sent) == 2, "and the next one")
    sink.tell(1, "came_back")
    sink.tell(1)
    wait_for(lambda: delivery.unconfirmed_since is not None, "it is shown")
    wait_for(lambda: len(sink.unconfirmed) > 1, "the output is told again and again")
    assert sink.delivered == {"1": 1}
    assert caplog.messages.count("the output confirms nothing") == 1
    wait_for(lambda: sink.sent == ["0", "1", "0"], "it was sent again")
    sink.tell(1)
    wait_for(lambda: delivery.unconfirmed_since is None, "it is not shown any more")
    assert caplog.messages.count("the output confirms messages again") == 1
    assert delivery.counts.delivered == 2


def test_an_output_that_takes_nothing_is_shown_likewise(make: Make) -> None:
    sink = GateSink(room=0)
    delivery = make(sink, confirm_timeout_s=1)
    delivery.send(tweet(0))
    wait_for(lambda: delivery.unconfirmed_since is not None, "it is shown")
    sink.room = 10
    wait_for(lambda: delivery.unconfirmed_since is None, "it is not shown any more")
    assert delivery.counts.delivered == 1


def test_dead_letters_are_counted_and_leave_the_outbox(make: Make) -> None:
    sink = GateSink(confirms=False)
    delivery = make(sink)
    delivery.send(tweet(1))
    delivery.send(tweet(2))
    wait_for(lambda: len(sink.sent) == 2, "they are sent")
    sink.tell(1, "is_dead")
    sink.tell(1)
    wait_for(lambda: not delivery.backlog, "both leave the outbox")
    assert (delivery.counts.dead_letters, delivery.counts.delivered) == (1, 1)


# ---- the end of a generation, and the next one


def test_who_keeps_after_the_drain_makes_no_outbox(make: Make, tmp_path: Path) -> None:
    """As a fill does, which has waited for the drain meanwhile."""
    delivery = make(GateSink())
    delivery.drain(soon())
    delivery.keep()
    assert folders(tmp_path) == []


def test_a_drain_delivers_everything_and_removes_the_outbox(make: Make, tmp_path: Path) -> None:
    sink = GateSink()
    delivery = make(sink)
    for number in range(500):
        delivery.send(tweet(number))
    assert delivery.drain(soon()) == 0
    assert sink.delivered == dict.fromkeys(names(0, 500), 1)
    assert folders(tmp_path) == []


def test_what_is_left_at_the_deadline_is_delivered_by_the_next_generation(make: Make, tmp_path: Path) -> None:
    delivery = make(GateSink(room=5, confirms=False))
    for number in range(300):
        delivery.send(tweet(number))
    assert delivery.drain(time.monotonic() + 0.2) == 300
    assert folders(tmp_path) == ["1"]
    sink = GateSink()
    heir = make(sink, 2)
    wait_for(lambda: not heir.backlog, "all are delivered")
    assert sink.sent == names(0, 300)
    assert sink.repeated == set(names(0, 300))
    assert (heir.counts.accepted, heir.counts.delivered, heir.counts.redelivered) == (0, 0, 300)
    wait_for(lambda: folders(tmp_path) == ["2"], "the old outbox is gone")


def test_after_a_sudden_death_the_next_generation_delivers_what_was_not_confirmed(make: Make) -> None:
    sink = GateSink(confirms=False)
    delivery = make(sink)
    for number in range(600):
        delivery.send(tweet(number))
    wait_for(lambda: len(sink.sent) == 600, "all are sent")
    sink.tell(256)
    wait_for(lambda: delivery.backlog < 600, "the first batch leaves the outbox, however few it has")
    die(delivery)
    heir_sink = GateSink()
    heir = make(heir_sink, 2)
    wait_for(lambda: not heir.backlog, "the rest is delivered")
    assert 600 - 256 <= len(heir_sink.sent) < 600
    assert heir_sink.sent == names(600 - len(heir_sink.sent), 600)


def test_an_outbox_is_adopted_while_the_heir_lives_once_its_owner_is_gone(make: Make) -> None:
    old = make(GateSink(room=0))
    old.send(tweet(1))
    wait_for(lambda: old.outbox_bytes, "it is in the outbox")
    sink = GateSink()
    heir = make(sink, 2)
    assert heir.backlog == 0  # its owner has it
    die(old)
    wait_for(lambda: sink.delivered == {"1": 1}, "it is delivered")


def test_outboxes_of_later_generations_are_left_alone(make: Make, tmp_path: Path) -> None:
    later = make(GateSink(room=0), 5)
    later.send(tweet(1))
    wait_for(lambda: later.outbox_bytes, "it is in the outbox")
    die(later)
    assert make(GateSink(), 2).backlog == 0
    assert folders(tmp_path) == ["2", "5"]


# ---- no room on disk


def test_a_full_outbox_says_so_and_has_room_again_when_some_is_delivered(make: Make) -> None:
    sink = GateSink(room=0)
    delivery = make(sink, max_bytes=1 << 20)
    assert delivery.has_room.is_set()
    number = 0
    while delivery.has_room.is_set():
        delivery.send(tweet(number, filler=10_000))
        number += 1
    assert delivery.outbox_bytes >= 1 << 20
    delivery.send(tweet(number))  # what was read already is kept nevertheless
    sink.room = 1_000
    assert delivery.has_room.wait(DEADLINE_S)
    wait_for(lambda: not delivery.backlog, "all is delivered")
    assert sink.delivered == dict.fromkeys(names(0, number + 1), 1)


def test_while_the_outbox_cannot_be_written_nothing_is_sent_and_nothing_is_dropped(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OutboxError("No space left on device")

    sink = GateSink()
    delivery = make(sink)
    with monkeypatch.context() as patched:
        patched.setattr(Outbox, "put", refuse)
        delivery.send(tweet(1))
        wait_for(lambda: not delivery.has_room.is_set(), "it has no room")
        delivery.send(tweet(2))
        assert sink.sent == []
        assert delivery.backlog == 2
        assert "the outbox cannot be written" in caplog.text
    assert delivery.has_room.wait(DEADLINE_S)
    wait_for(lambda: sink.delivered == {"1": 1, "2": 1}, "both are delivered")


# ---- until when all is safe


def test_the_mark_follows_what_came_and_never_passes_what_is_not_committed(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came = time.monotonic()
    delivery = make(GateSink())
    folder = outbox_folder(tmp_path, "track:0") / "1"
    assert read_mark(folder) is None  # nothing ever came
    delivery.stream_opened()
    delivery.follow(lambda: came)

    def mark() -> float:
        found = read_mark(folder)
        return found.safe_until if found is not None else 0.0

    wait_for(lambda: mark() == came, "the mark is written though nothing is sent")
    assert delivery.safe_until() == came
    written = read_mark(folder)
    assert written is not None
    assert came <= written.since <= time.monotonic()


def test_what_is_gathered_is_dated_to_before_it_came_and_not_to_when_it_was_handled(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was stopped reads late what came meanwhile: not safe while it cannot be kept."""
    came = 100.0
    delivery = make(GateSink())
    delivery.follow(lambda: came)
    monkeypatch.setattr(Outbox, "put", lambda *_: (_ for _ in ()).throw(OutboxError("full")))
    delivery.send(tweet(1))
    came = 200.0  # all that was sent is given to `send` by then
    delivery.send(tweet(2))
    came = 300.0
    assert not delivery.keep()
    assert delivery.safe_until() == 100.0
    monkeypatch.undo()
    delivery._gathered._not_before = 0.0
    assert delivery.keep()
    assert delivery.safe_until() == 300.0
    wait_for(
        lambda: (mark := read_mark(outbox_folder(tmp_path, "track:0") / "1")) and mark.safe_until == 300.0,
        "the mark follows",
    )


# ---- whatever happens


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 400)),
        st.tuples(st.just("room"), st.integers(0, 300)),
        st.tuples(st.just("delivered"), st.integers(1, 300)),
        st.tuples(st.just("came_back"), st.integers(1, 100)),
        st.tuples(st.just("is_dead"), st.integers(1, 5)),
        st.tuples(st.sampled_from(["die", "drain", "pause"]), st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(steps)
def test_everything_accepted_and_committed_is_delivered_or_a_dead_letter(
    plan: list[tuple[str, int]],
) -> None:
    """Over any sequence of full queues, failures, sudden deaths and ends, with a heir each time."""
    folder = Path(tempfile.mkdtemp())
    try:
        _Run(folder).follow(plan)
    finally:
        shutil.rmtree(folder)


class _Run:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._generation = 0
        self._next = 0
        self._safe: set[str] = set()  # was committed, or is delivered
        self._ended: set[str] = set()  # delivered or dead
        self._begin(room=100, confirms=False)

    def _begin(self, *, room: int, confirms: bool) -> None:
        self._generation += 1
        self._sink = GateSink(room=room, confirms=confirms)
        self._delivery = Delivery(worker_birth(self._folder, self._generation), self._sink)
        self._delivery.open()

    def follow(self, plan: list[tuple[str, int]]) -> None:
        for what, count in plan:
            match what:
                case "send":
                    for number in range(self._next, self._next + count):
                        self._delivery.send(tweet(number))
                    self._next += count
                case "room":
                    self._sink.room = count
                case "die" | "drain":
                    self._end(what)
                    self._begin(room=100, confirms=False)
                case "pause":
                    wait_for(lambda: not self._delivery._gathered, "all is committed")
                case _:
                    self._sink.tell(count, what)
        self._end("drain")
        self._begin(room=1_000, confirms=True)
        assert self._delivery.drain(soon()) == 0
        self._count()
        assert self._safe <= self._ended
        assert outboxes(self._folder, "track:0") == []

    def _end(self, what: str) -> None:
        if what == "drain":
            self._delivery.drain(time.monotonic())
            self._safe |= set(names(0, self._next))
        else:
            wait_for(lambda: not self._delivery._gathered, "all is committed")
            self._safe |= set(names(0, self._next))
            die(self._delivery)
        self._count()

    def _count(self) -> None:
        self._ended |= self._sink.delivered.keys() | self._sink.dead
        assert self._sink.not_in_outbox == []
