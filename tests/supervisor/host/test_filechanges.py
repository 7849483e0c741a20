"""Changes of files are noticed, however they are made; what is no change is not."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.waiting import DEADLINE_S
from watchdog.observers.inotify import InotifyEmitter

from traptor.supervisor.host.filechanges import FileChanges


def _edit_in_place(path: Path) -> None:
    path.write_text("new")


def _rename_over(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("new")
    os.replace(other, path)


async def _noticed(paths: list[Path], change: Callable[[], None], within_s: float = DEADLINE_S) -> bool:
    noticed = asyncio.Event()
    changes = FileChanges(noticed.set)
    changes.watch(paths)
    try:
        change()
        async with asyncio.timeout(within_s):
            await noticed.wait()
    except TimeoutError:
        return False
    finally:
        changes.close()
    return True


@pytest.mark.parametrize("change", [_edit_in_place, _rename_over])
def test_a_changed_file_is_noticed(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "traptor.ini"
    path.write_text("old")
    assert asyncio.run(_noticed([path], lambda: change(path)))


def test_a_configmap_that_swaps_its_link_is_noticed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "traptor.ini").write_text(name)
    (tmp_path / "..data").symlink_to("one")
    path = tmp_path / "traptor.ini"
    path.symlink_to("..data/traptor.ini")

    def swap() -> None:
        (tmp_path / "..new").symlink_to("two")
        os.replace(tmp_path / "..new", tmp_path / "..data")

    assert asyncio.run(_noticed([path], swap))


def test_a_file_that_is_written_again_unchanged_is_no_news(tmp_path: Path) -> None:
    path = tmp_path / "traptor.ini"
    path.write_text("same")
    assert not asyncio.run(_noticed([path], lambda: _ignore(path.write_text("same")), within_s=1.0))


def test_other_files_in_the_folder_are_no_news(tmp_path: Path) -> None:
    path = tmp_path / "traptor.ini"
    path.write_text("old")
    log = tmp_path / "supervisor.log"
    assert not asyncio.run(_noticed([path], lambda: _ignore(log.write_text("x")), within_s=1.0))


def test_a_change_without_any_event_is_found_by_comparing(tmp_path: Path) -> None:
    path = tmp_path / "traptor.ini"
    path.write_text("old")

    async def compare() -> int:
        found = []
        changes = FileChanges(lambda: found.append(1))
        changes._contents = {path: "another"}
        changes.compare()
        return len(found)

    assert asyncio.run(compare()) == 1


def _ignore(_result: object) -> None:
    pass


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EMFILE, "inotify instance limit reached"), RuntimeError("can't start new thread")],
    ids=repr,
)
def test_where_nothing_can_be_watched_files_are_compared_and_watched_when_that_is_possible(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    path = tmp_path / "traptor.ini"
    path.write_text("old")

    def fail(*_args: object) -> None:
        raise error

    async def run() -> None:
        noticed = asyncio.Event()
        changes = FileChanges(noticed.set)
        threads = set(threading.enumerate())
        with monkeypatch.context() as patch:
            patch.setattr(InotifyEmitter, "start", fail)
            changes.watch([path])
            path.write_text("new")
            assert not noticed.is_set()
            changes.compare()
            assert noticed.is_set()
            assert set(threading.enumerate()) - threads <= set(_inotify_threads())
        noticed.clear()
        changes.compare()
        path.write_text("newer")
        async with asyncio.timeout(DEADLINE_S):
            await noticed.wait()
        changes.close()

    asyncio.run(run())
    said = [
        (record.levelname, record.message) for record in caplog.records if record.name.startswith("traptor")
    ]
    assert said == [
        ("WARNING", "files cannot be watched, they are compared every 5 s"),
        ("INFO", "files are watched again"),
    ]


def _inotify_threads() -> list[threading.Thread]:
    """The one reader of inotify that watchdog keeps for a whole process."""
    return [thread for thread in threading.enumerate() if type(thread).__name__ == "InotifyFD"]
