"""The tables of `state_dir/ledger.db`, and the conversion of their rows."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from msgspec.structs import astuple

from traptor.common.files.fillreads import FillReads
from traptor.common.fills import FillMethod
from traptor.supervisor.gaps.fill import Fill, FillState, FillTold
from traptor.supervisor.gaps.interval import GapCause, Instant, IntervalKind, TimelineState
from traptor.supervisor.ledger.records import Carried, Entry, LastKnown
from traptor.supervisor.state.database import Migrations

MIGRATIONS: Migrations = (
    (
        # One row: the boot that the monotonic times belong to, and when the supervisor was last alive.
        """CREATE TABLE run (
            id INTEGER PRIMARY KEY CHECK (id = 1), boot TEXT NOT NULL,
            noted_unix REAL NOT NULL, noted_mono REAL NOT NULL, is_clean INTEGER NOT NULL)""",
        """CREATE TABLE connections (
            connection TEXT PRIMARY KEY, began_unix REAL NOT NULL, began_mono REAL NOT NULL,
            kind TEXT NOT NULL, cause TEXT NOT NULL, is_planned INTEGER NOT NULL,
            open_unix REAL NOT NULL, open_mono REAL NOT NULL, generation INTEGER,
            safe_unix REAL NOT NULL, safe_mono REAL NOT NULL,
            rules TEXT NOT NULL, rule_count INTEGER NOT NULL) WITHOUT ROWID""",
        """CREATE TABLE intervals (
            connection TEXT NOT NULL, kind TEXT NOT NULL, cause TEXT,
            from_unix REAL NOT NULL, to_unix REAL NOT NULL, seconds REAL NOT NULL, generation INTEGER,
            rules TEXT NOT NULL, rule_count INTEGER NOT NULL, limited INTEGER NOT NULL,
            id INTEGER PRIMARY KEY)""",
        "CREATE INDEX intervals_of_connection ON intervals (connection, id)",
        "CREATE INDEX intervals_by_end ON intervals (to_unix)",
        # Over all intervals ever: pruned ones stay in the sums.
        """CREATE TABLE sums (
            connection TEXT, kind TEXT, cause TEXT, seconds REAL NOT NULL,
            PRIMARY KEY (connection, kind, cause)) WITHOUT ROWID""",
        "CREATE TABLE rules (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, rule_id TEXT NOT NULL)",
        "CREATE INDEX rules_by_id ON rules (rule_id)",
        # A rule in a place: a connection, or `known:` and its group.
        """CREATE TABLE stays (
            rule INTEGER NOT NULL REFERENCES rules (id), place TEXT NOT NULL,
            from_unix REAL NOT NULL, to_unix REAL,
            PRIMARY KEY (rule, place, from_unix)) WITHOUT ROWID""",
        "CREATE INDEX stays_that_last ON stays (place) WHERE to_unix IS NULL",
        "CREATE INDEX stays_that_ended ON stays (to_unix) WHERE to_unix IS NOT NULL",
    ),
    ("ALTER TABLE intervals ADD COLUMN why TEXT NOT NULL DEFAULT ''",),
    (
        """CREATE TABLE fills (
            id INTEGER PRIMARY KEY, connection TEXT NOT NULL, from_unix REAL NOT NULL, to_unix REAL NOT NULL,
            method TEXT NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL, steps INTEGER NOT NULL,
            step INTEGER NOT NULL, refused INTEGER NOT NULL, token TEXT NOT NULL, posts INTEGER NOT NULL,
            dollars REAL NOT NULL, at REAL NOT NULL)""",
        "CREATE INDEX fills_by_end ON fills (to_unix)",
        # What an open fill asks for, kept as it was when the fill began.
        "CREATE TABLE fill_plans (fill INTEGER PRIMARY KEY, plan BLOB NOT NULL)",
        """CREATE TABLE fill_costs (
            connection TEXT NOT NULL, day TEXT NOT NULL, dollars REAL NOT NULL,
            PRIMARY KEY (connection, day)) WITHOUT ROWID""",
    ),
    (
        # Over all fills that ever ended: those of gaps that are forgotten stay in it.
        """CREATE TABLE fill_totals (
            state TEXT PRIMARY KEY, fills INTEGER NOT NULL, posts INTEGER NOT NULL) WITHOUT ROWID""",
        """INSERT INTO fill_totals SELECT state, count(*), sum(posts) FROM fills
            WHERE state IN ('done', 'given_up') GROUP BY state""",
    ),
    (
        # What of a worker's posts and reads the fills hold: what its file has beyond that is to be added.
        """CREATE TABLE fill_told (
            fill INTEGER NOT NULL, worker TEXT NOT NULL, new INTEGER NOT NULL, posts INTEGER NOT NULL,
            included_posts INTEGER NOT NULL, included_users INTEGER NOT NULL,
            PRIMARY KEY (fill, worker)) WITHOUT ROWID""",
    ),
)


def entry_row(entry: Entry) -> tuple[Any, ...]:
    """Return an entry as a row of `intervals`."""
    return (
        entry.connection,
        entry.kind,
        entry.cause,
        entry.from_unix,
        entry.to_unix,
        entry.seconds,
        entry.generation,
        *_of_carried(entry.carried),
        entry.limited,
        entry.id,
        entry.why,
    )


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Return the entry in a row of `intervals`."""
    connection, kind, cause, from_unix, to_unix, seconds, generation = row[:7]
    rules, count, limited, id_, why = row[7:]
    return Entry(
        connection,
        kind,
        cause,
        from_unix,
        to_unix,
        seconds,
        generation,
        Carried(rules, count),
        limited,
        id_,
        why=why,
    )


