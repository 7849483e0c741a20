"""What a generation keeps of its reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from traptor.common.files.reads import (
    ReadCounts,
    ReadsFile,
    all_kept,
    connections,
    kept,
    remove_kept,
)

SOME = ReadCounts(posts=7, included_posts=2, included_users=3, foreign=1)


def test_the_last_counts_are_found_with_the_time_of_their_writing(tmp_path: Path) -> None:
    file = ReadsFile(tmp_path, "v2:app", 3)
    file.write(ReadCounts(posts=1))
    file.write(SOME)
    found = kept(tmp_path, "v2:app", 3)
    assert found is not None
    assert found.counts == SOME
    assert found.at == (tmp_path / "reads" / "v2:app" / "3").stat().st_mtime
    assert kept(tmp_path, "v2:app", 4) is None


def test_nothing_is_made_before_anything_was_read(tmp_path: Path) -> None:
    ReadsFile(tmp_path, "v2:app", 3).write(ReadCounts())
    assert connections(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_all_generations_of_a_connection_are_found_until_they_are_removed(tmp_path: Path) -> None:
    for generation in (10, 9):
        ReadsFile(tmp_path, "v2:app", generation).write(SOME)
    ReadsFile(tmp_path, "v2:other", 1).write(SOME)
    assert connections(tmp_path) == ["v2:app", "v2:other"]
    assert [generation for generation, _ in all_kept(tmp_path, "v2:app")] == [9, 10]
    remove_kept(tmp_path, "v2:app", 9)
    remove_kept(tmp_path, "v2:app", 9)
    assert [generation for generation, _ in all_kept(tmp_path, "v2:app")] == [10]


def test_a_disk_that_takes_nothing_stops_nobody_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ReadsFile(tmp_path, "v2:app", 3)
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", _refuse)
        error = file.write(SOME)
    assert error is not None
    assert error.errno == 28
    assert kept(tmp_path, "v2:app", 3) is None
    assert file.write(SOME) is None
    found = kept(tmp_path, "v2:app", 3)
    assert found is not None
    assert found.counts == SOME


def _refuse(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_a_damaged_file_counts_for_nothing(tmp_path: Path) -> None:
    ReadsFile(tmp_path, "v2:app", 3).write(SOME)
    (tmp_path / "reads" / "v2:app" / "3").write_bytes(b"short")
    assert kept(tmp_path, "v2:app", 3) is None
    assert list(all_kept(tmp_path, "v2:app")) == []
