"""Whoever judges a run is told what the ledger does not account for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from traptor.common.errors import TraptorError
from traptor.supervisor.gaps.interval import GapCause, Instant
from traptor.supervisor.ledger.answers.accounting import balances, imbalances
from traptor.supervisor.ledger.book import Ledger
from traptor.supervisor.ledger.disk.store import LedgerStore


def at(mono: float) -> Instant:
    return Instant(1_790_000_000.0 + mono, mono)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of 100 seconds: 10 of a start, 50 of streaming, 40 of a crash."""
    with closing(LedgerStore(tmp_path / "ledger.db")) as store:
        ledger = Ledger({}, None, tmp_path, "boot", at(0), lambda _entry: None, lambda: None)
        timeline = ledger.timeline("track:0", at(0))
        timeline.planned(GapCause.START, at(0))
        timeline.streaming(1, at(10))
        timeline.stopped(1, GapCause.CRASH, at(60))
        store.write(ledger.batch(at(100)))
    return tmp_path / "ledger.db"


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(statement)
        db.commit()


def test_all_is_accounted_for(path: Path) -> None:
    (balance,) = balances(path)
    assert (balance.elapsed_s, balance.streaming_s, balance.gaps_s) == (100, 50, {"start": 10, "crash": 40})
    assert imbalances(path) == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM intervals WHERE kind = 'streaming'", "an interval ends at 1790000010.000"),
        (
            "UPDATE intervals SET to_unix = to_unix - 1 WHERE id = 2",
            "and the next one begins at 1790000060.000",
        ),
        ("UPDATE sums SET seconds = 49 WHERE kind = 'streaming'", "1.000 s are in no interval"),
        ("UPDATE connections SET open_mono = open_mono + 5", "5.000 s are in no interval"),
    ],
)
def test_what_is_missing_is_said(path: Path, statement: str, words: str) -> None:
    change(path, statement)
    (said,) = imbalances(path)
    assert said.startswith("the ledger of track:0 does not add up: ")
    assert words in said


def test_what_was_pruned_is_not_missing(path: Path) -> None:
    change(path, "DELETE FROM intervals WHERE id = 1")
    assert imbalances(path) == []


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TraptorError, match="cannot be read"):
        imbalances(tmp_path / "ledger.db")
