"""Rotation by size."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.supervisor.host.logrotate import Rename, moves, rotate_logs

NUMBERS = st.sets(st.integers(1, 12))


def carry_out(files: dict[str, str], steps: list[Rename]) -> dict[str, str]:
    files = dict(files)
    for step in steps:
        content = files.pop(step.name)
        if step.to is not None:
            assert step.to not in files, "nothing kept is written over"
            files[step.to] = content
    return files


@given(NUMBERS, st.integers(0, 6), st.integers(0, 200))
def test_a_rotation_keeps_the_newest_in_order_and_no_more_than_it_should(
    numbers: set[int], keep: int, size: int
) -> None:
    names = ["x.log", *(f"x.log.{number}" for number in numbers)]
    files = {name: name for name in names}
    left = carry_out(files, moves(dict.fromkeys(names, size), 100, keep))
    if size < 100:
        assert left == files
        return
    assert "x.log" not in left
    assert len(left) <= keep
    assert not keep or left["x.log.1"] == "x.log"
    ages = [names_age(left[f"x.log.{number}"]) for number in range(1, keep + 1) if f"x.log.{number}" in left]
    assert ages == sorted(ages), "a higher number is an older file"
    lost = set(files) - set(left.values())
    assert all(names_age(name) >= keep for name in lost), "only what is too old goes"


def names_age(name: str) -> int:
    return 0 if name == "x.log" else int(name.rsplit(".", 1)[1])


def test_only_logs_that_are_large_enough_are_rotated(tmp_path: Path) -> None:
    (tmp_path / "track:0.log").write_text("x" * 100)
    (tmp_path / "supervisor.log").write_text("x" * 99)
    (tmp_path / "notes.txt").write_text("x" * 100)
    (tmp_path / "track:0.log.1.gz").write_text("x" * 100)
    rotate_logs(tmp_path, 100, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "notes.txt",
        "supervisor.log",
        "track:0.log.1",
        "track:0.log.1.gz",
    ]


def test_one_connections_old_logs_are_not_anothers(tmp_path: Path) -> None:
    for name in ("track:0.log", "track:0.log.1", "track:0.2.log", "track:0.2.log.1"):
        (tmp_path / name).write_text(name)
    rotate_logs(tmp_path, 12, 5)  # track:0.2.log alone is so long
    assert (tmp_path / "track:0.2.log.2").read_text() == "track:0.2.log.1"
    assert (tmp_path / "track:0.log.1").read_text() == "track:0.log.1"
    assert (tmp_path / "track:0.log").exists()


def test_a_log_dir_that_is_gone_is_no_error(tmp_path: Path) -> None:
    rotate_logs(tmp_path / "gone", 1, 1)


def test_a_file_that_cannot_be_renamed_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "x.log").write_text("long")
    (tmp_path / "x.log.1").mkdir()
    (tmp_path / "x.log.1" / "inside").write_text("")
    with caplog.at_level(logging.WARNING):
        rotate_logs(tmp_path, 1, 1)
    assert "a log file is not rotated" in caplog.text
    assert (tmp_path / "x.log").read_text() == "long"
