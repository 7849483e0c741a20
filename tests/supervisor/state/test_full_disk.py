"""A full disk under state_dir: what recovery needs to write can be written, and so after a restart."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast

import pytest
from support.smalldisk import MakeDisk, SmallDisk

from traptor.common.errors import TraptorError
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.ledger.disk.store import LedgerStore
from traptor.supervisor.ledger.records import Unwritten
from traptor.supervisor.state.locks import RecordLock
from traptor.supervisor.state.reserve import SIZE_BYTES, Reserve
from traptor.supervisor.state.roster import Roster, RosterEntry, write_anyhow
from traptor.supervisor.state.store import StateStore

MB = 1 << 20
DUMP = {"saved_at": 1.0, "keys": {f"key-{number}": {"filler": "x" * 2_000} for number in range(9)}}


def dump_of(number: int) -> dict[str, Any]:
    """One after `number` connects."""
    return {"saved_at": number, "keys": {**cast(Any, DUMP["keys"]), "key-0": {"number": number}}}


@pytest.fixture
def disk(make_disk: MakeDisk, tmp_path: Path) -> SmallDisk:
    return make_disk(tmp_path / "disk", 8 * MB)


@pytest.fixture
def reserve(disk: SmallDisk) -> Reserve:
    made = Reserve(disk.folder / "reserve")
    made.take()
    return made


def test_numbers_and_key_budgets_are_written_on_a_full_disk(
    disk: SmallDisk, reserve: Reserve, caplog: pytest.LogCaptureFixture
) -> None:
    with StateStore(disk.folder / "state.db", reserve) as store:
        disk.fill()
        for number in range(1, 50):
            assert store.next_generation("track:0") == number
            store.save_keys(dump_of(number))
        assert store.next_generation("follow:0") == 1
    assert "its reserve is released" in caplog.text
    with StateStore(disk.folder / "state.db", reserve) as store:
        assert store.load_keys() == dump_of(49)
        assert store.next_generation("track:0") >= 50


def test_without_a_reserve_a_full_disk_is_an_error_and_mended_by_room(disk: SmallDisk) -> None:
    with StateStore(disk.folder / "state.db") as store:
        disk.fill()
        with pytest.raises(TraptorError, match="has room"):
            store.save_keys({"saved_at": 1.0, "keys": {"key-0": {"filler": "x" * MB}}})
        disk.free()
        store.save_keys(DUMP)
        assert store.load_keys() == DUMP


def test_both_databases_are_opened_after_a_restart_on_a_full_disk(disk: SmallDisk, reserve: Reserve) -> None:
    StateStore(disk.folder / "state.db", reserve).close()
    LedgerStore(disk.folder / "ledger.db").close()
    disk.fill()
    for _ in range(3):
        reserve = Reserve(disk.folder / "reserve")
        reserve.make_room()
        ledger = LedgerStore(disk.folder / "ledger.db")
        store = StateStore(disk.folder / "state.db", reserve)
        assert store.next_generation("track:0")
        ledger.close()
        store.close()
        reserve.take_rest()
        disk.fill()  # others take what is left


def test_the_reserve_is_taken_again_when_there_is_room_and_never_from_others(
    disk: SmallDisk, reserve: Reserve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = disk.folder / "reserve"
    disk.fill()
    reserve.make_room()
    assert not path.exists()
    assert not reserve.give_up()
    reserve.take()
    assert not path.exists()  # the disk would be full again
    disk.free()
    reserve.take()
    assert path.stat().st_blocks * 512 == SIZE_BYTES
    assert "its reserve is restored" in caplog.text
    reserve.make_room()
    assert path.exists()


def test_a_lock_is_taken_on_a_full_disk(disk: SmallDisk) -> None:
    disk.fill()
    lock = RecordLock(disk.folder / "lock")
    lock.take()
    lock.release()


def test_the_roster_stays_as_it_was_on_a_full_disk(disk: SmallDisk) -> None:
    roster = Roster(disk.folder / "workers.json")
    roster.write([RosterEntry(2, 1.0, "track:0", 1)])
    disk.fill()
    with pytest.raises(OSError, match="No space left"):
        roster.write([RosterEntry(2, 1.0, "x" * 5_000, 1)])
    assert [entry.connection for entry in roster.read()] == ["track:0"]


def test_a_status_file_is_replaced_where_there_is_no_room_for_two(disk: SmallDisk) -> None:
    path = disk.folder / "status.json"
    write_anyhow(path, b"1" * 6 * MB)
    write_anyhow(path, b"2" * 6 * MB)
    assert path.read_bytes() == b"2" * 6 * MB
    with pytest.raises(OSError, match="No space left"):
        write_anyhow(path, b"3" * 9 * MB)


def test_the_ledger_is_written_on_a_full_disk(disk: SmallDisk, reserve: Reserve) -> None:
    ledger = LedgerStore(disk.folder / "ledger.db", reserve)
    disk.fill()
    for number in range(1, 50):
        ledger.write(noted_at(float(number)))
    stored = ledger.load()
    assert stored is not None
    assert stored.noted.mono == 49.0
    ledger.close()


def test_a_ledger_that_cannot_be_written_is_written_when_there_is_room(disk: SmallDisk) -> None:
    ledger = LedgerStore(disk.folder / "ledger.db")
    disk.fill()
    with pytest.raises(TraptorError, match="has room"):
        write_until(ledger, 10_000)
    disk.free()
    ledger.write(noted_at(99_999.0))
    stored = ledger.load()
    assert stored is not None
    assert stored.noted.mono == 99_999.0
    ledger.close()


def write_until(ledger: LedgerStore, end: int) -> None:
    for number in range(1, end):
        ledger.write(noted_at(float(number)))


def noted_at(mono: float) -> Unwritten:
    return Unwritten(Instant(mono, mono), "boot", False, (), (), (), [])
