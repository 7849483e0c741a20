"""The ledger's file: what it keeps, what it forgets, and what happens when it cannot be used."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.errors import TraptorError
from traptor.common.rules.rule import GroupId, Rule
from traptor.supervisor.gaps.interval import GapCause, Instant, IntervalKind, TimelineState
from traptor.supervisor.ledger.disk.reader import NO_ID, LedgerReader
from traptor.supervisor.ledger.disk.store import LedgerStore
from traptor.supervisor.ledger.period import ALL_TIME, Period
from traptor.supervisor.ledger.records import Carried, Entry, LastKnown, Placement, Unwritten

NOW = Instant(1000.0, 50.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LedgerStore]:
    with closing(LedgerStore(tmp_path / "ledger.db")) as one:
        yield one


def gap(id_: int, since: float, until: float) -> Entry:
    return Entry("track:0", "gap", "crash", since, until, until - since, 3, Carried("f00d", 7), 2, id_)


def rule(rule_id: str, value: str = "") -> Rule:
    values = (value or rule_id,)
    return Rule(f"traptor-track:0:{rule_id}", rule_id, GroupId.parse("track:0"), values, b"{}")


def account(name: str = "track:0") -> LastKnown:
    standing = TimelineState(IntervalKind.GAP, GapCause.CRASH, True, NOW, None)
    return LastKnown(name, NOW, standing, NOW, Carried("f00d", 7))


def batch(**fields: object) -> Unwritten:
    return Unwritten(NOW, "boot", **fields)  # type: ignore[arg-type]


def read(store: LedgerStore, period: Period = ALL_TIME) -> list[Entry]:
    with closing(LedgerReader(store.path)) as reader:
        return [entry for page in reader.entries(NO_ID, period) for entry in page]


def test_what_is_written_is_read(store: LedgerStore) -> None:
    assert store.load() is None
    placed = [Placement("track:0", [rule("1"), rule("2")], 10.0), Placement("track:0", [rule("1")], 30.0)]
    store.write(batch(entries=[gap(1, 10, 20)], placements=placed, accounts=[account()], is_clean=True))
    stored = store.load()
    assert stored is not None
    assert (stored.noted, stored.boot, stored.is_clean, stored.last_id) == (NOW, "boot", True, 1)
    assert stored.accounts == [account()]
    assert stored.totals["track:0"].gaps_s == {GapCause.CRASH: 10.0}
    assert stored.places == ["track:0"]
    assert read(store) == [gap(1, 10, 20)]
    with closing(LedgerReader(store.path)) as reader:
        assert [(stay.from_unix, stay.to_unix) for stay in reader.stays("2")] == [(10, 30)]
        assert reader.stays("traptor-track:0:2") == reader.stays("2")


def test_placements_that_are_written_twice_end_no_stay(store: LedgerStore) -> None:
    placed = [Placement("track:0", [rule("1")], 10.0), Placement("track:0", [rule("1"), rule("2")], 20.0)]
    for _ in range(2):
        store.write(batch(placements=placed))
    with closing(LedgerReader(store.path)) as reader:
        stays = [(one.from_unix, one.to_unix) for key in ("1", "2") for one in reader.stays(key)]
    assert stays == [(10.0, None), (20.0, None)]


RULE_SETS = st.lists(st.sets(st.sampled_from("abcdef")), max_size=8)


@given(sets=RULE_SETS, changed=st.sets(st.sampled_from("abcdef")), times=st.integers(1, 2))
def test_what_a_change_tells_is_written_as_what_a_whole_place_tells(
    sets: list[set[str]], changed: set[str], times: int
) -> None:
    before: list[Rule] | None = None
    wholes, differences = [], []
    for at, names in enumerate(sets):
        odd = changed if at % 2 else set[str]()  # rules with other content, of the same key
        rules = [rule(name, value="x" if name in odd else "y") for name in sorted(names)]
        wholes.append(Placement("track:0", rules, at))
        differences.append(Placement("track:0", rules, at, before))
        before = rules
    stays = []
    for placements in (wholes, differences):
        with TemporaryDirectory() as folder, closing(LedgerStore(Path(folder) / "ledger.db")) as store:
            for _ in range(times):
                store.write(batch(placements=placements))
            with closing(LedgerReader(store.path)) as reader:
                stays.append({name: reader.stays(name) for name in "abcdef"})
    assert stays[0] == stays[1]


def test_a_change_asks_the_file_for_no_other_rule(store: LedgerStore) -> None:
    many = [rule(str(number)) for number in range(3_000)]
    store.write(batch(placements=[Placement("track:0", many, 1.0)]))
    steps: list[int] = []
    store._db.set_progress_handler(lambda: steps.append(1), 1)  # each instruction of SQLite's machine
    store.write(batch(placements=[Placement("track:0", [*many[:-1], rule("new")], 2.0, many)]))
    store._db.set_progress_handler(None, 1)
    assert 0 < len(steps) < 1_000
    with closing(LedgerReader(store.path)) as reader:
        assert [one.to_unix for name in ("2998", "2999", "new") for one in reader.stays(name)] == [
            None,
            2.0,
            None,
        ]


def test_what_is_written_twice_counts_once(store: LedgerStore) -> None:
    """A write whose success was not heard of is tried again."""
    placed = [Placement("track:0", [rule("1")], 1.0), Placement("track:0", [], 2.0)]
    for _ in range(2):
        store.write(batch(entries=[gap(1, 10, 20)], placements=placed))
    stored = store.load()
    assert stored is not None
    assert stored.totals["track:0"].gaps_s == {GapCause.CRASH: 10.0}
    with closing(LedgerReader(store.path)) as reader:
        assert [(stay.from_unix, stay.to_unix) for stay in reader.stays("1")] == [(1, 2)]


def test_a_write_that_fails_leaves_nothing(store: LedgerStore) -> None:
    without_name = Entry(None, "gap", "crash", 1.0, 2.0, 1.0, id=2)
    too_large = replace(gap(2, 20, 30), limited=1 << 70)
    for broken in (without_name, too_large):
        with pytest.raises(
            TraptorError, match=r"the gap ledger cannot be used: .*check that state_dir exists"
        ):
            store.write(batch(entries=[gap(1, 10, 20), broken]))
        assert read(store) == []
    store.write(batch(entries=[gap(1, 10, 20)]))
    assert len(read(store)) == 1


def test_of_a_file_that_another_program_holds_that_is_said(store: LedgerStore) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TraptorError, match=r"database is locked; another program holds it"):
            store.write(batch(entries=[gap(1, 10, 20)]))


def test_a_period_gives_what_touches_it_in_pages(store: LedgerStore) -> None:
    store.write(batch(entries=[gap(n, n, n + 1) for n in range(1, 2501)]))
    assert len(read(store)) == 2500
    assert [entry.id for entry in read(store, Period(100.5, 102.5))] == [100, 101, 102]


def test_what_is_older_is_pruned_and_stays_in_the_sums(store: LedgerStore) -> None:
    placed = [Placement("track:0", [rule("1"), rule("2")], 1.0), Placement("track:0", [rule("2")], 9.0)]
    store.write(batch(entries=[gap(1, 10, 20), gap(2, 20, 40)], placements=placed))
    store.prune(Period(30.0, 50.0))
    assert [entry.id for entry in read(store)] == [2]
    stored = store.load()
    assert stored is not None
    assert stored.totals["track:0"].gaps_s == {GapCause.CRASH: 30.0}
    with closing(LedgerReader(store.path)) as reader:
        assert reader.stays("1") == []
        assert len(reader.stays("2")) == 1, "what is still there is kept, however long"


@pytest.mark.parametrize(
    ("ends", "stay"),
    [
        ([20, 60, 25, 70], [60, 25, 70]),  # the clock was set back: what follows on what is kept is kept
        ([20, 900, 25, 70], [70]),  # it was in the future for a while: that keeps nothing for ever
        ([20, 900], [900]),  # it was set back just now: what ended last is not old
        ([20, 25], []),
    ],
)
def test_only_the_beginning_of_a_connections_time_is_pruned(
    store: LedgerStore, ends: list[float], stay: list[float]
) -> None:
    """Else its intervals would not follow each other any more."""
    begins = [10, *ends]
    intervals = [replace(gap(n, begins[n - 1], end), seconds=1.0) for n, end in enumerate(ends, start=1)]
    other = replace(gap(9, 10, 20), connection="follow:0")
    store.write(batch(entries=[*intervals, other]))
    store.prune(Period(30.0, 100.0))
    assert [entry.to_unix for entry in read(store)] == stay


def test_a_connection_that_is_forgotten_leaves_nothing(store: LedgerStore) -> None:
    store.write(batch(entries=[gap(1, 10, 20)], accounts=[account(), account("follow:0")]))
    store.write(batch(forgotten=["track:0"]))
    stored = store.load()
    assert stored is not None
    assert [each.connection for each in stored.accounts] == ["follow:0"]
    assert not stored.totals
    assert not read(store)


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    LedgerStore(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO schema_version VALUES (99)")
        db.commit()
    with pytest.raises(TraptorError, match=r"ledger.db: written by a newer version of Traptor \(schema 99"):
        LedgerStore(path)
    assert [file.name for file in tmp_path.iterdir() if "damaged" in file.name] == []


@pytest.mark.parametrize("what", ["no database", "a damaged page"])
def test_a_damaged_file_is_moved_aside_with_all_that_belongs_to_it(tmp_path: Path, what: str) -> None:
    path = tmp_path / "ledger.db"
    if what == "no database":
        path.write_bytes(b"not a database" * 1000)
    else:
        with closing(LedgerStore(path)) as store:
            store.write(batch(entries=[gap(n, n, n + 1) for n in range(1, 2000)]))
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] + b"\xff" * (len(content) // 2))
    before = path.read_bytes()
    with closing(LedgerStore(path)) as store:
        assert store.load() is None
        store.write(batch(entries=[gap(1, 1, 2)]))
    (aside,) = tmp_path.glob("ledger.db.damaged-*Z")
    assert aside.read_bytes() == before


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TraptorError, match="the gap ledger cannot be used"):
        LedgerStore(tmp_path / "nowhere" / "ledger.db")


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TraptorError, match="the gap ledger cannot be read"):
        LedgerReader(tmp_path / "ledger.db").stored()
