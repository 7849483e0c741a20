"""A shared file in which every line is whole, whatever happens to its writers and its disk."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.nospace import file_size_limit
from support.waiting import DEADLINE_S, wait_for

from traptor.common.errors import SinkError
from traptor.common.files.disk import is_full
from traptor.worker.sinks.linefile import LineFile

fork = multiprocessing.get_context("fork")


class Clock:
    """Time that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def opened(path: Path, clock: Clock | None = None) -> Iterator[LineFile]:
    lines = LineFile(path, clock or Clock())
    lines.open()
    yield lines
    lines.close()


def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"{}\n")
    with opened(path) as lines:
        assert lines.write(b'{"a":1}\n')
        assert lines.write(b'{"a":2}\n')
    assert path.read_bytes() == b'{}\n{"a":1}\n{"a":2}\n'


def test_the_last_whole_lines_can_be_read_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.jsonl"
    lines = LineFile(path)
    assert list(lines.last_lines()) == []
    path.write_bytes(b'{"a":1}\n{"a":2}\n{"a":')
    assert list(lines.last_lines()) == [b'{"a":1}', b'{"a":2}']
    monkeypatch.setattr("traptor.worker.sinks.linefile._LAST_BYTES", 14)
    assert list(lines.last_lines()) == [b'{"a":2}']


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777], ids=oct)
def test_the_folder_is_made_for_us_and_our_group_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with opened(tmp_path / "output" / "x.jsonl"):
            found = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("output", "output/x.jsonl")]
    finally:
        os.umask(before)
    assert found == [0o750, 0o644 & ~umask]


def test_the_folder_is_made_where_the_one_above_exists(tmp_path: Path) -> None:
    with opened(tmp_path / "out" / "x.jsonl") as lines:
        assert lines.write(b"{}\n")
    with pytest.raises(
        SinkError, match=r"nowhere/out/x\.jsonl cannot be written \(No such .*make the folder"
    ):
        LineFile(tmp_path / "nowhere" / "out" / "x.jsonl").open()


def test_what_is_no_file_is_refused_and_waits_for_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    for name in ("fifo.jsonl", "folder.jsonl"):
        assert list(LineFile(tmp_path / name).last_lines()) == []
        with pytest.raises(SinkError, match="it is not a file"):
            LineFile(tmp_path / name).open()


