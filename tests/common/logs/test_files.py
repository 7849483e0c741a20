"""Log files: every record whole, none that stops its caller, and every loss said."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.nospace import file_size_limit

from traptor.common.logs.files import LogFile

CALM = logging.Formatter("%(levelname)s %(message)s")


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Told(list[str]):
    """What a handler tells elsewhere."""

    def tell(self, record: logging.LogRecord) -> None:
        self.append(f"{record.getMessage()} {record.fields}")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def log(log_dir: Path, clock: Clock, told: Told) -> Iterator[LogFile]:
    handler = LogFile(log_dir / "x.log", CALM, told.tell, clock)
    yield handler
    handler.close()


def say(handler: logging.Handler, message: str) -> None:
    handler.handle(logging.LogRecord("traptor", logging.INFO, "", 0, message, (), None))


def test_records_are_appended_line_by_line(log: LogFile, log_dir: Path) -> None:
    (log_dir / "x.log").write_text("before\n")
    say(log, "one")
    say(log, "two")
    assert (log_dir / "x.log").read_text() == "before\nINFO one\nINFO two\n"


def test_a_renamed_file_is_followed_by_a_new_one_at_the_next_record(log: LogFile, log_dir: Path) -> None:
    say(log, "one")
    (log_dir / "x.log").rename(log_dir / "x.log.1")
    say(log, "two")
    assert (log_dir / "x.log.1").read_text() == "INFO one\n"
    assert (log_dir / "x.log").read_text() == "INFO two\n"


def test_a_file_put_in_its_place_is_appended_to(log: LogFile, log_dir: Path) -> None:
    """As logrotate does with `create`."""
    say(log, "one")
    (log_dir / "new").write_text("")
    (log_dir / "new").rename(log_dir / "x.log")
    say(log, "two")
    assert (log_dir / "x.log").read_text() == "INFO two\n"


def test_reopen_makes_the_file_at_once(log: LogFile, log_dir: Path) -> None:
    (log_dir / "x.log").unlink()
    log.reopen()
    assert (log_dir / "x.log").exists()


def test_the_descriptor_stays_good_for_others_over_a_rotation(log: LogFile, log_dir: Path) -> None:
    stream = log.stream
    (log_dir / "x.log").rename(log_dir / "x.log.1")
    say(log, "one")
    os.write(stream.fileno(), b"stack\n")
    assert (log_dir / "x.log").read_text() == "INFO one\nstack\n"


def test_a_removed_folder_costs_records_and_they_are_counted_and_said(
    log: LogFile, log_dir: Path, told: Told
) -> None:
    shutil.rmtree(log_dir)
    for number in range(5):
        say(log, f"lost {number}")
    assert log.lost == 5
    assert not log_dir.exists(), "it is not made again: whoever removed it had a reason"
    log_dir.mkdir()
    say(log, "back")
    assert (log_dir / "x.log").read_text() == "INFO back\nWARNING log lines lost\n"
    assert told == [
        f"log lines lost {{'count': 1, 'log': '{log_dir / 'x.log'}', 'error': 'No such file or directory'}}"
    ]


def test_losses_are_told_elsewhere_once_a_minute(
    log: LogFile, log_dir: Path, told: Told, clock: Clock
) -> None:
    shutil.rmtree(log_dir)
    for _ in range(600):  # ten minutes
        say(log, "lost")
        clock.now += 1.0
    assert len(told) == 10
    assert "'count': 60" in told[-1]


def test_a_full_disk_costs_records_and_raises_nothing(
    log_dir: Path, told: Told, clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = LogFile(log_dir / "full.log", CALM, told.tell, clock)
    with file_size_limit(0):
        say(handler, "lost")
    assert handler.lost == 1
    assert told == [
        f"log lines lost {{'count': 1, 'log': '{log_dir / 'full.log'}', 'error': 'File too large'}}"
    ]
    say(handler, "back")
    assert (log_dir / "full.log").read_text() == "INFO back\nWARNING log lines lost\n"
    handler.close()
    assert capfd.readouterr() == ("", ""), "no traceback either"


def test_a_line_that_a_full_disk_cut_does_not_spoil_the_next(log: LogFile, log_dir: Path) -> None:
    """The size limit of a process takes the beginning of a write, as a disk does that fills up."""
    say(log, "0123456789")  # 16 bytes
    with file_size_limit(20):
        say(log, "cut in two")
    say(log, "whole again")
    lines = (log_dir / "x.log").read_text().split("\n")
    assert lines == ["INFO 0123456789", "INFO", "INFO whole again", "WARNING log lines lost", ""]


def test_a_fifo_in_the_place_of_the_file_blocks_nobody(log_dir: Path, told: Told, clock: Clock) -> None:
    os.mkfifo(log_dir / "x.log")
    handler = LogFile(log_dir / "x.log", CALM, told.tell, clock)
    say(handler, "lost")
    assert handler.lost == 1
    handler.close()


def test_no_link_to_a_file_is_followed(log: LogFile, log_dir: Path, told: Told) -> None:
    precious = log_dir / "precious"
    precious.write_text("precious")
    (log_dir / "x.log").unlink()
    (log_dir / "x.log").symlink_to(precious)
    say(log, "lost")
    log.reopen()
    assert precious.read_text() == "precious"
    assert log.lost == 1
    assert "links to files are not followed: make its folder a link" in told[0]


def test_a_folder_that_is_a_link_is_followed(log_dir: Path, told: Told, clock: Clock) -> None:
    """That is how logs are put on another disk, also those whose names have a colon."""
    disk = log_dir.rename(log_dir.with_name("disk"))
    log_dir.symlink_to(disk)
    handler = LogFile(log_dir / "track:0.log", CALM, told.tell, clock)
    say(handler, "one")
    handler.close()
    assert (disk / "track:0.log").read_text() == "INFO one\n"


@pytest.mark.parametrize("name", ["/dev/stdout", "/proc/self/fd/1", "/dev/stderr"])
def test_a_link_to_our_own_stdout_is_written_to(
    log_dir: Path, told: Told, clock: Clock, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    """As images of containers have them."""
    (log_dir / "track:0.log").symlink_to(name)
    handler = LogFile(log_dir / "track:0.log", CALM, told.tell, clock)
    say(handler, "one")
    say(handler, "two")
    handler.close()
    assert "".join(capfd.readouterr()) == "INFO one\nINFO two\n"
    assert told == []


def test_a_record_that_cannot_be_formatted_is_a_lost_one(log: LogFile) -> None:
    class Bad:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    log.handle(logging.LogRecord("traptor", logging.INFO, "", 0, Bad(), (), None))
    assert log.lost == 1


def test_text_that_is_no_unicode_is_escaped(log: LogFile, log_dir: Path) -> None:
    say(log, "half a pair \ud83d")
    assert (log_dir / "x.log").read_text() == "INFO half a pair \\ud83d\n"


def test_records_of_several_threads_stay_whole(log: LogFile, log_dir: Path) -> None:
    def work(name: str) -> None:
        for number in range(200):
            say(log, f"{name * 50} {number}")

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (log_dir / "x.log").read_text().splitlines()
    assert sorted(lines) == sorted(f"INFO {name * 50} {number}" for name in "abcd" for number in range(200))
