"""What a host lacks, from what it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from traptor.supervisor.checks.host import (
    Folder,
    Free,
    full_disks,
    little_room,
    unusable_folders,
)

STATE = Folder("state_dir", Path("/state"), 1 << 30, "the outbox is there")


@pytest.mark.parametrize(
    ("free", "said"),
    [
        (Free(1 << 30, 1_000), []),
        (Free(1 << 30, None), []),
        (
            Free(300 << 20, None),
            [
                "state_dir: only 300 MiB are free at /state, less than 1.0 GiB: the outbox is there",
            ],
        ),
        (Free(1 << 40, 12), ["state_dir: only 12 more files can be made at /state (inodes)"]),
    ],
)
def test_little_room_is_said(free: Free, said: list[str]) -> None:
    assert list(little_room(STATE, free)) == said


def test_a_folder_that_is_not_there_yet_has_the_room_of_the_one_above(tmp_path: Path) -> None:
    there, not_there = Free.at(tmp_path), Free.at(tmp_path / "a" / "b")
    assert not_there.bytes == pytest.approx(there.bytes, rel=0.1)


def test_what_stands_in_a_folders_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    named = [Folder(name, tmp_path / name / "state", 0, "") for name in ("file", "link", "folder")]
    assert [text.split(":")[0] for text in unusable_folders(named)] == ["file", "link"]
    assert len(list(full_disks(named))) <= 2
