"""One full disk under a whole collection: what was read lies in the output, an outbox, or a gap."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.collection import Collection
from support.losses import check_nothing_lost, lost
from support.pair import lines_with, point_to, put_aside, start_two
from support.smalldisk import MakeDisk, SmallDisk
from support.waiting import DEADLINE_S, wait_for

from traptor.common.files.outboxes import outboxes, ownerless

Make = Callable[..., Collection]
MB = 1 << 20


@pytest.fixture
def disk(make_disk: MakeDisk, tmp_path: Path) -> SmallDisk:
    """A disk of 8 MB with `output` and `state` on it."""
    disk = make_disk(tmp_path / "disk", 8 * MB)
    for name in ("output", "state"):
        (disk.folder / name).mkdir()
        (tmp_path / name).symlink_to(disk.folder / name)
    return disk


@pytest.fixture
def collection(disk: SmallDisk, make_collection: Make) -> Iterator[Collection]:
    """Two connections; 100 tweets a second for track:0."""
    made, _ = start_two(make_collection, outbox_max_bytes="1G")
    made.sandbox.set_rules([("track", "storm")])
    made.sandbox.set_rate(100)
    wait_for(lambda: made.tweets("track:0"), "tweets")
    yield made
    disk.free()


def serving_state(collection: Collection) -> str | None:
    serving = collection.connection("track:0").get("serving")
    return serving["state"] if serving else None


def wait_outbox_full(collection: Collection) -> None:
    wait_for(lambda: serving_state(collection) == "OUTBOX_FULL", "it is OUTBOX_FULL")


def made(collection: Collection) -> int:
    return sum(1 for _ in collection.sandbox.tweets())


def give_output_back(collection: Collection) -> None:
    """Its folder leads to a disk that has room."""
    roomy = collection.folder / "roomy"
    roomy.mkdir()
    point_to(collection.output, roomy)


def fill_outbox(collection: Collection) -> Path:
    """Have every write to the output fail, though its disk has room, until that is full of what waits.

    Return what was written before.
    """
    output = collection.output.resolve()
    first = put_aside(output / "track:0.jsonl", output / "first.jsonl")
    collection.sandbox.set_rate(400)
    wait_outbox_full(collection)
    collection.sandbox.set_rate(10)
    collection.wait_log(
        "no stream until the outbox has room", "the disk of state_dir is full", name="track:0"
    )
    shown = "its outbox cannot grow: the disk of state_dir is full"
    wait_for(lambda: collection.connection("track:0")["waits_for"] == shown, "the true reason is shown")
    return first


def test_what_a_worker_read_late_and_could_not_keep_lies_in_the_gap_when_it_is_killed(
    collection: Collection, disk: SmallDisk
) -> None:
    """Stopped while the disk became full, it reads what came meanwhile, and is killed in OUTBOX_FULL."""
    pid = collection.streaming()["track:0"]
    os.kill(pid, signal.SIGSTOP)
    before = made(collection)
    wait_for(lambda: made(collection) > before + 200, "some come that it does not read")
    disk.fill()
    os.kill(pid, signal.SIGCONT)
    wait_outbox_full(collection)
    os.kill(pid, signal.SIGKILL)
    collection.wait_log("worker ended", "connection=track:0", f"pid={pid}")
    disk.free()
    collection.wait_new_pid("track:0", pid)
    check_nothing_lost(collection)
    assert lost(collection)


@pytest.mark.long
def test_a_disk_that_the_outbox_filled_comes_free_when_the_output_is_back(
    collection: Collection, disk: SmallDisk
) -> None:
    first = fill_outbox(collection)
    free_before = disk.free_bytes
    assert free_before > 0  # an outbox leaves some to others
    give_output_back(collection)
    wait_for(lambda: not collection.connection("track:0")["outbox"]["messages"], "all is delivered")
    collection.wait_streaming("track:0", "follow:0")
    wait_for(lambda: disk.free_bytes > 4 * MB, "the disk is free")
    assert lines_with(collection, "the outbox has room again", name="track:0")
    check_nothing_lost(collection, first)


@pytest.mark.long
@pytest.mark.parametrize("end", ["kill", "stop"])
def test_what_waits_on_a_full_disk_goes_out_after_a_restart_of_the_supervisor(
    collection: Collection, disk: SmallDisk, end: str
) -> None:
    """Nobody finds room for a single byte when the next one starts."""
    first = fill_outbox(collection)
    if end == "kill":
        collection.signal(signal.SIGKILL)
        assert collection.process is not None
        collection.process.wait(DEADLINE_S)
    else:
        assert collection.stop() == 0
    wait_for(lambda: "track:0" in ownerless(disk.folder / "state"), "the worker is dead too")
    disk.fill()
    left = ownerless(disk.folder / "state")
    assert left["track:0"].messages > 100
    collection.start()
    shown = collection.wait_log("an outbox is taken over", "worker=track:0")
    assert f"messages={left['track:0'].messages}" in shown
    wait_outbox_full(collection)
    give_output_back(collection)
    disk.free()
    collection.wait_streaming("track:0", "follow:0")
    check_nothing_lost(collection, first)


@pytest.mark.long
def test_a_drain_worker_empties_a_full_disk_on_which_nothing_can_be_written(
    collection: Collection, disk: SmallDisk
) -> None:
    """The rules are gone, so that nobody else would; the ownerless messages are counted until then."""
    pid = collection.streaming()["track:0"]
    fill_outbox(collection)
    collection.signal(signal.SIGSTOP)  # the supervisor sees all of what follows at once
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: "track:0" in ownerless(disk.folder / "state"), "it is dead")
    disk.fill()
    (disk.folder / "state" / "reserve").unlink()
    disk.fill()
    messages = ownerless(disk.folder / "state")["track:0"].messages
    assert messages > 100
    collection.remove_rules("track:0", ["storm"])
    collection.hint("track:0")
    collection.signal(signal.SIGCONT)
    shown = wait_for(
        lambda: [one for one in collection.status()["ownerless"] if one["connection"] == "track:0"],
        "what nobody has is counted",
    )
    assert shown[0]["messages"] == messages
    collection.wait_log("drain worker forked", "connection=track:0", "gen=0")
    give_output_back(collection)
    collection.wait_log("worker ended", "connection=track:0", "gen=0", "why=drained")
    assert outboxes(disk.folder / "state", "track:0") == []
    assert (collection.output / "track:0.jsonl").read_bytes().count(b"\n") >= messages
    wait_for(lambda: not collection.status()["ownerless"], "none is left")
