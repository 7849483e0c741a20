"""The file of a supervisor that does not run tells its gaps, and that they go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.ledgerhost import Host

from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.ledger.answers.answer import UnknownError
from traptor.supervisor.ledger.answers.question import Question
from traptor.supervisor.ledger.answers.unattended import gaps_in_file


def causes(host: Host, **question: str) -> list[tuple[str, float, bool]]:
    found = gaps_in_file(host.folder / "ledger.db", Question(**question), f"boot {host.boot}", host.now)
    return [(gap["cause"], round(gap["seconds"], 1), gap["open"]) for gap in found]


def plan(host: Host) -> None:
    host.ledger.timeline("track:0", host.now).planned(GapCause.START, host.now)


@pytest.mark.parametrize(
    ("cleanly", "cause", "expected_s"),
    [(True, "shutdown", 60.0), (False, "master_down", 70.0)],  # of a kill it is known when all was safe
)
def test_the_last_gap_goes_on_until_now(tmp_path: Path, cleanly: bool, cause: str, expected_s: float) -> None:
    host = Host(tmp_path)
    plan(host)
    host.true_s += 2
    host.open("track:0")
    host.true_s += 10
    host.write()
    host.end(cleanly=cleanly)
    before = (tmp_path / "ledger.db").read_bytes()
    host.true_s += 60
    assert causes(host) == [("start", 2.0, False), (cause, expected_s, True)]
    assert causes(host, connection="track:0") == causes(host)
    assert (tmp_path / "ledger.db").read_bytes() == before, "nothing is written"
    with pytest.raises(UnknownError, match="track:9"):
        causes(host, connection="track:9")


def test_gaps_that_ended_are_told_and_a_file_of_before_has_none(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert causes(host) == []
    plan(host)
    host.true_s += 1
    host.open("track:0")
    host.true_s += 10
    host.close("track:0", GapCause.NETWORK)
    host.true_s += 3
    host.open("track:0")
    host.true_s += 10
    host.write()
    host.end(cleanly=True)
    assert causes(host)[1] == ("network", 3.0, False)
