"""The lines that the table gives to a state are those that its code logs when it begins and when it ends."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.ownlines import DRIVES, Drive

from traptor.supervisor.problems import meanings
from traptor.supervisor.problems.meanings import StateMeaning


def rows() -> dict[str, StateMeaning]:
    """Every row of every table, by name."""
    found: dict[str, StateMeaning] = {}
    for name, value in vars(meanings).items():
        if isinstance(value, StateMeaning):
            found[name] = value
        elif isinstance(value, Mapping):
            states = ((f"{name} {state}", row) for state, row in value.items())
            found.update((state, row) for state, row in states if isinstance(row, StateMeaning))
    return found


ROWS = rows()


def test_every_line_of_every_state_is_tried() -> None:
    said = {(name, pair.begins) for name, row in ROWS.items() for pair in row.said}
    assert len(ROWS) > 30
    assert {(name, begins) for names, begins, _ in DRIVES for name in names} == said


@pytest.mark.parametrize(
    ("names", "begins", "drive"), DRIVES, ids=[f"{names[0]}: {begins}" for names, begins, _ in DRIVES]
)
def test_a_state_is_said_when_it_begins_and_when_it_ends(
    names: tuple[str, ...], begins: str, drive: Drive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    drive(tmp_path)
    lines = [(record.levelno, record.getMessage()) for record in caplog.records]
    for name in names:
        [pair] = [pair for pair in ROWS[name].said if pair.begins == begins]
        assert (ROWS[name].level, begins) in lines
        if pair.ends is not None:
            assert (logging.INFO, pair.ends) in lines[lines.index((ROWS[name].level, begins)) + 1 :]
