"""Answers of the ledger, half of it on the disk and half of it in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from traptor.common.fills import FillMethod
from traptor.common.rules.rule import GroupId, Rule
from traptor.supervisor.gaps.fill import Fill, FillState
from traptor.supervisor.gaps.interval import GapCause, Instant, Totals
from traptor.supervisor.ledger.answers.accounting import Balance
from traptor.supervisor.ledger.answers.answer import Answer, UnknownError, View, is_any
from traptor.supervisor.ledger.answers.question import Question
from traptor.supervisor.ledger.disk.reader import LedgerReader
from traptor.supervisor.ledger.disk.store import LedgerStore
from traptor.supervisor.ledger.records import Entry, FillNews, Placement, Unwritten

NOW = Instant(150.0, 50.0)
GROUP = GroupId.parse("track:0")
ONE, TWO = (Rule(f"traptor-track:0:{n}", n, GROUP, (n,), b"{}") for n in ("1", "2"))


def entry(id_: int, kind: str, since: float, until: float, connection: str = "track:0") -> Entry:
    cause = "network" if kind == "gap" else None
    return Entry(connection, kind, cause, since, until, until - since, id=id_, is_open=not id_)


STORED = [entry(1, "gap", 100, 110), entry(2, "streaming", 110, 120)]
UNWRITTEN = [entry(3, "gap", 120, 130)]
OPEN = [entry(0, "streaming", 130, 150)]
FILLS = [Fill(2, "track:0", 120, 130, FillMethod.SEARCH, FillState.DONE, posts=41, at=150)]
PLACED = [Placement("known:track:0", [ONE, TWO], 100.0), Placement("track:0", [ONE], 100.0)]
PLACED_LATELY = [Placement("track:0", [ONE, TWO], 130.0)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LedgerStore]:
    with closing(LedgerStore(tmp_path / "ledger.db")) as one:
        one.write(Unwritten(NOW, "boot", entries=STORED, placements=PLACED))
        yield one


def ask(store: LedgerStore, endpoint: str = "intervals", **parameters: str) -> list[dict[str, Any]]:
    totals = Totals(streaming_s=30.0, gaps_s={GapCause.NETWORK: 20.0})
    balance = Balance.of("track:0", Instant(100.0, 0.0), NOW, totals)
    view = View(NOW, UNWRITTEN, PLACED_LATELY, OPEN, [balance], FILLS)
    question = Question.parse({name: [value] for name, value in parameters.items()}, now_unix=0.0)
    with closing(LedgerReader(store.path)) as reader:
        answer = Answer(reader, view, question)
        return list(answer.totals() if endpoint == "totals" else answer.intervals(is_any))


def short(lines: list[dict[str, Any]]) -> list[tuple[str, float, float]]:
    return [(line["kind"], line["from_unix"], line["to_unix"]) for line in lines]


ALL = [("gap", 100, 110), ("streaming", 110, 120), ("gap", 120, 130), ("streaming", 130, 150)]


def test_disk_and_memory_make_one_answer(store: LedgerStore) -> None:
    assert short(ask(store)) == ALL
    assert [line["open"] for line in ask(store)] == [False, False, False, True]


def test_what_is_written_meanwhile_is_told_of_once(store: LedgerStore) -> None:
    store.write(
        Unwritten(
            NOW, "boot", entries=[*UNWRITTEN, entry(4, "streaming", 130, 150)], placements=PLACED_LATELY
        )
    )
    assert short(ask(store)) == ALL
    assert short(ask(store, rule="2")) == [("uncarried", 100, 130), ("streaming", 130, 150)]


def test_a_period_clips_at_both_ends(store: LedgerStore) -> None:
    assert short(ask(store, since="105", until="125")) == [
        ("gap", 105, 110),
        ("streaming", 110, 120),
        ("gap", 120, 125),
    ]
    (totals,) = ask(store, "totals", since="105", until="125")
    assert (totals["elapsed_seconds"], totals["streaming_seconds"], totals["adds_up"]) == (20.0, 10.0, True)
    assert totals["gap_seconds"] == {"network": 10.0}
    (nothing,) = ask(store, "totals", since="1000")
    assert (nothing["elapsed_seconds"], nothing["adds_up"]) == (0.0, True)


def test_the_totals_are_the_timelines(store: LedgerStore) -> None:
    (totals,) = ask(store, "totals")
    assert totals == {
        "connection": "track:0",
        "elapsed_seconds": 50.0,
        "streaming_seconds": 30.0,
        "unplanned_seconds": 0.0,
        "gap_seconds": {"network": 20.0},
        "adds_up": True,
    }


def test_a_rule_has_the_intervals_of_its_connection_while_it_was_in_it(store: LedgerStore) -> None:
    assert short(ask(store, rule="1")) == ALL
    lines = ask(store, rule="traptor-track:0:2", since="110")
    assert short(lines) == [("uncarried", 110, 130), ("streaming", 130, 150)]
    assert {line["rule"] for line in lines} == {"traptor-track:0:2"}
    (totals,) = ask(store, "totals", rule="2")
    assert (totals["uncarried_seconds"], totals["streaming_seconds"], totals["gap_seconds"]) == (
        30.0,
        20.0,
        {},
    )


@pytest.mark.parametrize("parameters", [{"rule": "3"}, {"connection": "track:1"}])
def test_what_the_ledger_does_not_know_is_said(store: LedgerStore, parameters: dict[str, str]) -> None:
    with pytest.raises(UnknownError, match="the ledger knows of no"):
        ask(store, **parameters)


def test_a_gap_tells_how_it_was_filled(store: LedgerStore) -> None:
    earlier = replace(FILLS[0], id=1, from_unix=99, to_unix=105, state=FillState.GIVEN_UP, why="no access")
    others = replace(FILLS[0], id=3, connection="track:1")
    before = replace(FILLS[0], state=FillState.RUNNING, posts=1)
    store.write(Unwritten(NOW, "boot", fills=FillNews([earlier, before, others])))
    told = [
        [(one["id"], one["state"], one["posts"]) for one in line.get("filled", ())] for line in ask(store)
    ]
    assert told == [[(1, "given_up", 41)], [], [(2, "done", 41)], []]
    assert ask(store)[0]["filled"][0]["why"] == "no access"
    assert "filled" not in ask(store)[1]
    (of_rule,) = (line for line in ask(store, rule="1") if line["from_unix"] == 120)
    assert [one["id"] for one in of_rule["filled"]] == [2]