def fill_row(fill: Fill) -> tuple[Any, ...]:
    """Return a fill as a row of `fills`."""
    return (
        fill.id,
        fill.connection,
        fill.from_unix,
        fill.to_unix,
        fill.method.value,
        fill.state.value,
        fill.why,
        fill.steps,
        fill.step,
        fill.refused,
        fill.token,
        fill.posts,
        fill.dollars,
        fill.at,
    )


def told_row(told: FillTold) -> tuple[Any, ...]:
    """Return what a worker told as a row of `fill_told`."""
    return (told.fill, told.worker, *astuple(told.reads))


def told_of(row: tuple[Any, ...]) -> FillTold:
    """Return what a worker told, in a row of `fill_told`."""
    fill, worker, *counts = row
    return FillTold(fill, worker, FillReads(*counts))


def fill_of(row: tuple[Any, ...]) -> Fill:
    """Return the fill in a row of `fills`."""
    id_, connection, from_unix, to_unix, method, state, *rest = row
    return Fill(id_, connection, from_unix, to_unix, FillMethod(method), FillState(state), *rest)


# Not dataclasses.astuple, which takes ten times as long: a supervisor may end with 100,000 connections.
_of_instant = attrgetter("wall", "mono")
_of_carried = attrgetter("rules", "count")


def account_row(account: LastKnown) -> tuple[Any, ...]:
    """Return an account as a row of `connections`."""
    standing = account.standing
    return (
        account.connection,
        *_of_instant(account.began),
        standing.kind.value,
        standing.cause.value,
        standing.is_planned,
        *_of_instant(standing.open_from),
        standing.generation,
        *_of_instant(account.safe_until),
        *_of_carried(account.carried),
    )


def account_of(row: tuple[Any, ...]) -> LastKnown:
    """Return the account in a row of `connections`."""
    name, began_unix, began_mono, kind, cause, is_planned, open_unix, open_mono, generation = row[:9]
    safe_unix, safe_mono, rules, count = row[9:]
    opened = Instant(open_unix, open_mono)
    standing = TimelineState(IntervalKind(kind), GapCause(cause), bool(is_planned), opened, generation)
    began, safe_until = Instant(began_unix, began_mono), Instant(safe_unix, safe_mono)
    return LastKnown(name, began, standing, safe_until, Carried(rules, count))
