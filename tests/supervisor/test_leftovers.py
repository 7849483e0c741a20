"""Outboxes that nobody delivers are found, but not before a next generation had time to come."""

from __future__ import annotations

import fcntl
from pathlib import Path

from traptor.common.outboxes import OUTBOX_LOCK, outbox_folder
from traptor.supervisor.leftovers import Leftovers


def left(state_dir: Path, connection: str, generation: int = 1) -> Path:
    """The outbox of a generation that is dead."""
    folder = outbox_folder(state_dir, connection) / str(generation)
    folder.mkdir(parents=True)
    (folder / OUTBOX_LOCK).touch()
    return folder


def test_what_is_left_is_due_in_the_second_look(tmp_path: Path) -> None:
    leftovers = Leftovers(tmp_path)
    left(tmp_path, "track:0")
    assert not leftovers.look([])
    assert leftovers.look([])
    assert leftovers.due == {"track:0"}


def test_what_a_generation_serves_or_a_process_holds_is_not_due(tmp_path: Path) -> None:
    leftovers = Leftovers(tmp_path)
    left(tmp_path, "track:0")
    folder = left(tmp_path, "follow:0")
    with (folder / OUTBOX_LOCK).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not leftovers.look(["track:0"])
        assert not leftovers.look(["track:0"])


def test_after_a_drain_worker_was_started_nothing_is_due_for_two_looks(tmp_path: Path) -> None:
    """Else one that is through is followed by another at once, and one that cannot read it by hundreds."""
    leftovers = Leftovers(tmp_path)
    left(tmp_path, "track:0")
    leftovers.look([])
    leftovers.look([])
    leftovers.taken_care_of("track:0")
    assert leftovers.due == set()
    assert not leftovers.look(["track:0"])
    assert not leftovers.look([])
    assert leftovers.look([])
