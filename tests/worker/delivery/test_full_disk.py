"""A disk that is full: what waits goes out all the same, the disk comes free, and the reason is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.deliveries import die, worker_birth
from support.gatesink import GateSink
from support.outgoing import tweet
from support.smalldisk import MakeDisk, SmallDisk
from support.waiting import DEADLINE_S, wait_for

from traptor.common.files.outboxes import outboxes
from traptor.common.messages import OutboxTrouble
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.outbox.folder import OutboxFolder
from traptor.worker.outbox.message import Outgoing
from traptor.worker.outbox.outbox import Batch, DiskFull, Outbox, OutboxError, portions

MB = 1 << 20
FILLER = 10_000  # few enough messages that all can be on their way at once


@pytest.fixture
def disk(make_disk: MakeDisk, tmp_path: Path) -> SmallDisk:
    return make_disk(tmp_path / "disk", 8 * MB)


@pytest.fixture
def outbox(disk: SmallDisk) -> Iterator[Outbox]:
    made = Outbox.create(disk.folder / "1", synced=False, max_bytes=1 << 30)
    yield made
    made.close()


def fill(outbox: Outbox, per_batch: int = 5) -> list[Batch]:
    """Put batches until the disk is full."""
    kept: list[Batch] = []
    while len(kept) < 10_000:
        try:
            kept.append(outbox.put([tweet(number, filler=FILLER) for number in range(per_batch)]))
        except DiskFull:
            break
    assert len(kept) < 10_000
    return kept


@pytest.mark.parametrize("per_batch", [1, 5, 200])
def test_what_is_in_a_full_outbox_can_leave_it_though_others_took_the_rest_of_the_disk(
    disk: SmallDisk, outbox: Outbox, per_batch: int
) -> None:
    kept = fill(outbox, per_batch)
    assert disk.free_bytes > 0  # the outbox left some for others, who need it to recover
    disk.fill()
    for batch in kept:
        outbox.remove([batch])
    assert (outbox.messages, outbox.bytes) == (0, 0)


def test_all_at_once_can_leave_it_in_portions(disk: SmallDisk, outbox: Outbox) -> None:
    kept = fill(outbox, 20)
    disk.fill()
    told = list(portions(kept))
    assert [batch for portion in told for batch in portion] == kept
    for portion in told:
        outbox.remove(portion)
    assert outbox.messages == 0


def test_room_that_became_free_in_the_file_is_used_again_while_the_disk_is_full(
    disk: SmallDisk, outbox: Outbox
) -> None:
    kept = fill(outbox)
    disk.fill()
    for round_ in range(50):
        outbox.remove([kept[round_]])
        outbox.put([tweet(1, filler=FILLER)])
    fill(outbox, 1)
    while (batch := outbox.after(0)) is not None:
        outbox.remove([batch])
    assert outbox.messages == 0


def test_an_empty_file_is_given_back_to_the_disk(disk: SmallDisk, outbox: Outbox) -> None:
    kept = fill(outbox)
    for batch in kept:
        outbox.remove([batch])
    outbox.give_back()
    assert disk.free_bytes > 7 * MB
    assert outbox.put([tweet(1)]).number == len(kept) + 1


def test_a_file_with_little_in_it_is_written_anew(disk: SmallDisk, outbox: Outbox) -> None:
    kept = fill(outbox)
    for batch in kept[:-2]:
        outbox.remove([batch])
    outbox.give_back()
    assert disk.free_bytes > 7 * MB
    assert outbox.after(0) == kept[-2]
    assert len(outbox.read(kept[-1])) == 5
    outbox.close()
    heir = Outbox.adopt(outbox.folder, synced=False, max_bytes=1 << 30)
    assert heir.messages == 10
    heir.delete()


def test_a_file_that_could_not_be_begun_is_no_broken_file(disk: SmallDisk, outbox: Outbox) -> None:
    for leave_bytes in (0, 4096, 8192, 12_288):
        disk.fill(leave_bytes)
        with pytest.raises(DiskFull):
            outbox.put([tweet(1)])
        disk.free()
    assert outbox.put([tweet(1)]).number == 1


def test_a_file_of_which_only_the_beginning_was_written_holds_nothing(
    tmp_path: Path, disk: SmallDisk, outbox: Outbox
) -> None:
    outbox.put([tweet(1)])
    outbox.close()
    start = (outbox.folder / "data.mdb").read_bytes()[:4096]
    (outbox.folder / "data.mdb").write_bytes(start)
    heir = Outbox.adopt(outbox.folder, synced=False, max_bytes=1 << 30)
    assert heir.messages == 0
    assert heir.put([tweet(1)])
    heir.close()


def test_a_limit_that_was_lowered_leaves_room_to_take_out_what_is_there(tmp_path: Path) -> None:
    outbox = Outbox.create(tmp_path / "1", synced=False, max_bytes=1 << 30)
    body = tweet(0, filler=300_000)
    kept = [outbox.put([body] * 10) for _ in range(100)]  # 300 MB: more than any map without them has
    outbox.close()
    heir = Outbox.adopt(tmp_path / "1", synced=False, max_bytes=1 << 20)
    for batch in kept:
        heir.remove([batch])
    assert heir.messages == 0
    heir.delete()


def test_a_map_that_is_full_is_not_blamed_on_the_disk(tmp_path: Path) -> None:
    outbox = Outbox.create(tmp_path / "1", synced=False, max_bytes=1)
    body = tweet(0, filler=3_000_000)
    with pytest.raises(OutboxError, match="its map is full") as raised:
        put_until(outbox, body, 200)  # more than any map without a limit has
    assert not isinstance(raised.value, DiskFull)
    outbox.delete()


def put_until(outbox: Outbox, message: Outgoing, end: int) -> None:
    for _ in range(end):
        outbox.put([message])


# ---- a delivery on such a disk

Open = Callable[..., Delivery]


@pytest.fixture
def open_delivery(disk: SmallDisk) -> Iterator[Open]:
    opened: list[Delivery] = []

    def open_one(sink: GateSink, generation: int = 1) -> Delivery:
        delivery = Delivery(worker_birth(disk.folder, generation, max_bytes=1 << 30), sink)
        delivery.open()
        opened.append(delivery)
        return delivery

    yield open_one
    for delivery in opened:
        delivery.drain(time.monotonic())


def bring_until_full(delivery: Delivery) -> int:
    """Send tweets until there is no room; how many."""
    number = 0
    while delivery.has_room.is_set() and number < 100_000:
        delivery.send(tweet(number, filler=FILLER))
        number += 1
    assert not delivery.has_room.is_set()
    return number


def test_all_goes_out_and_the_disk_comes_free_once_the_output_takes_it(
    disk: SmallDisk, open_delivery: Open, caplog: pytest.LogCaptureFixture
) -> None:
    sink = GateSink(room=0)
    delivery = open_delivery(sink)
    count = bring_until_full(delivery)
    assert delivery.outbox_trouble is OutboxTrouble.DISK
    (refused,) = [one for one in caplog.records if one.message == "the outbox cannot be written"]
    assert "its disk is full" in refused.fields["error"]  # type: ignore[attr-defined]
    disk.fill()  # by others
    sink.room = 1_000_000
    wait_for(lambda: len(sink.delivered) == count, "all are delivered")
    wait_for(lambda: not delivery.backlog, "nothing waits")
    assert delivery.has_room.wait(DEADLINE_S)
    assert delivery.outbox_trouble is None
    assert max(sink.delivered.values()) == 1
    wait_for(lambda: disk.free_bytes > 2 * MB, "the file's room is given back")


def test_where_nothing_can_leave_by_itself_the_file_goes_when_all_is_delivered(
    disk: SmallDisk, open_delivery: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that promises no room, or one that was filled by an older version."""

    def refuse(outbox: Outbox, *_: object) -> None:
        raise DiskFull(f"{outbox.folder}: its disk is full")

    sink = GateSink(room=0, confirms=False)
    delivery = open_delivery(sink)
    count = bring_until_full(delivery)
    disk.fill()
    monkeypatch.setattr(Outbox, "remove", refuse)
    monkeypatch.setattr(Outbox, "put", refuse)
    sink.room = 1_000_000
    wait_for(lambda: len(sink.sent) >= count - len(delivery._gathered), "all on disk are sent")
    sink.tell(len(sink.sent) - 1)
    wait_for(lambda: sink.delivered, "most are delivered")
    assert delivery.backlog >= 1
    sink.tell(1)
    wait_for(lambda: delivery.backlog == len(delivery._gathered), "the rest is in memory")
    assert disk.free_bytes > 6 * MB
    monkeypatch.undo()
    sink.confirms = True
    wait_for(lambda: len(sink.delivered) == count, "that goes out too")


def test_the_next_generation_delivers_what_was_left_while_it_can_make_no_outbox(
    disk: SmallDisk, open_delivery: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_folder: OutboxFolder) -> Outbox:
        raise DiskFull("no room for a folder")

    old = open_delivery(GateSink(room=0))
    bring_until_full(old)
    left = old.outbox_bytes
    assert left
    die(old)
    disk.fill()
    sink = GateSink()
    with monkeypatch.context() as patched:
        patched.setattr(OutboxFolder, "create", refuse)
        heir = open_delivery(sink, 2)
        assert not heir.has_room.is_set()
        assert heir.outbox_trouble is OutboxTrouble.DISK
        wait_for(lambda: not heir.backlog, "what was left is delivered")
        wait_for(lambda: not outboxes(disk.folder, "track:0"), "its outbox is gone")
    assert heir.has_room.wait(DEADLINE_S)
    heir.send(tweet(999_999))
    wait_for(lambda: sink.delivered["999999"] == 1, "what comes is kept and delivered")
