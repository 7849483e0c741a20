"""Outboxes that nobody delivers are found, but not before a next generation had time to come."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from traptor.common.files.outboxes import OUTBOX_LOCK, Left, note_count, outbox_folder
from traptor.common.rules.rule import GroupId
from traptor.supervisor.workers.leftovers import Leftovers, parse_connection


def left(state_dir: Path, connection: str, generation: int = 1) -> Path:
    """The outbox of a generation that is dead."""
    folder = outbox_folder(state_dir, connection) / str(generation)
    folder.mkdir(parents=True)
    (folder / OUTBOX_LOCK).touch()
    return folder


def test_what_is_left_is_due_in_the_second_look(tmp_path: Path) -> None:
    leftovers = Leftovers(tmp_path)
    left(tmp_path, "track:0")
    assert not leftovers.look([], 0.0)
    assert leftovers.look([], 5.0)
    assert leftovers.due == {"track:0"}


def test_what_a_generation_serves_or_a_process_holds_is_not_due(tmp_path: Path) -> None:
    leftovers = Leftovers(tmp_path)
    left(tmp_path, "track:0")
    folder = left(tmp_path, "follow:0")
    with (folder / OUTBOX_LOCK).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not leftovers.look(["track:0"], 0.0)
        assert not leftovers.look(["track:0"], 5.0)


def test_what_a_drain_worker_did_not_deliver_is_tried_later_and_later(tmp_path: Path) -> None:
    """Else one that cannot be read would have hundreds of them."""
    leftovers = Leftovers(tmp_path)
    left(tmp_path, "track:0")
    started = []
    for now in range(0, 2_000, 5):
        if leftovers.look([], float(now)):
            leftovers.taken_care_of("track:0", float(now))
            started.append(now)
    assert started == [5, 15, 35, 75, 155, 315, 635, 1235, 1835]


def test_what_was_delivered_begins_anew(tmp_path: Path) -> None:
    leftovers = Leftovers(tmp_path)
    folder = left(tmp_path, "track:0")
    for now in (0.0, 5.0):
        leftovers.look([], now)
    leftovers.taken_care_of("track:0", 5.0)
    (folder / OUTBOX_LOCK).unlink()
    assert not leftovers.look([], 10.0)
    (folder / OUTBOX_LOCK).touch()
    assert not leftovers.look([], 11.0)
    assert leftovers.look([], 12.0)


@pytest.mark.parametrize(
    ("name", "group", "part"), [("track:0", "track:0", 1), ("follow:a-b.12", "follow:a-b", 12)]
)
def test_a_connections_name_tells_group_and_part(name: str, group: str, part: int) -> None:
    assert parse_connection(name) == (GroupId.parse(group), part)


@pytest.mark.parametrize("name", ["v2:key", "lost+found", "track", "follow:0.x", ""])
def test_another_folders_name_is_none(name: str) -> None:
    with pytest.raises(ValueError):
        parse_connection(name)


def test_what_waits_with_nobody_to_deliver_it_is_counted_until_a_drain_worker_has_it(tmp_path: Path) -> None:
    leftovers = Leftovers(tmp_path)
    folder = left(tmp_path, "track:0")
    with (folder / OUTBOX_LOCK).open("r+b") as lock:
        note_count(lock.fileno(), 2_200, 7_000_000)
    leftovers.look([], 0.0)
    assert leftovers.found == {"track:0": Left(1, 2_200, 7_000_000)}
    leftovers.taken_care_of("track:0", 5.0)
    assert leftovers.found == {}