def test_a_line_that_the_disk_takes_in_part_is_cut_off_again(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with opened(path) as lines:
        assert lines.write(b"0123456789\n")
        with file_size_limit(20), pytest.raises(OSError, match="No space left"):
            lines.write(b"abcdefghijklm\n")
        assert path.read_bytes() == b"0123456789\n", "no broken line, at no time after the call"
        assert lines.write(b"abcdefghijklm\n")
    assert path.read_bytes() == b"0123456789\nabcdefghijklm\n"


def test_a_full_disk_raises_and_leaves_the_file_usable(tmp_path: Path) -> None:
    with opened(tmp_path / "x.jsonl") as lines:
        with file_size_limit(0), pytest.raises(OSError, match="File too large") as raised:
            lines.write(b"{}\n")
        assert is_full(raised.value)
        assert lines.write(b"{}\n")
    assert (tmp_path / "x.jsonl").read_bytes() == b"{}\n"


def test_no_link_to_a_file_is_followed(tmp_path: Path) -> None:
    """Neither when it is opened nor later, when somebody puts one in the file's place."""
    precious, path, clock = tmp_path / "precious", tmp_path / "x.jsonl", Clock()
    precious.write_text("precious")
    path.symlink_to(precious)
    with pytest.raises(SinkError, match=r"x\.jsonl cannot be written: it is a link.*make its folder a link"):
        LineFile(path).open()
    assert list(LineFile(path).last_lines()) == []
    path.unlink()
    with opened(path, clock) as lines:
        assert lines.write(b"{}\n")
        path.unlink()
        path.symlink_to(precious)
        clock.now += 2.0
        with pytest.raises(OSError, match="links to files are not followed"):
            lines.write(b"{}\n")
    assert precious.read_text() == "precious"


def test_a_folder_that_is_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    with opened(tmp_path / "out" / "x.jsonl") as lines:
        assert lines.write(b"{}\n")
    assert (tmp_path / "disk" / "x.jsonl").read_bytes() == b"{}\n"


@given(st.lists(st.binary(max_size=20), max_size=5), st.binary(max_size=99))
def test_a_beginning_that_a_killed_writer_left_is_cut_off_by_the_next(
    tmp_path_factory: pytest.TempPathFactory, whole: list[bytes], beginning: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "left.jsonl"
    kept = b"".join(line.replace(b"\n", b"") + b"\n" for line in whole)
    path.write_bytes(kept + beginning.replace(b"\n", b""))
    with opened(path) as lines:
        assert lines.write(b"{}\n")
    assert path.read_bytes() == kept + b"{}\n"


def test_a_long_beginning_is_cut_off_too(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"{}\n" + b"x" * 200_000)
    with opened(path) as lines:
        assert lines.write(b"{}\n")
    assert path.read_bytes() == b"{}\n{}\n"


def test_a_beginning_left_while_this_writer_runs_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with opened(path) as lines:
        assert lines.write(b"{}\n")
        with path.open("ab") as other:
            other.write(b'{"half')
        assert lines.write(b"[]\n")
    assert path.read_bytes() == b"{}\n[]\n"


def test_a_renamed_or_removed_file_is_followed_by_a_new_one_within_a_second(tmp_path: Path) -> None:
    path, clock = tmp_path / "x.jsonl", Clock()
    with opened(path, clock) as lines:
        assert lines.write(b"1\n")
        path.rename(tmp_path / "x.jsonl.1")
        clock.now += 1.01
        assert lines.write(b"2\n")
        path.unlink()
        clock.now += 1.01
        assert lines.write(b"3\n")
    assert path.read_bytes() == b"3\n"
    assert (tmp_path / "x.jsonl.1").read_bytes() == b"1\n"


def test_a_removed_folder_fails_each_write_until_it_is_back(tmp_path: Path) -> None:
    path, clock = tmp_path / "out" / "x.jsonl", Clock()
    with opened(path, clock) as lines:
        path.unlink()
        path.parent.rmdir()
        clock.now += 1.01
        for _ in range(2):
            with pytest.raises(FileNotFoundError, match="its folder is gone: make it again"):
                lines.write(b"1\n")
        path.parent.mkdir()
        assert lines.write(b"1\n")
    assert path.read_bytes() == b"1\n"


def test_another_writer_in_the_middle_of_a_line_is_not_disturbed(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with opened(path) as lines, path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert not lines.write(b"1\n")
        fcntl.flock(other, fcntl.LOCK_UN)
        assert lines.write(b"1\n")


def test_two_generations_write_in_turn_and_none_keeps_the_file_to_itself(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with opened(path) as old, opened(path) as new:
        assert old.write(b"1\n")
        assert new.write(b"2\n")
        assert old.write(b"3\n")
    assert path.read_bytes() == b"1\n2\n3\n"


def append(path: Path, name: str, count: int) -> None:
    """Append as fast as it can; `count` 0 is for ever."""
    lines = LineFile(path)
    lines.open()
    number = 0
    while number < count or not count:
        line = json.dumps({"writer": name, "n": number, "filler": "x" * (number * 37 % 9000)})
        while not lines.write(f"{line}\n".encode()):
            pass
        number += 1


def test_two_processes_append_at_once_and_every_line_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    processes = [fork.Process(target=append, args=(path, name, 1000), daemon=True) for name in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(DEADLINE_S)
        assert process.exitcode == 0
    seen: dict[str, list[int]] = {"a": [], "b": []}
    for line in path.read_bytes().splitlines():
        read = json.loads(line)
        seen[read["writer"]].append(read["n"])
    assert seen["a"] == seen["b"] == list(range(1000))


def test_a_killed_writer_leaves_whole_lines_and_holds_up_nobody(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    for number in range(20):
        process = fork.Process(target=append, args=(path, f"w{number}", 0), daemon=True)
        size = path.stat().st_size if path.exists() else 0
        process.start()
        wait_for(lambda size=size: path.exists() and path.stat().st_size > size, "it writes")
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(DEADLINE_S)
        assert process.exitcode == -signal.SIGKILL
    append(path, "last", 1)
    lines = path.read_bytes().splitlines(keepends=True)
    assert all(line.endswith(b"\n") and json.loads(line) for line in lines)
    assert json.loads(lines[-1])["writer"] == "last"
